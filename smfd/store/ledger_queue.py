"""
What operators do to the queue, in an open transaction, a slice at a time.

A slice is so much that no commit waits for long; whoever asks goes on behind
it until there is no more.
"""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from smfd.model.entry import Key
from smfd.model.queue import Choice

#: Recipients, or entries looked at, in one slice.
SLICE = 1000

#: Behind the last recipient of any entry.
_LAST = 1 << 31

_START = ("", 0)


@frozen
class Change:
    """
    What is done to recipients.

    @ivar sql: sets their columns.
    @ivar states: who may be changed; a changed one is not chosen again.
    @ivar also: another condition on the row C{r}.
    @ivar notice: whether the senders are told that it failed.
    @ivar ends: they are settled by it.
    """

    sql: str
    states: tuple[str, ...]
    also: str = ""
    notice: bool = False
    ends: bool = False


#: Not to be tried until somebody says so.
SUSPEND = Change("state = 'suspended'", ("due",))
#: To be tried at once.
RESUME = Change("state = 'due', next_try = 0", ("suspended",))
RETRY = Change("next_try = 0", ("due",), "r.next_try > 0")
#: Given up, and the sender is told.
FAIL = Change(
    "state = 'failed', detail = :why, decided = :now, actor = :actor, top = x''",
    ("due", "suspended"),
    notice=True,
    ends=True,
)
#: Gone without a word.
DROP = Change(
    "state = 'deleted', decided = :now, actor = :actor, top = x''",
    ("due", "suspended"),
    ends=True,
)

_BY_SITE = """
SELECT r.entry, r.number FROM recipients r JOIN entries e ON e.id = r.entry
WHERE r.state = '{state}' AND r.site = :site AND r.site <> '' {where} LIMIT :limit
"""

_BY_ENTRY = """
SELECT r.entry, r.number FROM entries e CROSS JOIN recipients r ON r.entry = e.id
WHERE (e.id > :id OR (e.id = :id AND r.number > :number)) AND e.id >= :id
    AND e.id <= :until AND r.state IN ({states}) {where}
ORDER BY e.id, r.number LIMIT :limit
"""

_SITES = """
SELECT DISTINCT r.site FROM entries e CROSS JOIN recipients r ON r.entry = e.id
WHERE e.id > :id AND e.id <= :until AND r.state = 'due' AND r.site <> '' {where}
"""

_UNTIL = "SELECT id FROM entries WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"

#: To whom nothing was promised, and who asked for nothing, nothing is said.
_SENDER = """
SELECT 1 FROM recipients r JOIN entries e ON e.id = r.entry
WHERE r.entry = :entry AND r.number = :number
    AND e.sender <> '' AND e.account <> ''
    AND (r.notify = '' OR r.notify LIKE '%FAILURE%')
"""

_NOTICE = """
INSERT OR IGNORE INTO notices (entry, number, kind, time, detail)
VALUES (:entry, :number, 'failed', :now, :why)
"""


def condition(choice: Choice) -> tuple[str, dict[str, Any]]:
    """What a choice says of rows C{e} and C{r}, and its values."""
    sql, values = "", dict[str, Any]()
    for column, value in (
        ("e.id", choice.entry),
        ("r.site", choice.site),
        ("e.sender", choice.sender),
        ("r.address", choice.recipient),
        ("e.account", choice.account),
    ):
        if value:
            name = column.replace(".", "_")
            sql += f" AND {column} = :{name}"
            values[name] = "" if value == "<>" else value
    if choice.before:
        sql += " AND e.id < :before"
        values["before"] = choice.before
    if choice.spared:
        sql += " AND e.account NOT IN (SELECT value FROM json_each(:spared))"
        values["spared"] = json.dumps(choice.spared)
    return sql, values


def chosen(
    connection: sqlite3.Connection, choice: Choice, change: Change, after: Key
) -> tuple[list[Key], Key | None]:
    """A slice of those who are meant, and behind whom to go on."""
    states = [state for state in change.states if state in choice.states]
    where, values = condition(choice)
    if change.also:
        where += f" AND {change.also}"
    if choice.site and not choice.entry:
        return _of_site(connection, states, where, values | {"site": choice.site})
    return _walk(connection, states, where, values, (choice.entry, after))


def sites_of(
    connection: sqlite3.Connection, choice: Choice, after: str
) -> tuple[list[str], str]:
    """The sites of a slice of the chosen, and the entry to go on behind, or ""."""
    where, values = condition(choice)
    until = connection.execute(_UNTIL, (after, SLICE)).fetchone()
    values |= {"id": after, "until": until[0] if until else "~"}
    found = connection.execute(_SITES.format(where=where), values)
    return [site for (site,) in found.fetchall()], until[0] if until else ""


def apply(
    connection: sqlite3.Connection,
    change: Change,
    keys: Sequence[Key],
    values: dict[str, Any],
) -> list[str]:
    """
    Change them.

    @param values: C{now}, C{why} and C{actor}, as far as the change has them.
    @return: the site of each who was changed.
    """
    sites: list[tuple[str]] = []
    states = ", ".join(f"'{state}'" for state in change.states)
    for entry, number in keys:
        row = values | {"entry": entry, "number": number}
        if change.notice:
            _notice(connection, row)
        sites += connection.execute(
            f"UPDATE recipients SET {change.sql} WHERE entry = :entry"
            f" AND number = :number AND state IN ({states}) RETURNING site",
            row,
        ).fetchall()
    return [site for (site,) in sites]


def _notice(connection: sqlite3.Connection, row: dict[str, Any]) -> None:
    """The sender is to hear of it, if he is one of our users."""
    if connection.execute(_SENDER, row).fetchone():
        connection.execute(_NOTICE, row)


def _of_site(
    connection: sqlite3.Connection,
    states: Sequence[str],
    where: str,
    values: dict[str, Any],
) -> tuple[list[Key], Key | None]:
    """Who is changed is not found again: there is no place to go on behind."""
    found: list[Key] = []
    for state in states:
        found += connection.execute(
            _BY_SITE.format(state=state, where=where),
            values | {"limit": SLICE - len(found)},
        ).fetchall()
    return found, _START if len(found) == SLICE else None


def _walk(
    connection: sqlite3.Connection,
    states: Sequence[str],
    where: str,
    values: dict[str, Any],
    place: tuple[str, Key],
) -> tuple[list[Key], Key | None]:
    entry, after = place
    if entry:
        after, until = max(after, (entry, 0)), (entry,)
    else:
        until = connection.execute(_UNTIL, (after[0], SLICE)).fetchone()
    names = ", ".join(f"'{state}'" for state in states)
    values |= {"id": after[0], "number": after[1], "limit": SLICE}
    found: list[Key] = connection.execute(
        _BY_ENTRY.format(states=names, where=where),
        values | {"until": until[0] if until else "~"},
    ).fetchall()
    if len(found) == SLICE:
        return found, found[-1]
    return found, (until[0], _LAST) if until and not entry else None
