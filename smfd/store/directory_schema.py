"""The tables of C{directory.db}, and how it is opened."""

import sqlite3
from pathlib import Path

from smfd.store.schema import Schema, WrongVersion

_DOMAINS = """
CREATE TABLE {name} (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    threshold REAL,
    allow_unauthenticated INTEGER NOT NULL
) WITHOUT ROWID;
"""

_TABLES = f"""
{_DOMAINS.format(name="domains")}
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


#: What makes a file of one version that of the next.  Version 1 wrote 5 for
#: everybody who had said nothing; version 2 had mailboxes only, version 3 no users
#: that send, and version 4 nothing to sign with.
_STEPS = {
    1: f"""
{_DOMAINS.format(name="domains_2")}
INSERT INTO domains_2
    SELECT name, kind, nullif(threshold, 5.0), allow_unauthenticated FROM domains;
DROP TABLE domains;
ALTER TABLE domains_2 RENAME TO domains;
""",
    2: """
ALTER TABLE domains ADD COLUMN next_hop TEXT NOT NULL DEFAULT '';
ALTER TABLE domains ADD COLUMN tls TEXT NOT NULL DEFAULT 'opportunistic';
ALTER TABLE domains ADD COLUMN verify TEXT NOT NULL DEFAULT 'directory';
ALTER TABLE domains ADD COLUMN catch_all TEXT NOT NULL DEFAULT '';
CREATE TABLE aliases (
    address TEXT PRIMARY KEY,
    domain TEXT NOT NULL REFERENCES domains(name),
    forward INTEGER NOT NULL,
    targets TEXT NOT NULL,
    keep INTEGER NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX aliases_of_domain ON aliases(domain, address);
CREATE TABLE recipients (
    address TEXT PRIMARY KEY,
    domain TEXT NOT NULL REFERENCES domains(name)
) WITHOUT ROWID;
CREATE INDEX recipients_of_domain ON recipients(domain, address);
""",
    3: """
ALTER TABLE domains ADD COLUMN scan_outbound INTEGER NOT NULL DEFAULT 1;
CREATE TABLE app_passwords (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL REFERENCES accounts(address) ON DELETE CASCADE,
    name TEXT NOT NULL,
    password TEXT NOT NULL,
    services TEXT NOT NULL,
    networks TEXT NOT NULL,
    created REAL NOT NULL,
    used REAL,
    UNIQUE (account, name)
);
CREATE TABLE grants (
    account TEXT NOT NULL REFERENCES accounts(address) ON DELETE CASCADE,
    address TEXT NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (account, address)
) WITHOUT ROWID;
CREATE INDEX grants_of_address ON grants(address, account);
CREATE INDEX aliases_of_one ON aliases(targets) WHERE instr(targets, ' ')=0;
CREATE TRIGGER account_is_lent_no_more AFTER DELETE ON accounts
    BEGIN DELETE FROM grants WHERE address=old.address; END;
CREATE TRIGGER alias_is_lent_no_more AFTER DELETE ON aliases WHEN NOT old.forward
    BEGIN DELETE FROM grants WHERE address=old.address; END;
CREATE TRIGGER recipient_is_lent_no_more AFTER DELETE ON recipients
    BEGIN DELETE FROM grants WHERE address=old.address; END;
CREATE TRIGGER domain_is_lent_no_more AFTER DELETE ON domains
    BEGIN DELETE FROM grants WHERE substr(address, instr(address, '@')+1)=old.name; END;
CREATE TABLE user_groups (
    name TEXT PRIMARY KEY,
    domain TEXT NOT NULL REFERENCES domains(name),
    note TEXT NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX user_groups_of_domain ON user_groups(domain, name);
CREATE TABLE group_members (
    name TEXT NOT NULL REFERENCES user_groups(name) ON DELETE CASCADE,
    address TEXT NOT NULL,
    PRIMARY KEY (name, address)
) WITHOUT ROWID;
CREATE INDEX groups_of_member ON group_members(address, name);
CREATE TABLE policies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    position INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE,
    rule TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE INDEX policies_in_order ON policies(position, id);
CREATE TABLE limits (
    scope TEXT PRIMARY KEY,
    limits TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE holds (
    account TEXT PRIMARY KEY REFERENCES accounts(address) ON DELETE CASCADE,
    since REAL NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER limits_of_account AFTER DELETE ON accounts
    BEGIN DELETE FROM limits WHERE scope = old.address; END;
CREATE TRIGGER limits_of_domain AFTER DELETE ON domains
    BEGIN DELETE FROM limits WHERE scope = old.name; END;
CREATE TRIGGER limits_of_group AFTER DELETE ON user_groups
    BEGIN DELETE FROM limits WHERE scope = 'group:' || old.name; END;
""",
    4: """
CREATE TABLE dkim_keys (
    domain TEXT NOT NULL REFERENCES domains(name) ON DELETE CASCADE,
    selector TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    private TEXT NOT NULL,
    record TEXT NOT NULL,
    state TEXT NOT NULL,
    created REAL NOT NULL,
    activated REAL,
    retired REAL,
    PRIMARY KEY (domain, selector)
) WITHOUT ROWID;
""",
}


_SCHEMA = Schema(_TABLES, _STEPS, first=2)
VERSION = _SCHEMA.version


def writer(path: Path) -> sqlite3.Connection:
    """
    Open the file for the one who writes; make it if there is none.

    @raise WrongVersion: when it is not ours to write.
    """
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        # A key that is retired is not to be found in the file either.
        connection.execute("PRAGMA secure_delete=ON")
        # Before foreign keys count: a table that is made anew is gone for a moment.
        _SCHEMA.prepare(connection, path)
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise WrongVersion(f"{path}: {error}") from error
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
