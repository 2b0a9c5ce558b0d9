"""The pulse of the reactor: how long it was ever busy with one thing (R29)."""

from time import perf_counter

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds between two beats; a stall shorter than this is not seen.
BEAT = 0.02


class Pulse(Service):
    """
    Beats, and notes when a beat came late.

    @ivar worst: the worst delay of a beat since it was last asked, seconds.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """It begins to beat with the service."""
        self._clock = clock
        self._due: IDelayedCall | None = None
        self._expected = 0.0
        self.worst = 0.0

    def startService(self) -> None:
        """Begin to beat."""
        super().startService()
        self._next()

    def stopService(self) -> None:
        """Stop."""
        super().stopService()
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def reset(self) -> float:
        """The worst delay so far; begin anew."""
        worst, self.worst = self.worst, 0.0
        return worst

    def _next(self) -> None:
        self._expected = perf_counter() + BEAT
        self._due = self._clock.callLater(BEAT, self._beat)

    def _beat(self) -> None:
        self.worst = max(self.worst, perf_counter() - self._expected)
        self._next()
