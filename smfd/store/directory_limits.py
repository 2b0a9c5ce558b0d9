"""
What single accounts, groups and domains may send, in C{directory.db}.

A scope is an address, a domain, or C{group:NAME}.  Each says what it wants
said; the rest is said by the next: account, groups, domain, settings.
"""

import json
import sqlite3
from collections.abc import Mapping

from attrs import frozen
from twisted.internet.defer import Deferred

from smfd.model.directory import Refused
from smfd.model.quota import LIMITS, Allowance, allowance, most_generous
from smfd.store import directory_rules as rules
from smfd.store.directory import Directory
from smfd.store.directory_cache import Cache
from smfd.store.directory_rows import Doing, hosted, mailbox, transaction

#: What a scope of a group begins with.
GROUP = "group:"

_MOST = 2**40

Said = Mapping[str, int]


def said(connection: sqlite3.Connection, scope: str) -> dict[str, int]:
    """What a scope says, and nothing else."""
    row = connection.execute(
        "SELECT limits FROM limits WHERE scope=?", (scope,)
    ).fetchone()
    return _known(row[0]) if row else {}


def of_account(connection: sqlite3.Connection, account: str) -> tuple[Said, ...]:
    """What is said of an account: by its domain, its groups, itself."""
    rows = connection.execute(
        "SELECT l.limits FROM group_members g JOIN limits l"
        " ON l.scope = ? || g.name WHERE g.address = ?",
        (GROUP, account),
    ).fetchall()
    groups = most_generous(_known(limits) for (limits,) in rows)
    domain = account.rpartition("@")[2]
    return said(connection, domain), groups, said(connection, account)


def checked(connection: sqlite3.Connection, scope: str) -> str:
    """A scope as it is stored; it must exist."""
    if scope.lower().startswith(GROUP):
        name = rules.address(scope[len(GROUP) :])[0]
        if not connection.execute(
            "SELECT 1 FROM user_groups WHERE name=?", (name,)
        ).fetchone():
            raise Refused(
                "unknown", f"There is no group {name}.", "Make it with: group add."
            )
        return GROUP + name
    if "@" in scope:
        return mailbox(connection, rules.address(scope)[0]).address
    return hosted(connection, rules.domain_name(scope)).name


def set_limits(
    connection: sqlite3.Connection,
    doing: Doing,
    scope: str,
    changes: Mapping[str, int],
    inherit: tuple[str, ...] = (),
) -> tuple[str, dict[str, int]]:
    """
    Say something of a scope, and no more what is in C{inherit}.

    @return: the scope as it is stored, and all that it says now.
    """
    name = checked(connection, scope)
    for limit in (*changes, *inherit):
        if limit not in LIMITS:
            known = ", ".join(LIMITS)
            raise Refused("invalid", f"There is no limit {limit!r}.", f"Say: {known}.")
    for limit, most in changes.items():
        if not 0 <= most <= _MOST:
            raise Refused("invalid", f"{limit} is a number from 0 (no limit) on.")
    detail = [f"{limit}={most}" for limit, most in changes.items()]
    detail += [f"{limit}=inherited" for limit in inherit]
    with transaction(connection, doing, "limits set", name, " ".join(detail)):
        now = {**said(connection, name), **changes}
        now = {limit: most for limit, most in now.items() if limit not in inherit}
        if now:
            connection.execute(
                "INSERT OR REPLACE INTO limits VALUES (?,?)", (name, json.dumps(now))
            )
        else:
            connection.execute("DELETE FROM limits WHERE scope=?", (name,))
    return name, now


def shown(connection: sqlite3.Connection, scope: str) -> tuple[str, dict[str, int]]:
    """A scope as it is stored, and what it says itself."""
    name = checked(connection, scope)
    return name, said(connection, name)


@frozen
class Allowances:
    """
    What accounts may send.

    @ivar default: what the settings say.
    @ivar cached: accounts that are remembered.
    """

    directory: Directory
    default: Allowance
    cached: Cache[Allowance]

    @classmethod
    def of(
        cls, directory: Directory, default: Allowance, cached: int = 20_000
    ) -> "Allowances":
        """Those of a directory."""
        return cls(
            directory, default, directory.cache(cached, "limits", "group_members")
        )

    def allowance(self, account: str) -> Deferred[Allowance]:
        """What an account may send, all considered."""
        return self.directory.recall(self.cached, account.lower(), self._read)

    def said(self, scope: str) -> Deferred[tuple[str, dict[str, int]]]:
        """What a scope says itself; refused when there is no such thing."""
        return self.directory.ask(shown, scope)

    def set_limits(
        self,
        scope: str,
        changes: Mapping[str, int],
        inherit: tuple[str, ...] = (),
        *,
        actor: str,
    ) -> Deferred[tuple[str, dict[str, int]]]:
        """Say something of a scope; fires with all that it says."""
        return self.directory.act(actor, set_limits, scope, changes, inherit)

    def _read(self, connection: sqlite3.Connection, account: str) -> Allowance:
        return allowance(self.default, of_account(connection, account))


def _known(text: str) -> dict[str, int]:
    """What is stored, without what an older or newer smfd called by another name."""
    return {name: most for name, most in json.loads(text).items() if name in LIMITS}
