"""Who may write as whom, in C{directory.db}."""

import sqlite3

from twisted.internet.defer import Deferred

from smfd.model.directory import Refused
from smfd.model.grant import Grant, Identity
from smfd.store import directory_rules as rules
from smfd.store.directory import Directory
from smfd.store.directory_known import known
from smfd.store.directory_pages import Page, Where
from smfd.store.directory_rows import Doing, hosted, mailbox, transaction

#: The most grants of one account.
MOST = 1000

# His own; aliases that lead to him and nobody else, one behind the other too;
# grants.
_IDENTITIES = """
WITH RECURSIVE own(address) AS (
    SELECT address FROM accounts WHERE address=?1
    UNION
    SELECT aliases.address FROM own JOIN aliases
        ON targets=own.address AND instr(targets, ' ')=0 AND NOT forward
    LIMIT 10000
)
SELECT address, CASE address WHEN ?1 THEN 'own' ELSE 'alias' END FROM own
UNION ALL
SELECT address, 'grant' FROM grants
    WHERE account=?1 AND address NOT IN (SELECT address FROM own)
"""


class Grants:
    """
    The addresses that users may write as.

    @param cached: how many addresses are remembered, over all users.
    """

    def __init__(self, directory: Directory, cached: int = 100_000) -> None:
        self._directory = directory
        self._cache = directory.cache(cached, "accounts", "aliases", "grants")

    def identities(self, account: str) -> Deferred[frozenset[str]]:
        """
        Every address that counts as a user's; none if there is no such user.

        @param account: C{local@domain}, lower case.
        """
        return self._directory.recall(
            self._cache, account, _addresses, lambda found: 1 + len(found)
        )


def identities(connection: sqlite3.Connection, account: str) -> tuple[Identity, ...]:
    """The addresses that count as a user's, his own first, and why."""
    rows = connection.execute(_IDENTITIES, (account,))
    return tuple(Identity(*row) for row in rows)


def existing(connection: sqlite3.Connection, account: str) -> tuple[Identity, ...]:
    """The same of a user that must be there."""
    return identities(connection, _user(connection, account))


def add(
    connection: sqlite3.Connection, doing: Doing, account: str, address: str
) -> Grant:
    """Let a user write as an address; again changes nothing."""
    made = Grant(_user(connection, account), rules.address(address)[0], doing.now)
    _check_exists(connection, made.address)
    with transaction(
        connection, doing, "grant add", made.account, f"as {made.address}"
    ):
        held = {
            found.address: found.why for found in identities(connection, made.account)
        }
        if held.get(made.address, "grant") != "grant":
            raise Refused("conflict", f"{made.address} is {made.account}'s already.")
        if sum(why == "grant" for why in held.values()) >= MOST:
            raise Refused("conflict", f"{made.account} has {MOST} grants, the most.")
        connection.execute(
            "INSERT OR IGNORE INTO grants VALUES (?,?,?)",
            (made.account, made.address, made.created),
        )
    return made


def remove(
    connection: sqlite3.Connection, doing: Doing, account: str, address: str
) -> Grant:
    """Let a user write as an address no more."""
    gone = Grant(rules.address(account)[0], rules.address(address)[0])
    with transaction(
        connection, doing, "grant remove", gone.account, f"as {gone.address}"
    ):
        found = connection.execute(
            "DELETE FROM grants WHERE account=? AND address=?",
            (gone.account, gone.address),
        )
        if not found.rowcount:
            raise Refused("unknown", f"{gone.account} has no grant for {gone.address}.")
    return gone


def page(
    connection: sqlite3.Connection,
    account: str,
    address: str,
    search: str,
    limit: int,
    offset: int,
) -> Page[Grant]:
    """Grants of a user or of all, of an address or of all, by user."""
    rows, total = (
        Where()
        .equal("account", account and rules.address(account)[0])
        .equal("address", address and rules.address(address)[0])
        .containing("account || ' ' || address", search)
        .page(
            connection,
            "grants",
            "account, address, created",
            "account, address",
            limit,
            offset,
        )
    )
    return Page(tuple(Grant(*row) for row in rows), total)


def _addresses(connection: sqlite3.Connection, account: str) -> frozenset[str]:
    return frozenset(found.address for found in identities(connection, account))


def _user(connection: sqlite3.Connection, account: str) -> str:
    return mailbox(connection, rules.address(account)[0]).address


def _check_exists(connection: sqlite3.Connection, address: str) -> None:
    """
    Refuse addresses that are not ours to lend, or that nobody answers for.

    Where recipients are not known here it cannot be told.
    """
    hosted(connection, address.rpartition("@")[2])
    found = known(connection, address, "")
    if found is None or not (found.held or found.domain.verify in ("callout", "none")):
        raise Refused(
            "unknown",
            f"{address} does not exist.",
            "Answers should reach somebody: add it with user add or alias add.",
        )
