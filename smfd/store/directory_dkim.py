"""The keys that mail of hosted domains is signed with, in C{directory.db}."""

import sqlite3
import time
from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred

from smfd.content.dkim_key import load_key
from smfd.model.directory import Refused
from smfd.model.dkim import ACTIVE, RETIRED, SPARE, DKIMKey, NewKey, SigningKey
from smfd.store import directory_rules as rules
from smfd.store.directory import Directory
from smfd.store.directory_pages import Page, Where
from smfd.store.directory_rows import Doing, hosted, transaction

#: Seconds after which a retired key is no longer shown.
FORGOTTEN = 90 * 86400.0

_KEY = "domain, selector, algorithm, record, state, created, activated, retired"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class DKIMKeys:
    """
    The keys of domains.

    @param cached: how many keys are remembered, over all domains.
    """

    def __init__(self, directory: Directory, cached: int = 20_000) -> None:
        self._directory = directory
        self._cache = directory.cache(cached)

    def signing(self, domain: str) -> Deferred[tuple[SigningKey, ...]]:
        """
        The keys that sign for a domain; none if it has none.

        @param domain: as it is stored.
        """
        return self._directory.recall(self._cache, domain, _signing, _weight)

    def page(
        self, domain: str = "", search: str = "", limit: int = 100, offset: int = 0
    ) -> Deferred[Page[DKIMKey]]:
        """Keys of a domain or of all, by domain and age."""
        return self._directory.ask(_page, domain, search, limit, offset)

    def keys(self, domain: str) -> Deferred[tuple[DKIMKey, ...]]:
        """All keys of a domain, the newest first; it must be hosted."""
        return self._directory.ask(keys, domain)

    def lacking(self, limit: int = 10) -> Deferred[Page[str]]:
        """Domains whose mail is not signed."""
        return self._directory.ask(_lacking, limit)

    def old(self, before: float, limit: int = 10) -> Deferred[Page[tuple[str, float]]]:
        """Domains with keys that sign since before a time, and since when."""
        return self._directory.ask(_old, before, limit)

    def domains(self, after: str, limit: int) -> Deferred[tuple[str, ...]]:
        """The next domains behind a name that have keys which sign, by name."""
        return self._directory.ask(_domains, after, limit)

    def add(
        self, domain: str, pairs: Sequence[Sequence[NewKey]], *, actor: str
    ) -> Deferred[tuple[DKIMKey, ...]]:
        """
        Give a domain what it lacks: keys that sign, and a spare one of each kind.

        @param pairs: those for the first, and those for the second.
        """
        return self._directory.act(actor, add, domain, pairs)

    def rotate(
        self,
        domain: str,
        seen: Sequence[DKIMKey],
        spare: Sequence[NewKey],
        *,
        actor: str,
    ) -> Deferred[tuple[DKIMKey, ...]]:
        """
        The spare keys sign from now on, and C{spare} are the spare ones.

        @param seen: those that are to sign: with others nothing is done.
        """
        return self._directory.act(actor, rotate, domain, seen, spare)

    def take(
        self, domain: str, selector: str, key: NewKey, *, actor: str
    ) -> Deferred[tuple[DKIMKey, ...]]:
        """A key from elsewhere signs from now on, in place of those of its kind."""
        return self._directory.act(actor, take, domain, selector, key)

    def retire(self, domain: str, selector: str, *, actor: str) -> Deferred[DKIMKey]:
        """A key signs no more, and can not again."""
        return self._directory.act(actor, retire, domain, selector)


def keys(connection: sqlite3.Connection, domain: str) -> tuple[DKIMKey, ...]:
    """All keys of a domain that must be hosted, the newest first."""
    return _keys(connection, hosted(connection, rules.domain_name(domain)).name)


