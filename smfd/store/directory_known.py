"""What C{directory.db} knows of one address: a mailbox, an alias, or no more."""

import sqlite3
from collections.abc import Sequence

from smfd.model.directory import Account, Alias, Domain, Known
from smfd.policy.address_book import candidates
from smfd.store.directory_rows import alias_of, domain
from smfd.store.directory_stored import is_listed

#: What all of this is read from.
TABLES = ("domains", "accounts", "aliases", "recipients")


def known(connection: sqlite3.Connection, address: str, delimiter: str) -> Known | None:
    """
    Who takes mail for an address in lower case; None: nobody.

    An exact address wins over one without its tag, and any over the catch-all.

    @param delimiter: what a tag begins with, or "" for no tags.
    """
    at = domain(connection, address.rpartition("@")[2])
    if at is None:
        return None
    for candidate in candidates(address, delimiter):
        found = _stored(connection, at, candidate)
        if found is not None:
            return found
    return _guessed(at, address)


def alias(connection: sqlite3.Connection, address: str) -> Alias | None:
    """Where that very address leads, if it leads anywhere."""
    row = connection.execute(
        "SELECT address, targets, keep, created FROM aliases WHERE address=?",
        (address,),
    ).fetchone()
    return alias_of(row) if row else None


def _stored(connection: sqlite3.Connection, at: Domain, address: str) -> Known | None:
    row = connection.execute(
        "SELECT address, password, created FROM accounts WHERE address=?", (address,)
    ).fetchone()
    account = Account(*row) if row else None
    leads = alias(connection, address)
    if leads is not None:
        near, far = _apart(connection, leads.targets)
        return Known(address, at, near, leads.keep, account, beyond=far)
    if account is not None or is_listed(connection, at, address):
        return Known(address, at, account=account)
    return None


def _apart(
    connection: sqlite3.Connection, targets: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses of domains of ours, and those of others."""
    names = {target.rpartition("@")[2] for target in targets}
    ours = {name for name in names if domain(connection, name) is not None}
    return (
        tuple(target for target in targets if target.rpartition("@")[2] in ours),
        tuple(target for target in targets if target.rpartition("@")[2] not in ours),
    )


def _guessed(at: Domain, address: str) -> Known | None:
    if not address.rpartition("@")[0]:
        return None
    if at.verify in ("callout", "none"):
        return Known(address, at, held=False)
    if at.catch_all and at.catch_all != address:
        return Known(address, at, (at.catch_all,), keep=False, held=False)
    return None
