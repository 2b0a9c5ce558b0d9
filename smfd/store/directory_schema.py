"""The tables of C{directory.db}, and how it is opened."""

import sqlite3
from pathlib import Path

#: What C{PRAGMA user_version} says of a file that we can read.
VERSION = 1

_TABLES = """
CREATE TABLE domains (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    threshold REAL NOT NULL,
    allow_unauthenticated INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE accounts (
    address TEXT PRIMARY KEY,
    domain TEXT NOT NULL REFERENCES domains(name),
    password TEXT NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX accounts_of_domain ON accounts(domain, address);
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    allow INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    locked INTEGER NOT NULL,
    expires REAL,
    note TEXT NOT NULL,
    UNIQUE (scope, pattern, allow)
);
CREATE TABLE acts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX acts_on ON acts(subject, id);
CREATE TRIGGER acts_are_written_once BEFORE UPDATE ON acts
    BEGIN SELECT RAISE(ABORT, 'an act is written once'); END;
"""


class WrongVersion(Exception):
    """The file was made by another smfd, or is not a directory."""


def writer(path: Path) -> sqlite3.Connection:
    """
    Open the file for the one who writes; make it if there is none.

    @raise WrongVersion: when it is not ours to write.
    """
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    path.chmod(0o600)
    return connection


def reader(path: Path) -> sqlite3.Connection:
    """Open the file for somebody who only reads."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        check_same_thread=False,
        isolation_level=None,
    )
    connection.execute("PRAGMA query_only=ON")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not version and not tables:
        connection.executescript(
            f"BEGIN; {_TABLES} PRAGMA user_version={VERSION}; COMMIT;"
        )
    elif version != VERSION:
        raise WrongVersion(f"{path} has version {version}, this smfd reads {VERSION}")
