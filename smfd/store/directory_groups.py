"""Groups of users in C{directory.db} (S52), and which of them nothing protects."""

import sqlite3
from collections.abc import Iterable, Sequence

from attrs import evolve
from twisted.internet.defer import Deferred

from smfd.model.directory import Refused
from smfd.model.rule import Group
from smfd.policy.rule import group_names, protected
from smfd.store import directory_rules as rules
from smfd.store.directory import Directory
from smfd.store.directory_known import known
from smfd.store.directory_pages import Page, Where
from smfd.store.directory_rows import Doing, hosted, transaction
from smfd.store.policy_rows import check, stored

#: How many members a group may have, and how many come or go at a time.
MOST = 10_000
AT_ONCE = 1_000

_COLUMNS = (
    "name, (SELECT count(*) FROM group_members m WHERE m.name=user_groups.name),"
    " note, created"
)


class Groups:
    """
    Groups of users, each of one domain; their members may be of others.

    @param cached: addresses whose groups are remembered.
    """

    def __init__(self, directory: Directory, cached: int = 20_000) -> None:
        self._directory = directory
        self._of = directory.cache(cached, "group_members")

    def of(self, address: str) -> Deferred[tuple[str, ...]]:
        """The groups an address is a member of."""
        return self._directory.recall(self._of, address.lower(), groups_of)

    def page(
        self, domain: str = "", search: str = "", limit: int = 100, offset: int = 0
    ) -> Deferred[Page[Group]]:
        """Groups of a domain, or of all, by name."""
        return self._directory.ask(page, domain, search, limit, offset)

    def show(self, name: str) -> Deferred[Group]:
        """One group."""
        return self._directory.ask(show, name)

    def members(
        self, name: str, limit: int = 100, offset: int = 0
    ) -> Deferred[Page[str]]:
        """Its members, by address."""
        return self._directory.ask(members_page, name, limit, offset)

    def rules(self, name: str) -> Deferred[tuple[str, ...]]:
        """The names of the rules that speak of a group."""
        return self._directory.ask(speaking, name)

    def unprotected(self, limit: int = 100, offset: int = 0) -> Deferred[Page[Group]]:
        """Groups that everybody may write to (S54): no rule keeps anybody back."""
        return self._directory.ask(unprotected, limit, offset)

    def add(
        self, name: str, addresses: Sequence[str] = (), note: str = "", *, actor: str
    ) -> Deferred[Group]:
        """Make a group."""
        return self._directory.act(actor, add, name, addresses, note)

    def join(
        self, name: str, addresses: Sequence[str], *, actor: str
    ) -> Deferred[Group]:
        """Make these members; those that are already stay so."""
        return self._directory.act(actor, join, name, addresses)

    def leave(
        self, name: str, addresses: Sequence[str], *, actor: str
    ) -> Deferred[Group]:
        """Make these members no longer."""
        return self._directory.act(actor, leave, name, addresses)

    def remove(self, name: str, *, actor: str) -> Deferred[Group]:
        """Unmake a group; refused while a rule speaks of it."""
        return self._directory.act(actor, remove, name)


def groups_of(connection: sqlite3.Connection, address: str) -> tuple[str, ...]:
    """The groups an address, in lower case, is a member of."""
    rows = connection.execute(
        "SELECT name FROM group_members WHERE address=? ORDER BY name", (address,)
    )
    return tuple(name for (name,) in rows)


def page(
    connection: sqlite3.Connection, domain: str, search: str, limit: int, offset: int
) -> Page[Group]:
    """Groups of a domain, or of all, by name."""
    where = Where().equal("domain", domain.lower()).containing("name||note", search)
    return _page(connection, where, limit, offset)


def unprotected(connection: sqlite3.Connection, limit: int, offset: int) -> Page[Group]:
    """Groups that no rule keeps anybody from writing to, by name."""
    safe = sorted(protected(stored(connection)))
    marks = ",".join("?" * len(safe))
    where = Where([f"name NOT IN ({marks})"], list(safe))
    return _page(connection, where, limit, offset)


def show(connection: sqlite3.Connection, name: str) -> Group:
    """A group that must be there."""
    return _existing(connection, rules.address(name)[0])


def members_page(
    connection: sqlite3.Connection, name: str, limit: int, offset: int
) -> Page[str]:
    """Members of a group that must be there, by address."""
    found = show(connection, name)
    rows, total = (
        Where()
        .equal("name", found.name)
        .page(connection, "group_members", "address", "address", limit, offset)
    )
    return Page(tuple(address for (address,) in rows), total)


