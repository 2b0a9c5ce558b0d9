"""Who is meant by the other name in a trace field (S53)."""

import sqlite3
from pathlib import Path

from smfd.format.pseudonym import pseudonym
from smfd.store.secret import secret

#: The secret that accounts are named by, in the home.
KEY = "keys/trace"


def account_named(connection: sqlite3.Connection, home: Path, name: str) -> str:
    """
    The account of that L{pseudonym}, or "".

    All of them are gone through: a million takes a few seconds.
    """
    key = secret(home / KEY)
    for (address,) in connection.execute("SELECT address FROM accounts"):
        if pseudonym(key, address) == name:
            return str(address)
    return ""
