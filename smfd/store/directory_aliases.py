"""Aliases, forwards and listed recipients in C{directory.db}."""

import sqlite3
from collections.abc import Sequence

from smfd.model.directory import Alias, Refused
from smfd.policy.address_book import Endless, Expansion
from smfd.store import directory_rules as rules
from smfd.store.directory_known import alias, known
from smfd.store.directory_rows import (
    Doing,
    domain,
    hosted,
    mailbox,
    transaction,
)
from smfd.store.directory_stored import check_unneeded

#: How many addresses one alias leads to, and how many are listed at a time.
MOST = 1000


def put_alias(
    connection: sqlite3.Connection, doing: Doing, address: str, targets: Sequence[str]
) -> Alias:
    """Make an address stand for others; again, it stands for these."""
    name, at = rules.address(address)
    hosted(connection, at)
    if _is_mailbox(connection, name):
        raise Refused(
            "conflict",
            f"{name} is a mailbox.",
            "Send its mail elsewhere with: forward add.",
        )
    made = Alias(name, _targets(connection, name, targets), False, doing.now)
    return _put(connection, doing, made, "alias add")


def put_forward(
    connection: sqlite3.Connection,
    doing: Doing,
    address: str,
    targets: Sequence[str],
    keep: bool,
) -> Alias:
    """Send a mailbox's mail elsewhere; again, it goes to these."""
    name = mailbox(connection, rules.address(address)[0]).address
    made = Alias(name, _targets(connection, name, targets), keep, doing.now)
    return _put(connection, doing, made, "forward add")


def remove_alias(
    connection: sqlite3.Connection, doing: Doing, address: str, forward: bool
) -> Alias:
    """An address leads nowhere any more; a mailbox keeps its mail again."""
    name = rules.address(address)[0]
    found = alias(connection, name)
    noun = "forward" if forward else "alias"
    if found is None or _is_mailbox(connection, name) != forward:
        raise Refused("unknown", f"There is no {noun} {name}.")
    if not forward:
        check_unneeded(connection, name)
    with transaction(connection, doing, f"{noun} remove", name, _said(found)):
        connection.execute("DELETE FROM aliases WHERE address=?", (name,))
    return found


def list_recipients(
    connection: sqlite3.Connection, doing: Doing, addresses: Sequence[str]
) -> tuple[str, ...]:
    """Addresses of a domain that is verified by list; again changes nothing."""
    names = dict(rules.address(text) for text in addresses)
    if not 0 < len(names) <= MOST:
        raise Refused("invalid", f"Name 1 to {MOST} addresses at a time.")
    for at in set(names.values()):
        if hosted(connection, at).verify != "list":
            raise Refused(
                "conflict",
                f"{at} is not verified by list.",
                f"Say: domain set {at} --verify list.",
            )
    said = f"{len(names)} recipients"
    with transaction(connection, doing, "recipient add", next(iter(names)), said):
        connection.executemany(
            "INSERT OR IGNORE INTO recipients VALUES (?,?)", names.items()
        )
    return tuple(names)


def unlist_recipient(connection: sqlite3.Connection, doing: Doing, address: str) -> str:
    """Take an address off the list of its domain."""
    name = rules.address(address)[0]
    with transaction(connection, doing, "recipient remove", name, ""):
        gone = connection.execute("DELETE FROM recipients WHERE address=?", (name,))
        if not gone.rowcount:
            raise Refused(
                "unknown",
                f"{name} is not listed.",
                "recipient list names those that are.",
            )
    return name


def _put(connection: sqlite3.Connection, doing: Doing, made: Alias, act: str) -> Alias:
    with transaction(connection, doing, act, made.address, _said(made)):
        connection.execute(
            "INSERT OR REPLACE INTO aliases VALUES (?,?,?,?,?,?)",
            (
                made.address,
                made.address.rpartition("@")[2],
                act == "forward add",
                " ".join(made.targets),
                made.keep,
                made.created,
            ),
        )
        _check_ends(connection, made)
    return made


def _targets(
    connection: sqlite3.Connection, source: str, targets: Sequence[str]
) -> tuple[str, ...]:
    def is_ours(name: str) -> bool:
        return domain(connection, name) is not None

    return rules.targets(source, targets, MOST, is_ours)


def _check_ends(connection: sqlite3.Connection, made: Alias) -> None:
    """Its mail ends somewhere, and nothing it leads to is unknown."""
    expansion = Expansion()
    try:
        expansion.follow(made.address)
        while (address := expansion.next()) is not None:
            expansion.tell(known(connection, address, ""))
        expansion.close()
    except Endless as why:
        raise Refused(
            "conflict", f"Mail for {made.address} would not end: {why}."
        ) from None
    if expansion.lost:
        raise Refused(
            "unknown", f"{expansion.lost[0]} does not exist.", "Add it with: user add."
        )


def _is_mailbox(connection: sqlite3.Connection, address: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM accounts WHERE address=?", (address,)
    ).fetchone()
    return row is not None


def _said(made: Alias) -> str:
    """Where it leads, for the audit; not all of a long list."""
    shown = " ".join(made.targets[:20])
    more = f" and {len(made.targets) - 20} more" if len(made.targets) > 20 else ""
    return f"to {shown}{more}{' keep' if made.keep else ''}"
