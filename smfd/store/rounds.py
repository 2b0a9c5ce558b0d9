"""What a service does again and again."""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.store.ended import ended


@define(eq=False)
class Rounds:
    """
    Something that is done now and then, one round at a time.

    @ivar act: one round; it may take time, and may fail: the next one comes.
    @ivar pause: seconds between the beginnings of two.
    @ivar trouble: what the log says of a round that failed.
    """

    act: Callable[[], Any]
    clock: IReactorTime
    pause: float
    trouble: str
    _loop: LoopingCall = field(init=False)
    _ended: bool = field(default=False, init=False)
    _under_way: "Deferred[None] | None" = field(default=None, init=False)

    _log = Logger()

    @_loop.default
    def _looping(self) -> LoopingCall:
        loop = LoopingCall(self.once)
        loop.clock = self.clock
        return loop

    def start(self, now: bool = False) -> None:
        """
        Begin.

        @param now: with a round, not with a pause.
        """
        self._ended = False
        self._loop.start(self.pause, now)

    def stop(self) -> Deferred[None]:
        """Begin no more; fires when the round that is under way is over."""
        self._ended = True
        if self._loop.running:
            self._loop.stop()
        return succeed(None) if self._under_way is None else ended(self._under_way)

    def once(self) -> Deferred[None]:
        """Do a round; never fails."""
        round_ = maybeDeferred(self.act).addCallbacks(lambda _: None, self._failed)
        self._under_way = round_
        return round_.addCallback(self._over)

    def _over(self, _: None) -> None:
        self._under_way = None

    def _failed(self, failure: Failure) -> None:
        # What the end cut short is found by the next start.
        if not self._ended:
            self._log.failure("{trouble}", failure, trouble=self.trouble)


class Recurring(Service):
    """
    Does rounds as long as it runs; the first is after a pause.

    @ivar rounds: what it does.
    """

    rounds: Rounds

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self.rounds.start()

    def stopService(self) -> None:
        """No more rounds."""
        super().stopService()
        self.rounds.stop()
