"""Threads of one's own, so that nothing that blocks is done in the reactor's."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from smfd.interfaces import IHands

P = ParamSpec("P")
T = TypeVar("T")


class Closed(Exception):
    """There is nobody to do it: not yet, not now, or not any more."""


@implementer(IHands)
@define(eq=False)
class Threads:
    """
    A few threads, and the queue before them.

    @ivar name: what they are called.
    @ivar most: how many there may be; one makes it a queue.
    """

    reactor: IReactorFromThreads
    name: str
    most: int = 1
    _pool: ThreadPool | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin; a thread comes when there is work."""
        self._pool = ThreadPool(0, self.most, name=self.name)
        self._pool.start()

    def stop(self) -> None:
        """Finish what was asked, and return when it is done."""
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """Call a function in a thread; fails with L{Closed} when there is none."""
        if self._pool is None:
            return fail(Closed(self.name))
        return deferToThreadPool(self.reactor, self._pool, function, *args, **kwargs)
