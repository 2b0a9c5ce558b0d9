"""Many times to wake at, one timer."""

from collections.abc import Callable
from heapq import heappop, heappush

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from smfd.delivery.site import Site

#: Seconds at least between two looks for what is to be tried again.
_SLACK = 0.05


class Alarms:
    """
    Calls for each site when it is to be looked at again.

    @param ring: called with a site.
    """

    def __init__(self, clock: IReactorTime, ring: Callable[[Site], object]) -> None:
        self._clock = clock
        self._ring = ring
        self._times: list[tuple[float, int, Site]] = []
        self._count = 0
        self._timer: IDelayedCall | None = None

    def wake(self, site: Site, when: float) -> None:
        """Ring for a site at a time, or before."""
        if when >= site.wake_at:
            return
        site.wake_at = when
        self._count += 1
        heappush(self._times, (when, self._count, site))
        self._set()

    def stop(self) -> None:
        """Ring for nobody any more."""
        self._times.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _set(self) -> None:
        if not self._times:
            return
        when, timer = self._times[0][0], self._timer
        if timer is not None and timer.active():
            if timer.getTime() <= when:
                return
            timer.cancel()
        delay = max(when - self._clock.seconds(), _SLACK)
        self._timer = self._clock.callLater(delay, self._look)

    def _look(self) -> None:
        now = self._clock.seconds()
        while self._times and self._times[0][0] <= now:
            when, _, site = heappop(self._times)
            if when == site.wake_at:
                site.wake_at = float("inf")
                self._ring(site)
        self._set()
