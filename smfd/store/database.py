"""One SQLite file behind threads of its own."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from smfd.store.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")


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
    _pool: Threads = field(init=False)
    _local: threading.local = field(factory=threading.local, init=False)
    _open: list[sqlite3.Connection] = field(factory=list, init=False)

    @_pool.default
    def _threads(self) -> Threads:
        return Threads(self.reactor, self.name, self.threads)

    def start(self) -> None:
        """Start the threads; connections are opened when they are needed."""
        self._local = threading.local()
        self._pool.start()

    def stop(self) -> None:
        """Finish what was asked, then close every connection."""
        self._pool.stop()
        while self._open:
            self._open.pop().close()

    def run(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        """
        Call C{function(connection, ...)} in a thread; fires with its value.

        Fails with L{Closed <smfd.store.threads.Closed>} before the start and
        after the end.
        """

        def call() -> T:
            return function(self._connection(), *args, **kwargs)

        return self._pool.run(call)

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self.connect()
            self._open.append(found)
        return found
