"""
The ledger's tables, and how its file is opened.

C{entries} holds only what is still due to somebody, or what its sender has to
be told of: a row goes when its last recipient is settled and its last notice
answered, and its body with it.  C{recipients} and C{records} stay
until their retention ends, and so does C{asked}: of what is held.
"""

import sqlite3
from pathlib import Path

from smfd.model.entry import site_of
from smfd.store.schema import Schema, WrongVersion

_TABLES = """
CREATE TABLE entries (
    id TEXT PRIMARY KEY,
    received REAL NOT NULL,
    sender TEXT NOT NULL,
    size INTEGER NOT NULL,
    path TEXT NOT NULL,
    cuts TEXT NOT NULL,
    top BLOB NOT NULL,
    body BLOB
);
CREATE INDEX entries_path ON entries (path) WHERE path <> '';
CREATE TABLE recipients (
    entry TEXT NOT NULL,
    number INTEGER NOT NULL,
    address TEXT NOT NULL,
    domain TEXT NOT NULL,
    destination TEXT NOT NULL,
    category TEXT NOT NULL,
    reason TEXT NOT NULL,
    score REAL,
    top BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try REAL NOT NULL DEFAULT 0,
    detail TEXT NOT NULL DEFAULT '',
    decided REAL,
    actor TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (entry, number)
) WITHOUT ROWID;
CREATE INDEX held ON recipients (entry, number) WHERE state = 'held';
CREATE INDEX held_domain ON recipients (domain, entry) WHERE state = 'held';
CREATE INDEX held_address ON recipients (address, entry) WHERE state = 'held';
CREATE TABLE records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    client TEXT NOT NULL,
    sender TEXT NOT NULL,
    subject TEXT NOT NULL,
    verdict TEXT NOT NULL,
    score REAL,
    size INTEGER NOT NULL,
    json TEXT NOT NULL
);
CREATE TABLE acts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX acts_subject ON acts (subject);
"""

#: What is due at once is in no index: it comes and goes too often.
_CRC = """
ALTER TABLE entries ADD COLUMN crc INTEGER;
CREATE INDEX corrupt ON recipients (entry, number) WHERE state = 'corrupt';
CREATE INDEX put_off ON recipients (next_try) WHERE state = 'due' AND next_try > 0;
"""

#: What goes to other servers is found by its site, the domain; what stays with
#: us has none, and is in no index while it is due at once.
_SITES = """
ALTER TABLE entries ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE entries ADD COLUMN envid TEXT NOT NULL DEFAULT '';
ALTER TABLE entries ADD COLUMN ret TEXT NOT NULL DEFAULT '';
ALTER TABLE entries ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE recipients ADD COLUMN site TEXT NOT NULL DEFAULT '';
ALTER TABLE recipients ADD COLUMN notify TEXT NOT NULL DEFAULT '';
ALTER TABLE recipients ADD COLUMN orcpt TEXT NOT NULL DEFAULT '';
ALTER TABLE recipients ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;
UPDATE recipients SET site = site_of(address)
    WHERE entry IN (SELECT id FROM entries) AND state = 'due'
    AND destination IN ('lmtp', 'relay', 'remote');
DROP INDEX put_off;
CREATE INDEX put_off ON recipients (next_try)
    WHERE state = 'due' AND site = '' AND next_try > 0;
CREATE INDEX far ON recipients (site, next_try, entry)
    WHERE state = 'due' AND site <> '';
CREATE INDEX suspended ON recipients (site, entry) WHERE state = 'suspended';
CREATE TABLE notices (
    entry TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    time REAL NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (entry, number, kind)
) WITHOUT ROWID;
CREATE TABLE sites (
    site TEXT PRIMARY KEY,
    held INTEGER NOT NULL DEFAULT 0,
    route TEXT NOT NULL DEFAULT '',
    next_try REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    why TEXT NOT NULL DEFAULT '',
    since REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""

#: What came with MAIL of what is held: the row of its entry is gone by then.
_ASKED = """
CREATE TABLE asked (
    entry TEXT PRIMARY KEY,
    envid TEXT NOT NULL,
    ret TEXT NOT NULL,
    kind TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO asked SELECT id, envid, ret, kind FROM entries
    WHERE envid || ret || kind <> ''
    AND id IN (SELECT entry FROM recipients WHERE state = 'held');
"""

#: Who was told something within the last hour.
_REPORTED = """
CREATE TABLE reported (sender TEXT NOT NULL, time REAL NOT NULL);
CREATE INDEX reported_to ON reported (sender, time);
CREATE INDEX reported_at ON reported (time);
"""

_SCHEMA = Schema(_TABLES, {1: _CRC, 2: _SITES, 3: _ASKED, 4: _REPORTED})
VERSION = _SCHEMA.version

#: What was damaged may have been mended: each start tries it once more.
_ONCE_MORE = "UPDATE recipients SET state = 'due', next_try = 0 WHERE state = 'corrupt'"


class LedgerTrouble(Exception):
    """The ledger cannot be read or written; what was asked is not done."""


def open_writer(path: Path) -> sqlite3.Connection:
    """
    Open the ledger for its one writer; make it when it is missing.

    @raise LedgerTrouble: it is damaged, or of a newer smfd.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise LedgerTrouble(f"{path}: {error}") from error
    except WrongVersion as error:
        connection.close()
        raise LedgerTrouble(str(error)) from error
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the ledger to read in it; it must be there already."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only = 1")
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    for pragma in (
        "page_size = 16384",
        "journal_mode = WAL",
        # A commit that returns is on the disk, whatever happens to the power.
        "synchronous = FULL",
        # Some distributions build SQLite with it on: a fifth slower.
        "secure_delete = OFF",
        "wal_autocheckpoint = 1000",
        "journal_size_limit = 67108864",
        "cache_size = -16384",
        "temp_store = MEMORY",
        "busy_timeout = 5000",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.create_function("site_of", 1, site_of, deterministic=True)
    _SCHEMA.prepare(connection, path)
    connection.execute(_ONCE_MORE)
