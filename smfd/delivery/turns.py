"""Whose turn it is: sites take turns, and none has more than its share."""

from collections import deque
from itertools import product

from attrs import frozen

from smfd.delivery.site import Bounds, Pace, Site

#: The share of all connections that sites of a pace have at most.  Together
#: they are more than all, so that nothing lies idle; what servers that stall can
#: take leaves a fourth for those that do not.
_SHARES = {Pace.QUICK: 0.75, Pace.FRESH: 0.5, Pace.SLOW: 0.25}


@frozen
class Turn:
    """
    A batch may go.

    @ivar pace: of the site when it began.
    @ivar new: it is for what is new; else for what waits in the ledger.
    """

    site: Site
    pace: Pace
    new: bool


class Turns:
    """
    Sites that are ready, in the order of their coming, apart by their pace, and
    by whether they have new mail: that does not wait behind what has piled up.

    @ivar running: batches under way.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.running = 0
        self._bounds = bounds
        self._order = deque(product(Pace, (True, False)))
        self._ready: dict[tuple[Pace, bool], deque[Site]] = {
            kind: deque() for kind in self._order
        }
        self._running = dict.fromkeys(Pace, 0)
        self._most = {
            pace: max(1, int(share * bounds.connections))
            for pace, share in _SHARES.items()
        }

    @property
    def waiting(self) -> bool:
        """Somebody waits for his turn."""
        return any(self._ready.values())

    def add(self, site: Site) -> None:
        """It has work; it gets a turn."""
        if site.waiting and not site.urgent:
            site.urgent = True
            self._ready[site.pace, True].append(site)
        if site.unread and not site.queued:
            site.queued = True
            self._ready[site.pace, False].append(site)

    def begin(self, now: float) -> Turn | None:
        """Whose turn it is, with one batch more; None when it is nobody's."""
        for pace, new in tuple(self._order):
            self._order.rotate(-1)
            if not self._room(pace):
                continue
            site = self._first(pace, new, now)
            if site is not None:
                self.running += 1
                self._running[pace] += 1
                site.running += 1
                return Turn(site, pace, new)
        return None

    def end(self, turn: Turn) -> None:
        """Its batch is done."""
        self.running -= 1
        self._running[turn.pace] -= 1
        turn.site.running -= 1

    def _room(self, pace: Pace) -> bool:
        most = self._bounds.connections
        return self.running < most and self._running[pace] < self._most[pace]

    def _first(self, pace: Pace, new: bool, now: float) -> Site | None:
        """Take the first that may go; who may not comes back by itself."""
        queue = self._ready[pace, new]
        free = self._bounds.connections - self.running
        while queue:
            site = queue.popleft()
            if new:
                site.urgent = False
            else:
                site.queued = False
            if site.pace is not pace:
                self.add(site)
            elif site.ready(now) and site.room(free, self._bounds.per_site):
                return site
        return None
