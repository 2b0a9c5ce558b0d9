"""Patience: one delayed call for all that are waited for."""

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")


class Patience:
    """
    Cancels what is not answered in time.

    As C{Deferred.addTimeout} does, but what is cancelled fails with
    C{CancelledError}, and to wait seldom costs a delayed call of its own.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: dict[Deferred[Any], float] = {}
        self._call: IDelayedCall | None = None
        self._next = 0.0

    def wait(self, answer: Deferred[T], seconds: float) -> Deferred[T]:
        """Cancel it when it has not fired after so many seconds."""
        due = self._clock.seconds() + seconds
        self._waiting[answer] = due
        if self._call is None or due < self._next:
            self._come(due)

        def answered(result: T) -> T:
            del self._waiting[answer]
            if not self._waiting:
                self._rest()
            return result

        return answer.addBoth(answered)

    def _come(self, due: float) -> None:
        """Look then, and not before."""
        self._rest()
        self._next = due
        left = max(0.0, due - self._clock.seconds())
        self._call = self._clock.callLater(left, self._look)

    def _rest(self) -> None:
        """There is nothing to look for."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _look(self) -> None:
        """Come again for the next that is due, and end those that are."""
        self._call, now = None, self._clock.seconds()
        late = [answer for answer, due in self._waiting.items() if due <= now]
        nearest = min((due for due in self._waiting.values() if due > now), default=0)
        if nearest:
            self._come(nearest)
        # Whoever is told may ask us to wait for another.
        for answer in late:
            answer.cancel()