def add(
    connection: sqlite3.Connection,
    doing: Doing,
    domain: str,
    pairs: Sequence[Sequence[NewKey]],
) -> tuple[DKIMKey, ...]:
    """See L{DKIMKeys.add}."""
    name = hosted(connection, rules.domain_name(domain)).name
    had = {(key.state, key.algorithm) for key in _keys(connection, name)}
    first, second = pairs
    signs = any(state == ACTIVE for state, _ in had)
    lacking = {
        ACTIVE: [] if signs else first,
        SPARE: [key for key in second if (SPARE, key.algorithm) not in had],
    }
    wanted = [state for state, keys in lacking.items() if keys]
    if not wanted:
        raise Refused(
            "conflict",
            f"{name} has keys, and spare ones.",
            "Change them with: dkim rotate.",
        )
    with transaction(connection, doing, "dkim add", name, " ".join(wanted)):
        for state in wanted:
            named = _named(connection, doing, name, lacking[state])
            _insert(connection, doing, name, state, named)
    return _keys(connection, name)


def rotate(
    connection: sqlite3.Connection,
    doing: Doing,
    domain: str,
    seen: Sequence[DKIMKey],
    spare: Sequence[NewKey],
) -> tuple[DKIMKey, ...]:
    """See L{DKIMKeys.rotate}."""
    name = hosted(connection, rules.domain_name(domain)).name
    had = _keys(connection, name)
    waiting = [key for key in had if key.state == SPARE]
    if not waiting:
        raise Refused(
            "conflict", f"{name} has no spare keys.", f"Say: dkim add {name}."
        )
    if {key.selector for key in waiting} != {key.selector for key in seen}:
        raise Refused("conflict", f"The spare keys of {name} are others by now.")
    said = " ".join(key.selector for key in waiting)
    with transaction(connection, doing, "dkim rotate", name, f"to {said}"):
        signed = [key for key in had if key.state == ACTIVE]
        _retire(connection, doing, name, signed)
        connection.execute(
            "UPDATE dkim_keys SET state=?, activated=? WHERE domain=? AND state=?",
            (ACTIVE, doing.now, name, SPARE),
        )
        connection.execute(
            "DELETE FROM dkim_keys WHERE domain=? AND retired<?",
            (name, doing.now - FORGOTTEN),
        )
        _insert(connection, doing, name, SPARE, _named(connection, doing, name, spare))
    return _keys(connection, name)


def retire(
    connection: sqlite3.Connection, doing: Doing, domain: str, selector: str
) -> DKIMKey:
    """See L{DKIMKeys.retire}."""
    name = hosted(connection, rules.domain_name(domain)).name
    found = {key.selector: key for key in _keys(connection, name)}.get(selector)
    if found is None:
        raise Refused(
            "unknown",
            f"{name} has no key {selector[:80]!r}.",
            f"dkim list {name} names them.",
        )
    if found.state == RETIRED:
        raise Refused("conflict", f"{found.name} is retired already.")
    with transaction(connection, doing, "dkim retire", name, selector):
        _retire(connection, doing, name, [found])
    return {key.selector: key for key in _keys(connection, name)}[selector]


def take(
    connection: sqlite3.Connection,
    doing: Doing,
    domain: str,
    selector: str,
    key: NewKey,
) -> tuple[DKIMKey, ...]:
    """See L{DKIMKeys.take}."""
    name = hosted(connection, rules.domain_name(domain)).name
    had = _keys(connection, name)
    if selector in {key.selector for key in had}:
        raise Refused(
            "conflict",
            f"{name} has, or had, a key {selector!r}.",
            f"dkim show {name} tells what became of it.",
        )
    replaced = [
        one for one in had if (one.state, one.algorithm) == (ACTIVE, key.algorithm)
    ]
    with transaction(connection, doing, "dkim import", name, selector):
        _retire(connection, doing, name, replaced)
        _insert(connection, doing, name, ACTIVE, {selector: key})
    return _keys(connection, name)


