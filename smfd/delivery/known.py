"""The sites that are known, as many as have room."""

from collections.abc import Iterator

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from smfd.delivery.load import Load
from smfd.delivery.site import Bounds, Site
from smfd.model.queue import SiteState
from smfd.store.queue import Queue

#: Sites without work that are remembered, and how they took their mail.
IDLE = 1000

#: A time so many seconds ahead is that of a clock that has since been set back.
WRONG = 2 * 86_400.0


@define(eq=False)
class Known:
    """
    Sites by their names, with how much of their mail is in memory.

    @ivar missed: a site found no room; it is to be looked for again.
    """

    queue: Queue
    clock: IReactorTime
    bounds: Bounds
    missed: bool = field(default=False, init=False)
    load: Load = field(factory=Load, init=False)
    _sites: dict[str, Site] = field(factory=dict, init=False)
    _resting: dict[str, Site] = field(factory=dict, init=False)

    def __iter__(self) -> Iterator[Site]:
        return iter(list(self._sites.values()))

    def __contains__(self, name: str) -> bool:
        return name in self._sites

    def site(self, name: str) -> Site | None:
        """A site; None when there are too many."""
        found = self._sites.get(name)
        if found is None and name and self._room():
            found = self._sites[name] = Site(name, Load(self.load))
            found.held = self.queue.holds(name)
        return found

    def learn(self, state: SiteState) -> None:
        """What is kept of a site, or was changed there."""
        site = self.site(state.site)
        if site is not None:
            wrong = state.next_try > self.clock.seconds() + WRONG
            site.know(evolve(state, next_try=0.0) if wrong else state)
            site.held = self.queue.holds(state.site)

    def full(self, one: Load) -> bool:
        """Whether no more has room in memory, or no more of one site."""
        most, all_ = self.bounds, self.load
        return (
            one.count >= most.share
            or one.octets * 4 >= most.octets
            or all_.count >= most.window
            or all_.octets >= most.octets
        )

    def rest(self, site: Site) -> None:
        """It has no work; who rests the longest is forgotten."""
        self._resting.pop(site.name, None)
        self._resting[site.name] = site
        if len(self._resting) > IDLE:
            name, oldest = next(iter(self._resting.items()))
            del self._resting[name]
            if oldest.idle:
                del self._sites[name]

    def _room(self) -> bool:
        """Forget, once, those with nothing to do now: the ledger knows them."""
        if len(self._sites) < self.bounds.sites:
            return True
        if not self.missed:
            self.missed = True
            now = self.clock.seconds()
            for site in [s for s in self._sites.values() if s.asleep(now)]:
                del self._sites[site.name]
                self._resting.pop(site.name, None)
        return len(self._sites) < self.bounds.sites
