"""Many sites to wake, each at its time, and one timer."""

from collections.abc import Callable
from heapq import heappop, heappush

from twisted.internet.interfaces import IReactorTime

from smfd.delivery.site import Site
from smfd.delivery.timer import Timer

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
        self._timer = Timer(clock, self._look)

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
        self._timer.stop()

    def _set(self) -> None:
        if self._times:
            wait = self._times[0][0] - self._clock.seconds()
            self._timer.within(max(wait, _SLACK))

    def _look(self) -> None:
        now = self._clock.seconds()
        while self._times and self._times[0][0] <= now:
            when, _, site = heappop(self._times)
            if when == site.wake_at:
                site.wake_at = float("inf")
                self._ring(site)
        self._set()