def _retire(
    connection: sqlite3.Connection, doing: Doing, domain: str, keys: Sequence[DKIMKey]
) -> None:
    # What is no longer needed cannot be stolen.
    connection.executemany(
        "UPDATE dkim_keys SET state=?, retired=?, private=''"
        " WHERE domain=? AND selector=?",
        [(RETIRED, doing.now, domain, key.selector) for key in keys],
    )


def _insert(
    connection: sqlite3.Connection,
    doing: Doing,
    domain: str,
    state: str,
    keys: Mapping[str, NewKey],
) -> None:
    """Keys by their selectors."""
    connection.executemany(
        "INSERT INTO dkim_keys VALUES (?,?,?,?,?,?,?,?,NULL)",
        [
            (
                domain,
                selector,
                key.algorithm,
                key.private,
                key.record,
                state,
                doing.now,
                doing.now if state == ACTIVE else None,
            )
            for selector, key in keys.items()
        ],
    )


def _named(
    connection: sqlite3.Connection, doing: Doing, domain: str, keys: Sequence[NewKey]
) -> dict[str, NewKey]:
    """By selectors that the domain has not had."""
    begin = _free(connection, doing, domain)
    return {f"{begin}-{key.algorithm}": key for key in keys}


def _free(connection: sqlite3.Connection, doing: Doing, domain: str) -> str:
    """What selectors of today may begin with: caches know older ones."""
    day = time.strftime("%Y%m%d", time.gmtime(doing.now))
    taken = {key.selector.partition("-")[0] for key in _keys(connection, domain)}
    for letter in _LETTERS:
        if day + letter not in taken:
            return day + letter
    raise Refused("conflict", f"{domain} has had enough keys for today.")


def _keys(connection: sqlite3.Connection, domain: str) -> tuple[DKIMKey, ...]:
    rows = connection.execute(
        f"SELECT {_KEY} FROM dkim_keys WHERE domain=?"
        " ORDER BY created DESC, selector DESC",
        (domain,),
    )
    return tuple(DKIMKey(*row) for row in rows)


def _signing(connection: sqlite3.Connection, domain: str) -> tuple[SigningKey, ...]:
    rows = connection.execute(
        "SELECT domain, selector, algorithm, private FROM dkim_keys"
        " WHERE domain=? AND state=? ORDER BY algorithm DESC",
        (domain, ACTIVE),
    )
    return tuple(
        SigningKey(name, selector, algorithm, load_key(private))
        for name, selector, algorithm, private in rows
    )


def _weight(found: tuple[SigningKey, ...]) -> int:
    return 1 + len(found)


def _page(
    connection: sqlite3.Connection, domain: str, search: str, limit: int, offset: int
) -> Page[DKIMKey]:
    where = Where().equal("domain", domain).containing("domain", search)
    order = "domain, created DESC, selector DESC"
    rows, total = where.page(connection, "dkim_keys", _KEY, order, limit, offset)
    return Page(tuple(DKIMKey(*row) for row in rows), total)


def _old(
    connection: sqlite3.Connection, before: float, limit: int
) -> Page[tuple[str, float]]:
    begun = "SELECT domain, min(activated) AS since FROM dkim_keys WHERE state='active'"
    where, table = Where().below("since", before), f"({begun} GROUP BY domain)"
    order = "since, domain"
    rows, total = where.page(connection, table, "domain, since", order, limit, 0)
    return Page(tuple(rows), total)


def _domains(connection: sqlite3.Connection, after: str, limit: int) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT DISTINCT domain FROM dkim_keys WHERE state=? AND domain>?"
        " ORDER BY domain LIMIT ?",
        (ACTIVE, after, limit),
    )
    return tuple(name for (name,) in rows)


def _lacking(connection: sqlite3.Connection, limit: int) -> Page[str]:
    none = "name NOT IN (SELECT domain FROM dkim_keys WHERE state='active')"
    where = Where().holding(none)
    rows, total = where.page(connection, "domains", "name", "name", limit, 0)
    return Page(tuple(name for (name,) in rows), total)
