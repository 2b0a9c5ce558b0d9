"""Whether an address is in C{directory.db} by itself, and who leads to it."""

import sqlite3
from collections.abc import Iterable

from smfd.model.directory import Domain, Refused

#: So many are named where there are more.
_NAMED = 5


def is_stored(connection: sqlite3.Connection, at: Domain, address: str) -> bool:
    """Whether it is a mailbox, an alias or, where lists count, listed."""
    (found,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM accounts WHERE address=:address)"
        " OR EXISTS (SELECT 1 FROM aliases WHERE address=:address)",
        {"address": address},
    ).fetchone()
    return bool(found) or is_listed(connection, at, address)


def is_listed(connection: sqlite3.Connection, at: Domain, address: str) -> bool:
    """Whether it is on the list of a domain that goes by one."""
    if at.verify != "list":
        return False
    row = connection.execute(
        "SELECT 1 FROM recipients WHERE address=?", (address,)
    ).fetchone()
    return row is not None


def check_unneeded(connection: sqlite3.Connection, address: str) -> None:
    """Refuse when mail for others goes there."""
    leading = connection.execute(
        "SELECT address FROM aliases WHERE instr(' '||targets||' ', ?)"
        " UNION ALL SELECT name FROM domains WHERE catch_all=?",
        (f" {address} ", address),
    )
    _refuse(address, leading, "Lead them elsewhere first.")


def check_unneeded_domain(connection: sqlite3.Connection, name: str) -> None:
    """Refuse when mail for other domains goes there."""
    leading = connection.execute(
        "SELECT address FROM aliases WHERE domain<>? AND instr(targets||' ', ?)"
        " UNION ALL SELECT name FROM domains"
        " WHERE name<>? AND instr(catch_all||' ', ?)",
        (name, f"@{name} ", name, f"@{name} "),
    )
    _refuse(name, leading, "Lead them elsewhere first, or force it.")


def _refuse(place: str, leading: Iterable[tuple[str]], advice: str) -> None:
    names = sorted(name for (name,) in leading)
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise Refused(
            "conflict",
            f"The mail of these goes to {place}: {', '.join(names[:_NAMED])}{more}.",
            advice,
        )
