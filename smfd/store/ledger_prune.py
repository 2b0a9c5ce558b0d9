"""What is old goes, a slice at a time, so that no commit waits for long."""

import sqlite3
from functools import partial

from smfd.store.ids import new_id
from smfd.store.ledger import Ledger
from smfd.store.ledger_held import expire
from smfd.store.ledger_jobs import Sheet

#: Records looked at in one transaction.
SLICE = 500

#: Who has somebody due or held is kept, however old.  Records are numbered
#: about as they began, so nothing is read behind the first slice of young ones.
_OLD = """
SELECT seq, id, time, NOT EXISTS (
    SELECT 1 FROM recipients WHERE entry = id AND state IN ('due', 'suspended', 'held'))
FROM records WHERE seq > ? ORDER BY seq LIMIT ?
"""

_OLD_ACTS = """
DELETE FROM acts WHERE seq IN (SELECT seq FROM
    (SELECT seq, time FROM acts ORDER BY seq LIMIT ?) WHERE time < ?)
"""


async def prune(ledger: Ledger, before: float) -> int:
    """
    Forget records that began before a time, but for what is due or held.

    @return: how many.
    """
    total, after = 0, 0
    while True:
        gone, after = await ledger.ask(partial(_prune, before=before, after=after))
        total += gone
        if not after:
            return total


async def expire_held(ledger: Ledger, before: float, limit: int = 200) -> int:
    """
    Delete what is held since before a time.

    @param limit: so many at once.
    @return: how many items.
    """
    total, first = 0, new_id(before)
    while True:
        gone = await ledger.ask(partial(_expire, before=first, limit=limit))
        total += gone
        if gone < limit:
            return total


def _expire(
    connection: sqlite3.Connection, sheet: Sheet, before: str, limit: int
) -> int:
    paths = expire(connection, before, limit, sheet.now)
    sheet.loose += sorted(set(paths))
    return len(paths)


def _prune(
    connection: sqlite3.Connection, _: Sheet, before: float, after: int
) -> tuple[int, int]:
    """
    Remove records that began before a time, with their recipients and acts.

    @param after: the C{seq} to go on behind.
    @return: how many went, and the last C{seq} looked at, 0 at the end.
    """
    found = connection.execute(_OLD, (after, SLICE)).fetchall()
    old = [(entry,) for _, entry, time, idle in found if idle and time < before]
    # Those that are damaged; their files are then garbage by definition.
    connection.executemany("DELETE FROM entries WHERE id = ?", old)
    connection.executemany("DELETE FROM recipients WHERE entry = ?", old)
    connection.executemany("DELETE FROM notices WHERE entry = ?", old)
    connection.executemany("DELETE FROM asked WHERE entry = ?", old)
    connection.executemany("DELETE FROM records WHERE id = ?", old)
    connection.execute(_OLD_ACTS, (SLICE, before))
    more = len(found) == SLICE and found[-1][2] < before
    return len(old), found[-1][0] if more else 0
