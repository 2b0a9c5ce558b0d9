"""The tables of C{reputation.db}, and how it is opened."""

import sqlite3
from pathlib import Path

from smfd.store.schema import Schema

_TABLES = """
CREATE TABLE counts (
    day INTEGER NOT NULL,
    domain TEXT NOT NULL,
    account TEXT NOT NULL,
    provider TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    permanent INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (day, domain, account, provider, source, kind, permanent)
) WITHOUT ROWID;
CREATE TABLE samples (
    domain TEXT NOT NULL,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL,
    time REAL NOT NULL,
    host TEXT NOT NULL,
    said TEXT NOT NULL,
    advice TEXT NOT NULL
);
CREATE INDEX samples_of ON samples(provider, kind, domain, time);
CREATE INDEX samples_time ON samples(time);
CREATE TABLE suppressed (
    domain TEXT NOT NULL,
    recipient TEXT NOT NULL,
    times INTEGER NOT NULL,
    last REAL NOT NULL,
    ends REAL NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (domain, recipient)
) WITHOUT ROWID;
CREATE TABLE reports (
    id INTEGER PRIMARY KEY,
    domain TEXT NOT NULL,
    reporter TEXT NOT NULL,
    name TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    received REAL NOT NULL,
    policy TEXT NOT NULL,
    UNIQUE (domain, reporter, name)
);
CREATE INDEX reports_end ON reports(ends);
CREATE TABLE report_rows (
    report INTEGER NOT NULL REFERENCES reports(id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    number INTEGER NOT NULL,
    disposition TEXT NOT NULL,
    dkim INTEGER NOT NULL,
    spf INTEGER NOT NULL,
    author TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX report_rows_of ON report_rows(report);
"""

#: Version 1 believed whoever said that he wrote a report; version 2 told nobody what
#: came in his name, and version 3 read no reports on TLS.
_STEPS = {
    1: """
CREATE TABLE reports_2 (
    id INTEGER PRIMARY KEY,
    domain TEXT NOT NULL,
    reporter TEXT NOT NULL,
    sender TEXT NOT NULL,
    name TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    received REAL NOT NULL,
    policy TEXT NOT NULL,
    UNIQUE (domain, reporter, sender, name)
);
INSERT INTO reports_2
    SELECT id, domain, reporter, '', name, begins, ends, received, policy FROM reports;
DROP TABLE reports;
ALTER TABLE reports_2 RENAME TO reports;
CREATE INDEX reports_end ON reports(domain, ends);
CREATE TABLE letters (
    mailbox TEXT NOT NULL,
    stem TEXT NOT NULL,
    PRIMARY KEY (mailbox, stem)
) WITHOUT ROWID;
""",
    2: """
CREATE TABLE tally (
    day INTEGER NOT NULL,
    domain TEXT NOT NULL,
    source TEXT NOT NULL,
    disposition TEXT NOT NULL,
    spf TEXT NOT NULL,
    dkim TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (day, domain, source, disposition, spf, dkim)
) WITHOUT ROWID;
CREATE TABLE tally_through (through INTEGER NOT NULL);
""",
    3: """
CREATE TABLE tls_reports (
    id INTEGER PRIMARY KEY,
    domain TEXT NOT NULL,
    reporter TEXT NOT NULL,
    sender TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    received REAL NOT NULL,
    good INTEGER NOT NULL,
    bad INTEGER NOT NULL,
    UNIQUE (domain, reporter, sender, name, kind)
);
CREATE INDEX tls_reports_end ON tls_reports(domain, ends);
CREATE TABLE tls_faults (
    report INTEGER NOT NULL REFERENCES tls_reports(id) ON DELETE CASCADE,
    result TEXT NOT NULL,
    host TEXT NOT NULL,
    number INTEGER NOT NULL,
    why TEXT NOT NULL
);
CREATE INDEX tls_faults_of ON tls_faults(report);
""",
}

_SCHEMA = Schema(_TABLES, _STEPS)


#: Seconds that we wait for somebody else who writes: then it waits in memory.
_PATIENCE = 1.0


def connect(path: Path) -> sqlite3.Connection:
    """
    Open the file, or make it.

    @raise WrongVersion: it is of a newer smfd, or none of ours.
    @raise sqlite3.Error: it cannot be read, or not now.
    """
    connection = sqlite3.connect(
        path, _PATIENCE, check_same_thread=False, isolation_level=None
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # Before foreign keys count: a table that is made anew is gone for a moment.
        _SCHEMA.prepare(connection, path)
        connection.execute("PRAGMA foreign_keys=ON")
        path.chmod(0o600)
    except BaseException:
        connection.close()
        raise
    return connection
