"""Allow and block entries in C{directory.db}: added, removed, refused."""

import sqlite3

from attrs import evolve

from smfd.model.directory import ListEntry, Refused
from smfd.policy.lists import OPERATOR
from smfd.store import directory_rules as rules
from smfd.store.directory_rows import Doing, entry, hosted, mailbox, transaction


def add_entry(
    connection: sqlite3.Connection, doing: Doing, wanted: ListEntry, limit: int
) -> ListEntry:
    """
    Put an entry on a list; the same entry again replaces its note and end.

    @param wanted: its number does not matter.
    @param limit: how many entries a scope may have.
    """
    made = _checked(connection, doing, wanted)
    detail = f"{'allow' if made.allow else 'block'} {made.pattern}"
    with transaction(connection, doing, "list add", made.scope, detail):
        connection.execute(
            "INSERT INTO entries (scope, allow, pattern, locked, expires, note)"
            " VALUES (?,?,?,?,?,?) ON CONFLICT (scope, pattern, allow) DO UPDATE"
            " SET locked=excluded.locked, expires=excluded.expires,"
            " note=excluded.note",
            (
                made.scope,
                made.allow,
                made.pattern,
                made.locked,
                made.expires,
                made.note,
            ),
        )
        _check_room(connection, made.scope, limit)
        (number,) = connection.execute(
            "SELECT id FROM entries WHERE scope=? AND pattern=? AND allow=?",
            (made.scope, made.pattern, made.allow),
        ).fetchone()
    return evolve(made, id=number)


def remove_entry(
    connection: sqlite3.Connection, doing: Doing, number: int
) -> ListEntry:
    """Take an entry off its list."""
    found = entry(connection, number)
    if found is None:
        raise Refused("unknown", f"There is no list entry {number}.")
    detail = f"{'allow' if found.allow else 'block'} {found.pattern}"
    with transaction(connection, doing, "list remove", found.scope, detail):
        connection.execute("DELETE FROM entries WHERE id=?", (number,))
    return found


def _checked(
    connection: sqlite3.Connection, doing: Doing, wanted: ListEntry
) -> ListEntry:
    scope = rules.scope(wanted.scope)
    if wanted.locked and scope != OPERATOR:
        raise Refused("invalid", "Only the operator's own entries can be locked.")
    if wanted.expires is not None and wanted.expires <= doing.now:
        raise Refused("invalid", "The entry would have expired already.")
    if "@" in scope:
        mailbox(connection, scope)
    elif scope != OPERATOR:
        hosted(connection, scope)
    return evolve(
        wanted,
        scope=scope,
        pattern=str(rules.pattern(wanted.pattern)),
        note=rules.note(wanted.note),
    )


def _check_room(connection: sqlite3.Connection, scope: str, limit: int) -> None:
    (count,) = connection.execute(
        "SELECT count(*) FROM entries WHERE scope=?", (scope,)
    ).fetchone()
    if count > limit:
        raise Refused(
            "conflict",
            f"The list of {scope} is full: {limit} entries.",
            "Remove some, or write one entry for a whole domain.",
        )
