"""The allow and block lists in C{directory.db}."""

import sqlite3

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults, succeed

from smfd.model.directory import ListEntry, Refused
from smfd.policy.lists import OPERATOR, Book, book, scopes
from smfd.store import directory_rules as rules
from smfd.store.directory import Directory
from smfd.store.directory_cache import Cache
from smfd.store.directory_pages import Page, entries
from smfd.store.directory_rows import (
    Doing,
    entries_of,
    entry,
    hosted,
    mailbox,
    transaction,
)


class Lists:
    """
    What the operator, domains and users allow and block.

    @param most: how many entries one scope may have.
    @param cached: how many of all are remembered.
    """

    def __init__(
        self, directory: Directory, most: int = 10_000, cached: int = 30_000
    ) -> None:
        self._directory = directory
        self._most = most
        self._books: Cache[Book] = directory.cache(cached, "entries")

    def books(self, recipient: str) -> Deferred[tuple[Book, ...]]:
        """The lists that speak for a recipient, his own first, none empty."""
        wanted = scopes(recipient)
        held = [self._books.get(scope) for scope in wanted]
        known = [found[0] for found in held if found is not None]
        if len(known) == len(wanted):
            return succeed(tuple(found for found in known if found.pages))
        asked = [self._book(scope) for scope in wanted]
        return gatherResults(asked, consumeErrors=True).addCallback(
            lambda found: tuple(one for one in found if one.pages)
        )

    def page(
        self,
        scope: str = "",
        pattern: str = "",
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Deferred[Page[ListEntry]]:
        """Entries, expired ones too, the newest first."""
        return self._directory.ask(_page, scope, pattern, search, limit, offset)

    def add(self, wanted: ListEntry, *, actor: str) -> Deferred[ListEntry]:
        """
        Put an entry on a list; the same again replaces its note and end.

        @return: fires with the entry as it is stored, with its number.
        """
        return self._directory.act(actor, add_entry, wanted, self._most)

    def remove(self, number: int, *, actor: str) -> Deferred[ListEntry]:
        """Take an entry off its list; fires with what it was."""
        return self._directory.act(actor, remove_entry, number)

    def _book(self, scope: str) -> Deferred[Book]:
        return self._directory.recall(self._books, scope, _read, _weight)


def _read(connection: sqlite3.Connection, scope: str) -> Book:
    return book(entries_of(connection, scope))


def _weight(found: Book) -> int:
    return 1 + sum(len(page) for page in found.pages.values())


def _page(
    connection: sqlite3.Connection,
    scope: str,
    pattern: str,
    search: str,
    limit: int,
    offset: int,
) -> Page[ListEntry]:
    return entries(
        connection,
        rules.scope(scope) if scope else "",
        str(rules.pattern(pattern)) if pattern else "",
        search,
        limit,
        offset,
    )


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
        raise Refused(
            "unknown", f"There is no list entry {number}.", "list list names them."
        )
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
