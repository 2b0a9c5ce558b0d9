"""One SQLite file behind threads of its own."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


class Stopped(Exception):
    """Asked before the start or after the end."""


@define(eq=False)
class Database:
    """
    Runs functions on connections in a bounded pool, one for each thread.

    @ivar connect: opens a connection (C{check_same_thread=False}); called in
        the thread that will use it.
    @ivar threads: how many at most; one makes it a queue.
    """

    connect: Callable[[], sqlite3.Connection]
    reactor: IReactorFromThreads
    threads: int
    name: str
    _pool: ThreadPool | None = field(default=None, init=False)
    _local: threading.local = field(factory=threading.local, init=False)
    _open: list[sqlite3.Connection] = field(factory=list, init=False)

    def start(self) -> None:
        """Start the threads; connections are opened when they are needed."""
        self._local = threading.local()
        self._pool = ThreadPool(0, self.threads, name=self.name)
        self._pool.start()

    def stop(self) -> None:
        """Finish what was asked, then close every connection."""
        if self._pool is None:
            return
        self._pool.stop()
        self._pool = None
        while self._open:
            self._open.pop().close()

    def run(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        """Call C{function(connection, ...)} in a thread; fires with its value."""
        if self._pool is None:
            return fail(Stopped(self.name))

        def call() -> T:
            return function(self._connection(), *args, **kwargs)

        return deferToThreadPool(self.reactor, self._pool, call)

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self.connect()
            self._open.append(found)
        return found