def speaking(connection: sqlite3.Connection, name: str) -> tuple[str, ...]:
    """The names of the rules that speak of a group."""
    return tuple(
        rule.name for rule in stored(connection) if name in group_names((rule,))
    )


def add(
    connection: sqlite3.Connection,
    doing: Doing,
    name: str,
    addresses: Sequence[str],
    note: str,
) -> Group:
    """Make a group."""
    made, domain = rules.address(name)
    hosted(connection, domain)
    joining = _checked(connection, addresses)
    with transaction(connection, doing, "group add", made, _said(joining)):
        try:
            connection.execute(
                "INSERT INTO user_groups VALUES (?,?,?,?)",
                (made, domain, rules.note(note), doing.now),
            )
        except sqlite3.IntegrityError:
            raise Refused("conflict", f"There is a group {made} already.") from None
        _join(connection, made, joining)
    return Group(made, len(joining), note, doing.now)


def join(
    connection: sqlite3.Connection, doing: Doing, name: str, addresses: Sequence[str]
) -> Group:
    """More members."""
    found = show(connection, name)
    joining = _checked(connection, addresses)
    with transaction(connection, doing, "group join", found.name, _said(joining)):
        _join(connection, found.name, joining)
        return _existing(connection, found.name)


def leave(
    connection: sqlite3.Connection, doing: Doing, name: str, addresses: Sequence[str]
) -> Group:
    """Fewer members; refused when a rule would lock everybody out then."""
    found = show(connection, name)
    leaving = _addresses(addresses)
    with transaction(connection, doing, "group leave", found.name, _said(leaving)):
        for address in leaving:
            gone = connection.execute(
                "DELETE FROM group_members WHERE name=? AND address=?",
                (found.name, address),
            )
            if not gone.rowcount:
                raise Refused("unknown", f"{address} is no member of {found.name}.")
        check(connection, stored(connection))
        return _existing(connection, found.name)


def remove(connection: sqlite3.Connection, doing: Doing, name: str) -> Group:
    """Unmake a group that no rule speaks of."""
    found = show(connection, name)
    with transaction(connection, doing, "group remove", found.name, ""):
        needing = speaking(connection, found.name)
        if needing:
            raise Refused(
                "conflict",
                f"Rules speak of {found.name}: {', '.join(needing[:5])}.",
                "Change them first: policy edit.",
            )
        connection.execute("DELETE FROM user_groups WHERE name=?", (found.name,))
    return evolve(found, members=0)


def _page(
    connection: sqlite3.Connection, where: Where, limit: int, offset: int
) -> Page[Group]:
    rows, total = where.page(connection, "user_groups", _COLUMNS, "name", limit, offset)
    return Page(tuple(Group(*row) for row in rows), total)


def _existing(connection: sqlite3.Connection, name: str) -> Group:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM user_groups WHERE name=?", (name,)
    ).fetchone()
    if row is None:
        raise Refused(
            "unknown", f"There is no group {name}.", "Make it with: group add."
        )
    return Group(*row)


def _addresses(addresses: Sequence[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(rules.address(text)[0] for text in addresses))
    if len(found) > AT_ONCE:
        raise Refused("invalid", f"Name at most {AT_ONCE} addresses at a time.")
    return found


def _checked(
    connection: sqlite3.Connection, addresses: Sequence[str]
) -> tuple[str, ...]:
    """Addresses that mail is taken for here."""
    found = _addresses(addresses)
    for address in found:
        hosted(connection, address.rpartition("@")[2])
        taken = known(connection, address, "")
        if taken is None:
            raise Refused(
                "unknown", f"{address} does not exist.", "Add it with: user add."
            )
    return found


def _join(connection: sqlite3.Connection, name: str, addresses: Iterable[str]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO group_members VALUES (?,?)",
        [(name, address) for address in addresses],
    )
    (count,) = connection.execute(
        "SELECT count(*) FROM group_members WHERE name=?", (name,)
    ).fetchone()
    if count > MOST:
        raise Refused("conflict", f"A group has at most {MOST} members.")


def _said(addresses: Sequence[str]) -> str:
    """Who comes or goes, for the audit; not all of a long list."""
    more = f" and {len(addresses) - 20} more" if len(addresses) > 20 else ""
    return " ".join(addresses[:20]) + more
