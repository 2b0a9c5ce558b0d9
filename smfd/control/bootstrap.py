"""
A new home's databases, made without a daemon.

Imports no Twisted: C{smfdctl init} must not wait for it.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from argon2 import PasswordHasher

from smfd.content.dkim_key import make_keys
from smfd.model.directory import ListEntry
from smfd.store import (
    directory_dkim,
    directory_entries,
    directory_rows,
    directory_rules,
)
from smfd.store.directory_known import known
from smfd.store.directory_rows import Doing
from smfd.store.directory_schema import writer

#: Who did it, in the audit.
ACTOR = "init"

_FOLDERS = ("mail", "quarantine", "spool", "run", "log")


def found(
    home: Path,
    hostname: str,
    domains: Sequence[str],
    users: Mapping[str, str],
    lists: Sequence[ListEntry] = (),
) -> None:
    """
    Make the folders and C{directory.db} of a home that exists.

    The ledger makes its own file when it first starts.

    @param hostname: our own name; hosted only when it is among C{domains}.
    @param users: address to password; their domains must be among C{domains}.
    @raise smfd.model.directory.Refused: what is asked for cannot be.
    """
    for name in _FOLDERS:
        (home / name).mkdir(mode=0o700, exist_ok=True)
    hasher = PasswordHasher()
    doing = Doing(ACTOR, time.time())
    with closing(writer(home / "directory.db")) as connection:
        for domain in dict.fromkeys(domains):
            made = directory_rows.add_domain(connection, doing, domain)
            pairs = (make_keys(), make_keys())
            directory_dkim.add(connection, doing, made.name, pairs)
        for user, password in users.items():
            hashed = hasher.hash(password) if password else ""
            name = directory_rules.address(user)[0]
            if known(connection, name, "") is None:
                directory_rows.add_account(connection, doing, name, hashed)
            else:
                # The postmaster came with the domain.
                directory_rows.set_password(connection, doing, name, hashed)
        for entry in lists:
            directory_entries.add_entry(connection, doing, entry, len(lists))
