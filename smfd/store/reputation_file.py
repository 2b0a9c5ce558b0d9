"""
What others think of us, in C{reputation.db}: one file, one thread.

None of it is needed to take or to send mail.  So a file that is damaged is put
aside, and a new one is begun.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from smfd.store.database import Database
from smfd.store.reputation_schema import connect

P = ParamSpec("P")
T = TypeVar("T")

#: The file in the home.
FILE = "reputation.db"

#: SQLite's primary result codes for what is no database, or not any more,
#: https://sqlite.org/rescode.html.
_DAMAGED = {11, 26}

#: Reports that are kept of one domain, and in all; the oldest go.
OF_DOMAIN = 5_000
OF_ALL = 50_000


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
        """
        Open the file, or begin a new one.

        @raise WrongVersion: it is of a newer smfd.
        @raise sqlite3.Error: it cannot be opened now.
        """
        try:
            connect(self._path).close()
        except sqlite3.DatabaseError as trouble:
            if trouble.sqlite_errorcode & 0xFF not in _DAMAGED:
                raise
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

    def stopService(self) -> "Deferred[None]":
        """Finish what was asked; fires when it is done."""
        super().stopService()
        # Behind all else: to wait for the threads while they wait for the disk
        # would hold up the reactor.
        last = self.read(_nothing)
        return last.addBoth(lambda _: self._database.stop())

    def run(
        self,
        act: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        """Do it in the thread, in a transaction of its own."""
        return self._do("BEGIN IMMEDIATE", lambda c: act(c, *args, **kwargs))

    def read(
        self,
        act: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        """The same for what only reads: whoever else writes is in nobody's way."""
        return self._do("BEGIN", lambda c: act(c, *args, **kwargs))

    def _do(self, begin: str, act: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        return self._database.run(_together, begin, act)


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


def _nothing(connection: sqlite3.Connection) -> None:
    """What is behind all that was asked."""


def _together(
    connection: sqlite3.Connection, begin: str, act: Callable[[sqlite3.Connection], T]
) -> T:
    connection.execute(begin)
    try:
        value = act(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return value
