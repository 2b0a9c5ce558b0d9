"""
What has waited for long in the queue, in an open transaction, a slice at a time.

The names of entries begin with their time, so what is old comes first.
"""

import sqlite3
from collections.abc import Sequence

from smfd.model.entry import Consignment
from smfd.model.queue import Old
from smfd.model.transaction import Body
from smfd.store.ledger_due import ROW, consignment

#: Entries and recipients looked at in one slice, and those of one entry more.
SLICE = 1000

_ENTRIES = """
SELECT id, (SELECT count(*) FROM recipients WHERE entry = id) FROM entries
WHERE id > ? AND id < ? ORDER BY id
"""

#: The last words are those about the site, while nobody is there.
_WORDS = "coalesce(nullif(s.why, ''), r.detail)"

_WAITING = f"""
SELECT r.entry, r.number, 'delayed', ?, {_WORDS}
FROM entries e CROSS JOIN recipients r ON r.entry = e.id
    LEFT JOIN sites s ON s.site = r.site
WHERE e.id > ? AND e.id <= ? AND e.sender <> '' AND e.account <> '' AND r.state = 'due'
    AND r.site <> '' AND r.warned = 0
    AND (r.notify = '' OR r.notify LIKE '%DELAY%')
"""

_OLD = f"""
SELECT {ROW}, {_WORDS}
FROM entries e CROSS JOIN recipients r ON r.entry = e.id
    LEFT JOIN sites s ON s.site = r.site
WHERE e.id > ? AND e.id <= ? AND r.state = 'due' AND r.site <> ''
"""


def warn(
    connection: sqlite3.Connection, after: str, before: str, now: float
) -> tuple[int, str]:
    """
    Take note that senders of old mail are to hear that it waits (RFC 3461 §4.1).

    Each of our users hears it once of each recipient; strangers, whose mail is
    forwarded, do not.

    @param after: the entry to begin behind.
    @param before: entries behind this one are not old.
    @return: how many recipients, and the entry to go on behind, "" at the end.
    """
    until, more = _slice(connection, after, before)
    rows = connection.execute(_WAITING, (now, after, until)).fetchall()
    connection.executemany(
        "INSERT OR IGNORE INTO notices (entry, number, kind, time, detail)"
        " VALUES (?, ?, ?, ?, ?)",
        rows,
    )
    connection.executemany(
        "UPDATE recipients SET warned = 1 WHERE entry = ? AND number = ?",
        [row[:2] for row in rows],
    )
    return len(rows), more


def old(
    connection: sqlite3.Connection, after: str, before: str, bounces: bool
) -> tuple[list[Old], str]:
    """
    What is due to other servers and older than an entry, without its bodies.

    @param bounces: only what is from nobody.
    @return: some of it, and the entry to go on behind, "" at the end.
    """
    until, more = _slice(connection, after, before)
    of = " AND e.sender = ''" if bounces else ""
    rows: Sequence[tuple[object, ...]] = connection.execute(
        _OLD + of, (after, until)
    ).fetchall()
    return [Old(_bare(row[:-1]), str(row[-1])) for row in rows], more


def _bare(row: tuple[object, ...]) -> Consignment:
    return consignment(row, Body(0))


def _slice(connection: sqlite3.Connection, after: str, before: str) -> tuple[str, str]:
    """Its last entry; the same again when there may be more behind it, or ""."""
    looked, until = 0, after
    for until, recipients in connection.execute(_ENTRIES, (after, before)):
        looked += 1 + recipients
        if looked >= SLICE:
            return until, until
    return until, ""
