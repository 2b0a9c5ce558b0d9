"""What senders have still to be told, in an open transaction."""

import os
import sqlite3
from collections.abc import Sequence
from itertools import groupby

from smfd.model.notice import Notice, NoticeKey, Told
from smfd.store.ledger_rows import Row, asked_from, cuts_from

#: The most octets of a message's header that a notice has.
LARGEST_HEADER = 65_536

_WAITING = """
SELECT n.entry, n.number, r.address, n.kind, n.time, n.detail, r.notify, r.orcpt,
    r.destination
FROM notices n JOIN recipients r ON r.entry = n.entry AND r.number = n.number
WHERE n.entry IN (
    SELECT DISTINCT entry FROM notices WHERE entry > ? ORDER BY entry LIMIT ?)
ORDER BY n.entry, n.number, n.kind
"""

_ENTRY = """
SELECT received, sender, account, envid, ret, kind, top, cuts, path,
    substr(body, 1, ?)
FROM entries WHERE id = ?
"""


def waiting(
    connection: sqlite3.Connection, home: str, after: str, limit: int
) -> list[Notice]:
    """The notices of some messages, by entry, behind one."""
    found = connection.execute(_WAITING, (after, limit)).fetchall()
    notices = []
    for entry_id, rows in groupby(found, lambda row: row[0]):
        told = tuple(Told(*row[1:]) for row in rows)
        row = connection.execute(_ENTRY, (LARGEST_HEADER, entry_id)).fetchone()
        if row is not None:
            notices.append(_notice(entry_id, row, told, home))
    return notices


def answered(connection: sqlite3.Connection, keys: Sequence[NoticeKey]) -> None:
    """Forget notices that are said, or that nobody is to hear."""
    connection.executemany(
        "DELETE FROM notices WHERE entry = ? AND number = ? AND kind = ?", keys
    )


def _notice(entry_id: str, row: Row, told: tuple[Told, ...], home: str) -> Notice:
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
