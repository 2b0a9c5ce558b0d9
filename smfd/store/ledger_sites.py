"""
What goes to other servers, by the site that takes it, in an open transaction.

All of it is found in one index of what is due, and costs what is asked for and
not what else waits.
"""

import sqlite3
from collections.abc import Collection, Iterable

from attrs import frozen

from smfd.model.entry import Consignment, Key
from smfd.model.queue import Found, Owed, SiteState
from smfd.store.ledger_due import ROW, body_of, consignment
from smfd.store.ledger_rows import Row

#: Each step finds the next name in the index, however many have this one.
_OWED = """
WITH RECURSIVE next (site) AS (
    SELECT min(site) FROM recipients
    WHERE state = 'due' AND site <> '' AND site > :after
    UNION ALL
    SELECT (SELECT min(r.site) FROM recipients r
        WHERE r.state = 'due' AND r.site <> '' AND r.site > next.site)
    FROM next WHERE next.site IS NOT NULL LIMIT :limit)
SELECT n.site, coalesce(s.held, 0), coalesce(s.route, ''), coalesce(s.next_try, 0),
    coalesce(s.attempts, 0), coalesce(s.why, ''), coalesce(s.since, 0),
    (SELECT min(next_try) FROM recipients
     WHERE state = 'due' AND site <> '' AND site = n.site)
FROM next n LEFT JOIN sites s ON s.site = n.site WHERE n.site IS NOT NULL
"""

_COLUMNS = "site, held, route, next_try, attempts, why, since"

_KEYS = """
SELECT entry, number FROM recipients
WHERE site = ? AND state = 'due' AND site <> '' AND next_try <= ?
ORDER BY next_try, entry, number LIMIT ?
"""

_NEXT = """
SELECT min(next_try) FROM recipients
WHERE site = ? AND state = 'due' AND site <> '' AND next_try > ?
"""

_ONE = f"""
SELECT {ROW} FROM recipients r JOIN entries e ON e.id = r.entry
WHERE r.entry = ? AND r.number = ?
"""

_DOWN = """
INSERT INTO sites (site, next_try, attempts, why, since) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (site) DO UPDATE SET next_try = excluded.next_try,
    attempts = excluded.attempts, why = excluded.why, since = excluded.since
"""

#: What says nothing is not kept.
_WELL = (
    "DELETE FROM sites WHERE site = ? AND held = 0 AND route = '' AND attempts = 0"
    " AND next_try = 0"
)


@frozen
class Share:
    """
    How much of what is due to a site is wanted.

    @ivar skip: those that are in hand.
    @ivar limit: the most consignments.
    @ivar octets: the most of their bodies in memory; one body always fits.
    @ivar messages: the most entries that they are of.
    """

    site: str
    skip: Collection[Key]
    limit: int
    octets: int
    messages: int


def owed(connection: sqlite3.Connection, after: str, limit: int) -> list[Owed]:
    """The sites that something is due to, by name, behind one."""
    found = connection.execute(_OWED, {"after": after, "limit": limit})
    return [Owed(_state(row[:7]), row[7]) for row in found.fetchall()]


def states(connection: sqlite3.Connection, sites: Iterable[str]) -> list[SiteState]:
    """What is known of some sites."""
    found = []
    for site in sites:
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM sites WHERE site = ?", (site,)
        ).fetchone()
        found.append(_state(row) if row else SiteState(site))
    return found


def due_of(
    connection: sqlite3.Connection, home: str, now: float, share: Share
) -> Found:
    """What is due to a site now, the longest put off last."""
    site, skip, limit = share.site, share.skip, share.limit
    rows = connection.execute(_KEYS, (site, now, limit + len(skip) + 1)).fetchall()
    keys = [key for key in rows if key not in skip]
    found, seen = _consignments(connection, home, keys[:limit], share)
    (first,) = connection.execute(_NEXT, (site, now)).fetchone()
    return Found(found, len(keys) > seen, first)


def told(connection: sqlite3.Connection) -> list[SiteState]:
    """The sites that operators said something of."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM sites WHERE held <> 0 OR route <> ''"
    )
    return [_state(row) for row in found.fetchall()]


def hold_site(connection: sqlite3.Connection, site: str, held: bool) -> None:
    """Hold a site's mail back, or let it go."""
    connection.execute(
        "INSERT INTO sites (site, held) VALUES (?, ?)"
        " ON CONFLICT (site) DO UPDATE SET held = excluded.held",
        (site, int(held)),
    )
    connection.execute(_WELL, (site,))


def route_site(connection: sqlite3.Connection, site: str, to: str) -> None:
    """Send a site's mail elsewhere; "" ends it.  It is tried there at once."""
    connection.execute(
        "INSERT INTO sites (site, route) VALUES (?, ?)"
        " ON CONFLICT (site) DO UPDATE SET route = excluded.route",
        (site, to),
    )
    try_sites(connection, [site])
    connection.execute(_WELL, (site,))


def try_sites(connection: sqlite3.Connection, sites: Iterable[str]) -> None:
    """
    Forget that their servers were to be left alone for a while, and how long.

    Who was not there counts as such until he is: with one connection.
    """
    connection.executemany(
        "UPDATE sites SET next_try = 0, attempts = min(attempts, 1) WHERE site = ?",
        [(site,) for site in sites],
    )


def down_sites(connection: sqlite3.Connection) -> list[str]:
    """Those whose servers are left alone for a while."""
    found = connection.execute("SELECT site FROM sites WHERE next_try > 0")
    return [site for (site,) in found.fetchall()]


def note_site(connection: sqlite3.Connection, state: SiteState) -> None:
    """Keep how a site is; what an operator said of it stays."""
    connection.execute(
        _DOWN, (state.site, state.next_try, state.attempts, state.why, state.since)
    )
    connection.execute(_WELL, (state.site,))


def _consignments(
    connection: sqlite3.Connection,
    home: str,
    keys: list[Key],
    share: Share,
) -> tuple[list[Consignment], int]:
    """Those that fit, and how many were looked at."""
    found: list[Consignment] = []
    octets, messages = share.octets, share.messages
    for seen, key in enumerate(keys):
        row: Row | None = connection.execute(_ONE, key).fetchone()
        if row is None:
            continue
        if found and found[-1].entry_id == key[0]:
            body = found[-1].body
        elif found and (octets <= 0 or messages <= 0):
            return found, seen
        else:
            messages -= 1
            body = body_of(connection, home, row)
            octets -= len(body.data or b"")
        found.append(consignment(row, body))
    return found, len(keys)


def _state(row: Row) -> SiteState:
    site, held, *rest = row
    return SiteState(site, bool(held), *rest)
