"""What is still due, read in pages."""

import os
import sqlite3
from collections.abc import Iterable

from attrs import frozen

from smfd.model.entry import Consignment, Key, Recipient
from smfd.model.transaction import Body
from smfd.store.ledger_rows import Row, asked_from, cuts_from

#: What a consignment is made of.
ROW = """
    e.id, e.size, e.path, e.crc, e.received, e.sender, e.cuts, e.top, e.account,
    e.envid, e.ret, e.kind, r.number, r.address, r.domain, r.notify, r.orcpt,
    r.destination, r.category, r.reason, r.score, r.top, r.attempts
"""

#: Entries on the outside (CROSS JOIN keeps the order): recipients are there long
#: after they are settled, and must not be gone through.
_DUE = f"""
SELECT {ROW}
FROM entries e CROSS JOIN recipients r ON r.entry = e.id
WHERE (e.id > :id OR (e.id = :id AND r.number > :number)) AND e.id >= :id
    AND r.state = 'due' AND (r.next_try <= :now OR r.next_try > :never)
ORDER BY e.id, r.number LIMIT :limit
"""

#: The same, of what stays with us, as far as an entry.
_NEAR = f"""
SELECT {ROW}
FROM entries e CROSS JOIN recipients r ON r.entry = e.id
WHERE (e.id > :id OR (e.id = :id AND r.number > :number)) AND e.id >= :id
    AND e.id <= :until AND r.state = 'due' AND r.site = ''
    AND (r.next_try <= :now OR r.next_try > :never)
ORDER BY e.id, r.number LIMIT :limit
"""

_UNTIL = "SELECT id FROM entries WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"

#: What stays with us and was put off until now.
_PUT_OFF = f"""
SELECT {ROW}, r.next_try FROM recipients r JOIN entries e ON e.id = r.entry
WHERE r.state = 'due' AND r.site = '' AND r.next_try > 0 AND r.next_try <= :now
    AND (r.next_try, r.entry, r.number) > (:next_try, :id, :number)
ORDER BY r.next_try, r.entry, r.number LIMIT :limit
"""

#: Entries looked at in one transaction: what goes elsewhere is passed by.
SPAN = 2000

#: Octets of bodies in one page.
OCTETS = 16 * 1024 * 1024

#: Behind the last recipient of any entry.
_LAST = 1 << 31

#: Behind what was put off: its time, entry and number.
Mark = tuple[float, str, int]


@frozen
class Window:
    """
    Where to look for what is due.

    @ivar after: entry and number of the last one seen.
    @ivar limit: the most consignments.
    @ivar octets: the most octets of bodies in memory; one body always fits.
    @ivar horizon: seconds; who is to be tried later than this was put off by
        a clock that has since been set back, and is due now.
    """

    after: Key
    limit: int
    octets: int = OCTETS
    horizon: float = 7 * 86400.0

    def values(self, now: float) -> dict[str, object]:
        """As the statements have them."""
        return {
            "id": self.after[0],
            "number": self.after[1],
            "now": now,
            "never": now + self.horizon,
            "limit": self.limit,
        }


def due_page(
    connection: sqlite3.Connection, home: str, now: float, window: Window
) -> list[Consignment]:
    """Some of what is due now, ordered by entry and number."""
    rows = connection.execute(_DUE, window.values(now)).fetchall()
    return _fitting(connection, home, rows, window.octets)


def near_page(
    connection: sqlite3.Connection, home: str, now: float, window: Window
) -> tuple[list[Consignment], Key | None]:
    """
    The same of what stays with us.

    @return: some of it, and behind which entry and number to go on; None when
        there is no more.
    """
    until = connection.execute(_UNTIL, (window.after[0], SPAN)).fetchone()
    values = window.values(now) | {"until": until[0] if until else "~"}
    rows = connection.execute(_NEAR, values).fetchall()
    found = _fitting(connection, home, rows, window.octets)
    if len(found) < len(rows) or len(rows) == window.limit:
        return found, (found[-1].entry_id, found[-1].recipient.number)
    return found, (until[0], _LAST) if until else None


def put_off_page(
    connection: sqlite3.Connection, home: str, now: float, after: Mark, limit: int
) -> tuple[list[Consignment], Mark | None]:
    """
    What stays with us, was put off, and is to be tried again now.

    @return: some of it, and the mark to go on behind; None when there is no
        more.
    """
    names = ("next_try", "id", "number")
    values = dict(zip(names, after, strict=True)) | {"now": now, "limit": limit}
    rows = connection.execute(_PUT_OFF, values).fetchall()
    found = _fitting(connection, home, [row[:-1] for row in rows], OCTETS)
    if len(found) < len(rows) or len(rows) == limit:
        last = found[-1]
        mark = rows[len(found) - 1][-1], last.entry_id, last.recipient.number
        return found, mark
    return found, None


def _fitting(
    connection: sqlite3.Connection, home: str, rows: Iterable[Row], most: int
) -> list[Consignment]:
    """As many as have room in memory."""
    found: list[Consignment] = []
    body, entry, octets = Body(0), "", 0
    for row in rows:
        if row[0] != entry:
            if found and octets > most:
                break
            body, entry = body_of(connection, home, row), row[0]
            octets += len(body.data or b"")
        found.append(consignment(row, body))
    return found


def body_paths(connection: sqlite3.Connection) -> set[str]:
    """Every file that a row names, relative to the home."""
    found = connection.execute("SELECT path FROM entries WHERE path <> ''")
    return {path for (path,) in found}


def next_try(connection: sqlite3.Connection, now: float) -> float | None:
    """When the first of what stays with us and is put off is to be tried."""
    found: float | None = connection.execute(
        "SELECT min(next_try) FROM recipients"
        " WHERE state = 'due' AND site = '' AND next_try > 0 AND next_try > ?",
        (now,),
    ).fetchone()[0]
    return found


def next_far(connection: sqlite3.Connection, now: float) -> float | None:
    """The same of what goes to other servers."""
    found: float | None = connection.execute(
        "SELECT min(next_try) FROM recipients"
        " WHERE state = 'due' AND site <> '' AND next_try > ?",
        (now,),
    ).fetchone()[0]
    return found


def first_try(connection: sqlite3.Connection, now: float) -> float | None:
    """The earlier of both."""
    both = next_try(connection, now), next_far(connection, now)
    return min((found for found in both if found is not None), default=None)


def body_of(connection: sqlite3.Connection, home: str, row: Row) -> Body:
    """The body of a row's entry; one in a file is named and not read."""
    entry_id, size, path, crc = row[:4]
    if path:
        return Body(size, path=os.path.join(home, path), crc=crc)
    (data,) = connection.execute(
        "SELECT body FROM entries WHERE id = ?", (entry_id,)
    ).fetchone()
    return Body(size, data, crc=crc)


def consignment(row: Row, body: Body) -> Consignment:
    """What a row says, with its body."""
    entry_id, received, sender, cuts, top, account, *asked = row[0], *row[4:12]
    number, address, keeper, notify, orcpt, *how, attempts = row[12:]
    recipient = Recipient(
        number, address, *how, keeper=keeper, notify=notify, orcpt=orcpt
    )
    # It may have been tried once more than was noted: power fails in between.
    tried = attempts + 1
    return Consignment(
        entry_id,
        received,
        sender,
        body,
        top,
        cuts_from(cuts),
        recipient,
        tried,
        account,
        asked_from(*asked),
    )
