"""
Time runs out: one delayed call for a connection, however often it is moved.

Standards: RFC 5321 §4.5.3.2.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """
    Calls when the time is over.

    Moving it costs an assignment: the delayed call looks at the clock when it
    comes, and comes again if there is time left.

    @ivar due: when, by the clock.
    """

    __slots__ = ("due", "_clock", "_beat", "_late", "_call")

    def __init__(
        self, clock: IReactorTime, beat: float, late: Callable[[], None]
    ) -> None:
        """
        @param beat: the most seconds between two looks; never more than the
            nearest deadline that will be set.
        """
        self.due = float("inf")
        self._clock = clock
        self._beat = beat
        self._late = late
        self._call: IDelayedCall | None = clock.callLater(beat, self._look)

    def expect(self, seconds: float, at_most: float = float("inf")) -> None:
        """So many seconds from now, or at a certain time if that is sooner."""
        self.due = min(self._clock.seconds() + seconds, at_most)

    def never(self) -> None:
        """Not until told again."""
        self.due = float("inf")

    @property
    def running(self) -> bool:
        """Whether anything is expected."""
        return self.due != float("inf")

    def stop(self) -> None:
        """It does not matter any more."""
        self._late = _nothing
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def _look(self) -> None:
        left = self.due - self._clock.seconds()
        if left <= 0:
            self.due = float("inf")
            self._late()
            left = self.due - self._clock.seconds()
        if self._call is not None:
            self._call = self._clock.callLater(
                min(max(left, 0.0), self._beat), self._look
            )


def _nothing() -> None:
    """Nobody is late any more."""
