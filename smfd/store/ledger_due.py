"""What is still due, read in pages."""

import os
import sqlite3

from attrs import frozen

from smfd.model.entry import Consignment, Recipient
from smfd.model.transaction import Body
from smfd.store.ledger_rows import Row, asked_from, cuts_from

#: Entries on the outside (CROSS JOIN keeps the order): recipients are there long
#: after they are settled, and must not be gone through.
_DUE = """
SELECT e.id, e.size, e.path, e.crc, e.received, e.sender, e.cuts, e.top, e.account,
    e.envid, e.ret, e.kind, r.number, r.address, r.domain, r.notify, r.orcpt,
    r.destination, r.category, r.reason, r.score, r.top, r.attempts
FROM entries e CROSS JOIN recipients r ON r.entry = e.id
WHERE (e.id > :id OR (e.id = :id AND r.number > :number)) AND e.id >= :id
    AND r.state = 'due' AND (r.next_try <= :now OR r.next_try > :never)
ORDER BY e.id, r.number LIMIT :limit
"""


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

    after: tuple[str, int]
    limit: int
    octets: int = 16 * 1024 * 1024
    horizon: float = 7 * 86400.0


def due_page(
    connection: sqlite3.Connection, home: str, now: float, window: Window
) -> list[Consignment]:
    """Some of what is due now, ordered by entry and number."""
    found: list[Consignment] = []
    body, body_of, octets = Body(0), "", 0
    values = {
        "id": window.after[0],
        "number": window.after[1],
        "now": now,
        "never": now + window.horizon,
        "limit": window.limit,
    }
    for row in connection.execute(_DUE, values).fetchall():
        if row[0] != body_of:
            if found and octets > window.octets:
                break
            body, body_of = _body(connection, home, row), row[0]
            octets += len(body.data or b"")
        found.append(_consignment(row, body))
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


def _body(connection: sqlite3.Connection, home: str, row: Row) -> Body:
    entry_id, size, path, crc = row[:4]
    if path:
        return Body(size, path=os.path.join(home, path), crc=crc)
    (data,) = connection.execute(
        "SELECT body FROM entries WHERE id = ?", (entry_id,)
    ).fetchone()
    return Body(size, data, crc=crc)


def _consignment(row: Row, body: Body) -> Consignment:
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
