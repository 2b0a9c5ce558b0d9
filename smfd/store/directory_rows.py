"""
What is read from, and written to, C{directory.db} by hand.

Plain functions on a connection: the daemon calls them in its threads, and
C{smfdctl init} without a daemon.  A write is one transaction with its act; it
raises L{Refused} and changes nothing, or returns when it is on the disk.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict, Unpack

from attrs import evolve, frozen

from smfd.model.directory import Account, Alias, Domain, ListEntry, Refused
from smfd.policy.route import parse_hop
from smfd.store import directory_rules as rules
from smfd.store.directory_stored import (
    check_unneeded,
    check_unneeded_domain,
    is_stored,
)
from smfd.store.policy_rows import check_unruled

#: The columns of a domain, as L{domain_of} reads them.
DOMAIN = (
    "name, kind, threshold, allow_unauthenticated, next_hop, tls, verify, catch_all,"
    " scan_outbound"
)

#: The actor when nobody asked for it: the server itself.
SMFD = "smfd"


@frozen
class Doing:
    """
    Who writes, and when.

    @ivar actor: C{uid:NAME}, an address, or L{SMFD}.
    @ivar now: seconds since the epoch.
    """

    actor: str
    now: float


class Changes(TypedDict, total=False):
    """
    What may be said of a domain; a threshold of None is the default's.

    C{next_hop} is written as L{parse_hop <smfd.policy.route.parse_hop>} reads it.
    """

    threshold: float | None
    allow_unauthenticated: bool
    kind: str
    next_hop: str
    tls: str
    verify: str
    catch_all: str
    scan_outbound: bool


@contextmanager
def transaction(
    connection: sqlite3.Connection, doing: Doing, act: str, subject: str, detail: str
) -> Iterator[None]:
    """All of it with its act in the audit, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute(
            "INSERT INTO acts (time, actor, act, subject, detail) VALUES (?,?,?,?,?)",
            (doing.now, doing.actor, act, subject, detail),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def note(
    connection: sqlite3.Connection, doing: Doing, act: str, subject: str, detail: str
) -> None:
    """What was done to something that is not in the directory."""
    with transaction(connection, doing, act, subject, detail):
        pass


def domain(connection: sqlite3.Connection, name: str) -> Domain | None:
    """The hosted domain of that stored name."""
    row = connection.execute(
        f"SELECT {DOMAIN} FROM domains WHERE name=?", (name,)
    ).fetchone()
    return domain_of(row) if row else None


def entries_of(connection: sqlite3.Connection, scope: str) -> tuple[ListEntry, ...]:
    """Every entry of a scope, expired ones too."""
    rows = connection.execute(
        "SELECT id, scope, allow, pattern, locked, expires, note FROM entries"
        " WHERE scope=? ORDER BY id",
        (scope,),
    )
    return tuple(entry_of(row) for row in rows)


def entry(connection: sqlite3.Connection, number: int) -> ListEntry | None:
    """One entry by its number."""
    row = connection.execute(
        "SELECT id, scope, allow, pattern, locked, expires, note FROM entries"
        " WHERE id=?",
        (number,),
    ).fetchone()
    return entry_of(row) if row else None


def add_domain(
    connection: sqlite3.Connection,
    doing: Doing,
    name: str,
    **changes: Unpack[Changes],
) -> Domain:
    """Host a domain; its postmaster has a mailbox from then on."""
    plain = Domain(rules.domain_name(name))
    made = rules.domain(plain, changes)
    with transaction(connection, doing, "domain add", made.name, _said(made)):
        try:
            connection.execute(
                f"INSERT INTO domains ({DOMAIN}) VALUES (?,?,?,?,?,?,?,?,?)",
                (made.name, *_values(made)),
            )
        except sqlite3.IntegrityError:
            raise Refused("conflict", f"{made.name} is hosted already.") from None
        # RFC 5321 §4.5.1: postmaster@ any domain we take mail for.
        connection.execute(
            "INSERT INTO accounts VALUES (?,?,?,?)",
            (f"{rules.POSTMASTER}@{made.name}", made.name, "", doing.now),
        )
        if made.catch_all:
            _check_catch_all(connection, made)
    return made


def set_domain(
    connection: sqlite3.Connection,
    doing: Doing,
    name: str,
    **changes: Unpack[Changes],
) -> Domain:
    """Change what is named."""
    found = rules.domain(hosted(connection, rules.domain_name(name)), changes)
    with transaction(connection, doing, "domain set", found.name, _said(found)):
        if changes.get("catch_all"):
            _check_catch_all(connection, found)
        connection.execute(
            "UPDATE domains SET kind=?, threshold=?, allow_unauthenticated=?,"
            " next_hop=?, tls=?, verify=?, catch_all=?, scan_outbound=? WHERE name=?",
            (*_values(found), found.name),
        )
    return found


def _check_catch_all(connection: sqlite3.Connection, wanted: Domain) -> None:
    address = wanted.catch_all
    at = hosted(connection, address.rpartition("@")[2])
    if at.verify in ("directory", "list") and not is_stored(connection, at, address):
        raise Refused("unknown", f"{address} does not exist.", "Add it with: user add.")


def _values(made: Domain) -> tuple[object, ...]:
    """What is stored of a domain, besides its name."""
    hop = made.next_hop
    return (
        made.kind,
        made.threshold,
        made.allow_unauthenticated,
        str(hop) if hop else "",
        hop.tls if hop else "opportunistic",
        made.verify,
        made.catch_all,
        made.scan_outbound,
    )


def remove_domain(
    connection: sqlite3.Connection, doing: Doing, name: str, force: bool
) -> Domain:
    """Host it no longer; with C{force} even if it has users."""
    found = hosted(connection, rules.domain_name(name))
    with transaction(connection, doing, "domain remove", found.name, ""):
        (users,) = connection.execute(
            "SELECT count(*) FROM accounts WHERE domain=? AND address<>?",
            (found.name, f"{rules.POSTMASTER}@{found.name}"),
        ).fetchone()
        if users and not force:
            raise Refused(
                "conflict",
                f"{found.name} has {users} user{'s' if users > 1 else ''}.",
                "Remove them first, or force it; their mail stays on the disk.",
            )
        if not force:
            check_unneeded_domain(connection, found.name)
            check_unruled(connection, found.name)
        connection.execute(
            "DELETE FROM entries WHERE scope=? OR scope IN"
            " (SELECT address FROM accounts WHERE domain=?)",
            (found.name, found.name),
        )
        connection.execute(
            "DELETE FROM group_members WHERE address GLOB ?", (f"*@{found.name}",)
        )
        for table in "aliases", "recipients", "accounts", "user_groups":
            connection.execute(f"DELETE FROM {table} WHERE domain=?", (found.name,))
        connection.execute("DELETE FROM domains WHERE name=?", (found.name,))
    return found


def add_account(
    connection: sqlite3.Connection, doing: Doing, address: str, password: str
) -> Account:
    """Make a mailbox of a hosted domain; C{password} is a hash or ""."""
    name, at = rules.address(address)
    hosted(connection, at)
    made = Account(name, password, doing.now)
    with transaction(connection, doing, "user add", name, ""):
        if connection.execute(
            "SELECT 1 FROM aliases WHERE address=?", (name,)
        ).fetchone():
            raise Refused(
                "conflict", f"{name} is an alias.", "Remove it with: alias remove."
            )
        try:
            connection.execute(
                "INSERT INTO accounts VALUES (?,?,?,?)",
                (name, at, password, doing.now),
            )
        except sqlite3.IntegrityError:
            raise Refused("conflict", f"{name} is a mailbox already.") from None
    return made


def remove_account(
    connection: sqlite3.Connection, doing: Doing, address: str
) -> Account:
    """Take no more mail for it; what is in the mailbox stays."""
    found = _mailbox(connection, address)
    local, _, at = found.address.rpartition("@")
    if local == rules.POSTMASTER:
        # RFC 5321 §4.5.1.
        raise Refused(
            "conflict",
            f"{found.address} stays as long as {at} is hosted: mail standards ask"
            " for it.",
        )
    check_unneeded(connection, found.address)
    check_unruled(connection, found.address)
    with transaction(connection, doing, "user remove", found.address, ""):
        connection.execute("DELETE FROM entries WHERE scope=?", (found.address,))
        connection.execute("DELETE FROM aliases WHERE address=?", (found.address,))
        # Whoever has the address next is nobody's member by that.
        connection.execute(
            "DELETE FROM group_members WHERE address=?", (found.address,)
        )
        connection.execute("DELETE FROM accounts WHERE address=?", (found.address,))
    return found


def set_password(
    connection: sqlite3.Connection,
    doing: Doing,
    address: str,
    password: str,
    revoke: bool = False,
) -> Account:
    """Replace the hash; "" shuts the mailbox.  See L{Directory.set_password}."""
    found = _mailbox(connection, address)
    detail = "app passwords revoked" if revoke else ""
    with transaction(connection, doing, "user password", found.address, detail):
        if revoke:
            connection.execute(
                "DELETE FROM app_passwords WHERE account=?", (found.address,)
            )
        connection.execute(
            "UPDATE accounts SET password=? WHERE address=?",
            (password, found.address),
        )
    return evolve(found, password=password)


def hosted(connection: sqlite3.Connection, name: str) -> Domain:
    """A domain that must be hosted, by its stored name."""
    found = domain(connection, name)
    if found is None:
        raise Refused(
            "unknown", f"{name} is not hosted here.", "Add it with: domain add."
        )
    return found


def mailbox(connection: sqlite3.Connection, address: str) -> Account:
    """A mailbox that must be there, by its stored address."""
    row = connection.execute(
        "SELECT address, password, created FROM accounts WHERE address=?", (address,)
    ).fetchone()
    if row is None:
        raise Refused(
            "unknown", f"There is no mailbox {address}.", "user list names them."
        )
    return Account(*row)


def _mailbox(connection: sqlite3.Connection, address: str) -> Account:
    return mailbox(connection, rules.address(address)[0])


def _said(domain: Domain) -> str:
    """What a domain is from now on, for the audit."""
    own = domain.threshold
    words = [
        "threshold=default" if own is None else f"threshold={own:g}",
        f"allow_unauthenticated={'yes' if domain.allow_unauthenticated else 'no'}",
        f"kind={domain.kind}",
        f"verify={domain.verify}",
    ]
    if domain.next_hop:
        words.append(f"next_hop={domain.next_hop} tls={domain.next_hop.tls}")
    if domain.catch_all:
        words.append(f"catch_all={domain.catch_all}")
    if not domain.scan_outbound:
        words.append("scan_outbound=False")
    return " ".join(words)


def domain_of(
    row: tuple[str, str, float | None, int, str, str, str, str, int],
) -> Domain:
    """A row of the table, as a value."""
    name, kind, threshold, unauthenticated, hop, tls, verify, catch_all, scan = row
    return Domain(
        name,
        kind,
        threshold,
        bool(unauthenticated),
        parse_hop(hop, tls) if hop else None,
        verify,
        catch_all,
        bool(scan),
    )


def alias_of(row: tuple[str, str, int, float]) -> Alias:
    """A row of the table, as a value."""
    address, targets, keep, created = row
    return Alias(address, tuple(targets.split()), bool(keep), created)


def entry_of(
    row: tuple[int, str, int, str, int, float | None, str],
) -> ListEntry:
    """A row of the table, as a value."""
    number, scope, allow, pattern, locked, expires, note = row
    return ListEntry(number, scope, bool(allow), pattern, bool(locked), expires, note)
