"""What senders have still to be told, in an open transaction."""

import os
import sqlite3
from collections.abc import Sequence

from smfd.model.notice import Notice, NoticeKey, Told
from smfd.store.ledger_rows import Row, asked_from, cuts_from

#: The most octets of a message's header that a notice has.
LARGEST_HEADER = 65_536

#: The most that is said of a message at once, and on a page.
NAMED = 1000

#: Seconds for which it is known who was told something.
REMEMBERED = 3600.0

_WAITING = "SELECT DISTINCT entry FROM notices WHERE entry > ? ORDER BY entry LIMIT ?"

_TOLD = """
SELECT n.number, r.address, n.kind, n.time, n.detail, r.notify, r.orcpt,
    r.destination
FROM notices n JOIN recipients r ON r.entry = n.entry AND r.number = n.number
WHERE n.entry = ? ORDER BY n.number, n.kind LIMIT ?
"""

#: Who was never tried has no next try.
#: Whose site is left alone or held back is not tried either.
_TRYING = """
SELECT EXISTS (SELECT 1 FROM recipients r
    WHERE entry = :entry AND state = 'due' AND next_try <= :now AND NOT EXISTS (
        SELECT 1 FROM notices n WHERE n.entry = r.entry AND n.number = r.number)
    AND NOT EXISTS (SELECT 1 FROM sites s WHERE r.site <> ''
        AND s.site IN (r.site, '*') AND (s.held OR s.next_try > :now)))
"""

_ENTRY = """
SELECT received, sender, account, envid, ret, kind, top, cuts, path,
    substr(body, 1, ?)
FROM entries WHERE id = ?
"""


def waiting(
    connection: sqlite3.Connection, home: str, now: float, after: str, limit: int
) -> list[Notice]:
    """The notices of some messages, by entry, behind one."""
    notices: list[Notice] = []
    named = 0
    for (entry_id,) in connection.execute(_WAITING, (after, limit)).fetchall():
        rows = connection.execute(_TOLD, (entry_id, NAMED)).fetchall()
        told = tuple(Told(*row) for row in rows)
        row = connection.execute(_ENTRY, (LARGEST_HEADER, entry_id)).fetchone()
        if row is None or not told:
            continue
        asked = {"entry": entry_id, "now": now}
        (trying,) = connection.execute(_TRYING, asked).fetchone()
        notices.append(_notice(entry_id, row, told, home, bool(trying)))
        named += len(told)
        if named >= NAMED:
            break
    return notices


def reported(connection: sqlite3.Connection, entry_id: str, now: float) -> None:
    """The sender of a message is told something of it."""
    connection.execute(
        "DELETE FROM reported WHERE time < ? OR time > ?",
        (now - REMEMBERED, now + REMEMBERED),
    )
    found = connection.execute(
        "SELECT sender FROM entries WHERE id = ?", (entry_id,)
    ).fetchone()
    if found is not None:
        connection.execute(
            "INSERT INTO reported VALUES (?, ?)", (found[0].lower(), now)
        )


def reported_to(
    connection: sqlite3.Connection, sender: str, now: float, most: int
) -> list[float]:
    """
    When somebody was told something within the last hour; the last times.

    @param sender: in small letters.
    """
    found = connection.execute(
        "SELECT time FROM reported WHERE sender = ? AND time > ? AND time <= ?"
        " ORDER BY time DESC LIMIT ?",
        (sender, now - REMEMBERED, now, most),
    )
    return [time for (time,) in found]


def answered(connection: sqlite3.Connection, keys: Sequence[NoticeKey]) -> None:
    """Forget notices that are said, or that nobody is to hear."""
    connection.executemany(
        "DELETE FROM notices WHERE entry = ? AND number = ? AND kind = ?", keys
    )


def _notice(
    entry_id: str, row: Row, told: tuple[Told, ...], home: str, trying: bool
) -> Notice:
    received, sender, account, *asked, top, cuts, path, start = row
    start = (_start(os.path.join(home, path)) if path else start) or b""
    wanted = asked_from(*asked)
    if not account:
        # Our Received may name the mailbox behind an alias; a stranger sent it
        # without.
        top = b""
    return Notice(
        entry_id,
        received,
        sender,
        _header(top, start, cuts_from(cuts)),
        told,
        account,
        wanted,
        _rest(start) if wanted.ret == "FULL" else None,
        trying,
        len(told) == NAMED,
    )


def _start(path: str) -> bytes:
    """The first octets of a file; what cannot be read is told without them."""
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST_HEADER)
    except OSError:
        return b""


def _rest(start: bytes) -> bytes | None:
    """What follows the empty line; None when not all of it is there."""
    empty = 0 if start.startswith(b"\r\n") else start.find(b"\r\n\r\n") + 2
    if empty == 1 or len(start) >= LARGEST_HEADER:
        return None
    return start[empty + 2 :]


def _header(top: bytes, start: bytes, cuts: Sequence[tuple[int, int]]) -> bytes:
    """The header as it is delivered, whole lines of it."""
    end = 0 if start.startswith(b"\r\n") else start.find(b"\r\n\r\n") + 2
    if end == 1:
        end = start.rfind(b"\r\n") + 2 if b"\r\n" in start else 0
    kept, at = [top], 0
    for cut, until in cuts:
        kept.append(start[at : min(cut, end)])
        at = until
    kept.append(start[at:end])
    whole = b"".join(kept)
    if len(whole) <= LARGEST_HEADER:
        return whole
    return whole[: whole.rfind(b"\r\n", 0, LARGEST_HEADER) + 2]
