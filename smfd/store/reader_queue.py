"""What people ask of the queue, on a read-only connection."""

import sqlite3
from typing import Any

from smfd.model.entry import Key
from smfd.model.queue import Choice
from smfd.store.ids import new_id
from smfd.store.ledger_queue import condition
from smfd.store.reader_rows import LONGEST_PAGE

#: The ages, in seconds, that the queue's shape tells apart.
AGES = (300, 3600, 4 * 3600, 86400, 3 * 86400)

_PAGE = """
SELECT e.id, r.number, e.received, e.sender, e.account, e.size, r.address AS recipient,
    r.destination, r.site, r.state, r.attempts, r.next_try, r.detail, r.notify,
    coalesce(s.held, 0) AS held, coalesce(s.route, '') AS route,
    coalesce(s.next_try, 0) AS site_next_try, coalesce(s.why, '') AS site_why,
    coalesce(s.attempts, 0) AS site_attempts
FROM {tables} LEFT JOIN sites s ON s.site = r.site AND r.site <> ''
WHERE (e.id > :after_id OR (e.id = :after_id AND r.number > :after_number))
    AND e.id >= :after_id AND r.state {states} {where}
ORDER BY e.id, r.number LIMIT :limit
"""

#: From the rare to the common: a site's recipients are found in an index.
_OF_SITE = "recipients r CROSS JOIN entries e ON e.id = r.entry"
_OF_ALL = "entries e CROSS JOIN recipients r ON r.entry = e.id"

#: By way of the entries: they are few beside all recipients that ever were, and
#: to read their recipients in order is quicker than by an index, which lacks the
#: state and has each row looked up.
_SHAPE = """
SELECT q.*, coalesce(s.held, 0) AS held,
    coalesce(s.route, '') AS route, coalesce(s.next_try, 0) AS next_try,
    coalesce(s.attempts, 0) AS attempts, coalesce(s.why, '') AS why,
    coalesce(s.since, 0) AS since
FROM (SELECT r.site, count(*) AS n, sum(count(*)) OVER () AS due, {sums}
    FROM entries e CROSS JOIN recipients r ON r.entry = e.id
    WHERE r.state = 'due' AND r.site <> ''
    GROUP BY r.site ORDER BY n DESC, r.site LIMIT :limit)
    AS q LEFT JOIN sites s ON s.site = q.site
ORDER BY q.n DESC, q.site
"""

#: Who is tried first at a site.
_FIRST = """
SELECT next_try AS first_try, detail AS first_why FROM recipients
WHERE site = :site AND state = 'due' AND site <> '' ORDER BY next_try LIMIT 1
"""
_NOBODY = {"first_try": 0.0, "first_why": ""}

#: A site that nothing waits for may be well by now: nobody looks.
_TOTALS = """
SELECT (SELECT count(*) FROM recipients WHERE state = 'suspended') AS suspended,
    (SELECT count(*) FROM sites s WHERE s.attempts > 0 AND EXISTS
        (SELECT 1 FROM recipients r
        WHERE r.site = s.site AND r.state = 'due' AND r.site <> '')) AS down,
    (SELECT count(DISTINCT entry) FROM notices) AS notices
"""


def queue_page(
    connection: sqlite3.Connection,
    choice: Choice,
    after: Key = ("", 0),
    limit: int = 100,
) -> list[dict[str, Any]]:
    """
    Some of those who fit, the oldest first, one document for each recipient.

    @param after: C{id} and C{number} of the last one of the page before.
    """
    where, values = condition(choice)
    values |= {
        "after_id": after[0],
        "after_number": after[1],
        "limit": max(0, min(limit, LONGEST_PAGE)),
    }
    if choice.site and not choice.entry:
        # Each state has an index of its own.
        kinds = [(_OF_SITE, f"= '{state}' AND r.site <> ''") for state in choice.states]
    else:
        states = ", ".join(f"'{state}'" for state in choice.states)
        kinds = [(_OF_ALL, f"IN ({states})")]
    found: list[dict[str, Any]] = []
    for tables, states in kinds:
        sql = _PAGE.format(tables=tables, states=states, where=where)
        found += [dict(row) for row in connection.execute(sql, values)]
    found.sort(key=lambda row: (row["id"], row["number"]))
    return found[: values["limit"]]


def queue_count(connection: sqlite3.Connection, choice: Choice, most: int) -> int:
    """How many fit; C{most}, if there are so many or more."""
    where, values = condition(choice)
    of_site = choice.site and not choice.entry
    tables = f"{_OF_SITE} AND r.site <> ''" if of_site else _OF_ALL
    sql = " UNION ALL ".join(
        f"SELECT 1 FROM {tables} WHERE r.state = '{state}' {where}"
        for state in choice.states
    )
    found = connection.execute(
        f"SELECT count(*) FROM ({sql} LIMIT :most)", values | {"most": most}
    ).fetchone()
    return int(found[0])


def queue_shape(
    connection: sqlite3.Connection, now: float, limit: int = 100
) -> dict[str, Any]:
    """
    How much is due to which site, and how old it is.

    @return: C{{"due", "suspended", "down", "notices", "ages", "sites"}}: in
        C{ages} the bounds in seconds; each of C{sites}, the largest first, has
        C{"ages"}: how many are older than each bound, and C{"first_try"},
        C{"first_why"}: when who is tried there first is tried, and why not now.
    """
    names = [f"age{n}" for n in range(len(AGES))]
    sql = _SHAPE.format(
        sums=", ".join(f"sum(e.id < :{name}) AS {name}" for name in names)
    )
    # Names of entries begin with their time.
    bounds = {n: new_id(max(0, now - age)) for n, age in zip(names, AGES, strict=True)}
    most = max(1, min(limit, LONGEST_PAGE))
    sites, due = [], 0
    for row in connection.execute(sql, bounds | {"limit": most}):
        site = dict(row)
        due = site.pop("due")
        site["ages"] = [site.pop(name) for name in names]
        # Since the page was read he may have been sent to.
        first = connection.execute(_FIRST, site).fetchone()
        sites.append(site | (_NOBODY if first is None else dict(first)))
    totals = dict(connection.execute(_TOTALS).fetchone())
    return {"due": due, **totals, "ages": list(AGES), "sites": sites}
