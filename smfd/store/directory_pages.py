"""Pages of C{directory.db}: searchable, counted, never the whole table."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from smfd.model.directory import Account, Alias, Domain, ListEntry
from smfd.store.directory_rows import DOMAIN, alias_of, domain_of, entry_of

T = TypeVar("T")

#: However much is asked for, a page has no more.
LONGEST = 1000


@frozen
class Page(Generic[T]):
    """
    A page of a longer list.

    @ivar total: how many there are on all pages.
    """

    items: tuple[T, ...]
    total: int


@frozen
class Where:
    """Conditions that all hold, with their values."""

    terms: list[str] = field(factory=list)
    values: list[Any] = field(factory=list)

    def holding(self, term: str) -> "Where":
        """And this, which needs no value."""
        self.terms.append(term)
        return self

    def equal(self, column: str, value: str) -> "Where":
        """And this column is that; "" asks for nothing."""
        if value:
            self.terms.append(f"{column}=?")
            self.values.append(value)
        return self

    def containing(self, column: str, words: str) -> "Where":
        """And this column contains that, whatever its case; "" likewise."""
        if words:
            self.terms.append(f"instr({column}, ?)")
            self.values.append(words.lower())
        return self

    def below(self, column: str, value: float) -> "Where":
        """And this column is less than that."""
        self.terms.append(f"{column}<?")
        self.values.append(value)
        return self

    def page(
        self,
        connection: sqlite3.Connection,
        table: str,
        columns: str,
        order: str,
        limit: int,
        offset: int,
    ) -> tuple[Sequence[Any], int]:
        """The rows of a page, and how many rows there are in all."""
        where = f" WHERE {' AND '.join(self.terms)}" if self.terms else ""
        (total,) = connection.execute(
            f"SELECT count(*) FROM {table}{where}", self.values
        ).fetchone()
        rows = connection.execute(
            f"SELECT {columns} FROM {table}{where} ORDER BY {order} LIMIT ? OFFSET ?",
            [*self.values, max(0, min(limit, LONGEST)), max(0, offset)],
        ).fetchall()
        return rows, total


def domains(
    connection: sqlite3.Connection, search: str, limit: int, offset: int
) -> Page[Domain]:
    """Hosted domains whose name contains C{search}, by name."""
    rows, total = (
        Where()
        .containing("name", search)
        .page(
            connection,
            "domains",
            DOMAIN,
            "name",
            limit,
            offset,
        )
    )
    return Page(tuple(domain_of(row) for row in rows), total)


def accounts(
    connection: sqlite3.Connection, domain: str, search: str, limit: int, offset: int
) -> Page[Account]:
    """Mailboxes of a domain, or of all, by address."""
    rows, total = (
        Where()
        .equal("domain", domain)
        .containing("address", search)
        .page(
            connection,
            "accounts",
            "address, password, created",
            "address",
            limit,
            offset,
        )
    )
    return Page(tuple(Account(*row) for row in rows), total)


def aliases(
    connection: sqlite3.Connection,
    forward: bool,
    domain: str,
    search: str,
    limit: int,
    offset: int,
) -> Page[Alias]:
    """Aliases, or forwards, of a domain or of all, by address."""
    rows, total = (
        Where()
        .holding("forward=1" if forward else "forward=0")
        .equal("domain", domain)
        .containing("address || ' ' || targets", search)
        .page(
            connection,
            "aliases",
            "address, targets, keep, created",
            "address",
            limit,
            offset,
        )
    )
    return Page(tuple(alias_of(row) for row in rows), total)


def recipients(
    connection: sqlite3.Connection, domain: str, search: str, limit: int, offset: int
) -> Page[str]:
    """Listed addresses of a domain, or of all."""
    rows, total = (
        Where()
        .equal("domain", domain)
        .containing("address", search)
        .page(connection, "recipients", "address", "address", limit, offset)
    )
    return Page(tuple(address for (address,) in rows), total)


def risky(connection: sqlite3.Connection, limit: int) -> Page[Domain]:
    """Domains whose settings put something at risk, by name."""
    rows, total = (
        Where()
        .holding("(verify='none' OR catch_all<>'' OR NOT scan_outbound)")
        .page(connection, "domains", DOMAIN, "name", limit, 0)
    )
    return Page(tuple(domain_of(row) for row in rows), total)


def entries(
    connection: sqlite3.Connection,
    scope: str,
    pattern: str,
    search: str,
    limit: int,
    offset: int,
) -> Page[ListEntry]:
    """Entries of a scope, or of all, the newest first."""
    rows, total = (
        Where()
        .equal("scope", scope)
        .equal("pattern", pattern)
        .containing("lower(scope || ' ' || pattern || ' ' || note)", search)
        .page(
            connection,
            "entries",
            "id, scope, allow, pattern, locked, expires, note",
            "id DESC",
            limit,
            offset,
        )
    )
    return Page(tuple(entry_of(row) for row in rows), total)
