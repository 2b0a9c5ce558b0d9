"""
What others think of us, in C{reputation.db}: one file, one thread.

None of it is needed to take or to send mail.  So a file that cannot be read is
put aside, and a new one is begun.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from smfd.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")

#: The file in the home.
FILE = "reputation.db"

_VERSION = 4

#: Reports that are kept of one domain, and in all; the oldest go.
OF_DOMAIN = 5_000
OF_ALL = 50_000

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
    sender TEXT NOT NULL,
    name TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    received REAL NOT NULL,
    policy TEXT NOT NULL,
    UNIQUE (domain, reporter, sender, name)
);
CREATE INDEX reports_end ON reports(domain, ends);
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
CREATE TABLE letters (
    mailbox TEXT NOT NULL,
    stem TEXT NOT NULL,
    PRIMARY KEY (mailbox, stem)
) WITHOUT ROWID;
"""


class ReputationFile(Service):
    """The file, and the thread that reads and writes it."""

    name = "reputation"
    _log = Logger()

    def __init__(self, path: Path, reactor: IReactorFromThreads) -> None:
        """
        @param path: C{reputation.db}; made when there is none.
        """
        self._path = path
        self._database = Database(partial(connect, path), reactor, 1, "reputation")

    def startService(self) -> None:
        """Open the file, or begin a new one."""
        try:
            connect(self._path).close()
        except sqlite3.DatabaseError as trouble:
            self._put_aside(trouble)
            connect(self._path).close()
        self._database.start()
        super().startService()

    def _put_aside(self, trouble: Exception) -> None:
        self._log.error(
            "{path} cannot be read ({why}): it is put aside, and a new one begins",
            path=str(self._path),
            why=str(trouble),
        )
        for end in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + end)
            if part.exists():
                part.replace(self._path.with_name(f"{self._path.name}.broken{end}"))

    def stopService(self) -> None:
        """Finish what was asked."""
        super().stopService()
        self._database.stop()

    def run(
        self,
        act: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        """Do it in the thread, in a transaction of its own."""
        together: Any = _together
        done: Deferred[T] = self._database.run(together, act, *args, **kwargs)
        return done


def connect(path: Path) -> sqlite3.Connection:
    """
    Open the file, or make it.

    @raise sqlite3.DatabaseError: it is none of ours.
    """
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not version:
            connection.executescript(
                f"BEGIN; {_TABLES} PRAGMA user_version={_VERSION}; COMMIT;"
            )
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"it has version {version}, not {_VERSION}")
        path.chmod(0o600)
    except BaseException:
        connection.close()
        raise
    return connection


def keep_latest(connection: sqlite3.Connection, table: str, domain: str) -> None:
    """
    Reports of a table go, with their rows, when there are too many.

    @param domain: the one that has one more.
    """
    _forget(connection, table, "WHERE domain=?", (domain,), OF_DOMAIN)
    _forget(connection, table, "", (), OF_ALL)


def _forget(
    connection: sqlite3.Connection,
    table: str,
    where: str,
    values: tuple[str, ...],
    most: int,
) -> None:
    connection.execute(
        f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} {where}"
        " ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (*values, most),
    )


def _together(
    connection: sqlite3.Connection, act: Callable[..., T], *args: Any, **kwargs: Any
) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        value = act(connection, *args, **kwargs)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return value
