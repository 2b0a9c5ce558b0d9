"""
What goes to other servers, scheduled by the site that takes it.

A site is a domain.  New mail goes from memory while there is room; what finds
none, and what is to be tried again, is read from the ledger when it is the
site's turn, as much as one batch takes.  A site whose server is not there is
left alone as a whole: its mail is not touched and costs nothing.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.delivery.alarms import Alarms
from smfd.delivery.known import WRONG, Known
from smfd.delivery.opinion import Opinion, Pauses
from smfd.delivery.settlement import Settlement
from smfd.delivery.site import Bounds, Site, fitting
from smfd.delivery.timer import Timer
from smfd.delivery.tried import tried
from smfd.delivery.turns import Turn, Turns
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome, State
from smfd.model.queue import EVERY, Choice, Owed, SiteState
from smfd.store.ended import ended
from smfd.store.ledger_sites import Share
from smfd.store.queue import Queue
from smfd.store.rounds import Rounds

#: Sites read from the ledger at once.
_PAGE = 500

#: Seconds until a site is tried again whose mail could not be read.
_UNREAD = 10.0

#: Seconds that the first who is to be tried again waits for others.
_TOGETHER = 5.0

#: Seconds until those sites are looked for that found no room.
_CROWDED = 60.0

#: Seconds between two looks at all sites, whatever was missed meanwhile.
_SURVEY = 3600.0

#: Seconds until mail without a destination is looked at again.
_NOWHERE = 600.0


class Sites:
    """
    Brings mail to sites: each has its share, and all take turns.

    @ivar elsewhere: called with outcomes by which mail goes elsewhere from now
        on, once they are noted.
    """

    _log = Logger()

    def __init__(
        self,
        queue: Queue,
        destinations: Sequence[IDestination],
        settlement: Settlement,
        clock: IReactorTime,
        bounds: Bounds,
        pauses: Pauses,
        delay: float,
    ) -> None:
        """
        @param delay: seconds that what is new waits for others to go with.
        """
        self._queue = queue
        self._destinations = {d.name: d for d in destinations}
        self._settlement = settlement
        self._clock = clock
        self._bounds = bounds
        self._delay = delay
        self._opinion = Opinion(queue, clock, bounds, pauses)
        self._known = Known(queue, clock, bounds)
        self._turns = Turns(bounds)
        self._alarms = Alarms(clock, self._woken)
        self._begin = Timer(clock, self._go)
        self._serving: set[Deferred[None]] = set()
        self._open = self._closed = False
        trouble = "cannot look at all sites yet"
        self._rounds = Rounds(self._look_again, clock, _CROWDED, trouble)
        self._surveyed = 0.0
        self.elsewhere: Callable[[Sequence[Outcome]], object] = len

    def __contains__(self, name: str) -> bool:
        """Whether mail for a destination goes through here."""
        return name in self._destinations

    @property
    def backlog(self) -> int:
        """How many recipients are in hand, not yet settled."""
        return sum(len(site.in_hand) for site in self._known)

    def start(self) -> None:
        """Take up what an earlier run left, as soon as it can be read."""
        self._rounds.start(now=True)

    async def _begun(self) -> None:
        await self._queue.load()
        if self._closed:
            return
        self._open = True
        for site in self._known:
            site.held = self._queue.holds(site.name)
            self._after(site)
        await self.survey()

    def close(self) -> "Deferred[Any]":
        """Begin no batch any more; fires when those under way are done."""
        self._open, self._closed = False, True
        self._alarms.stop()
        self._rounds.stop()
        self._begin.stop()
        return gatherResults([ended(d) for d in self._serving])

    def state(self, name: str) -> SiteState | None:
        """How a site is just now; None when only the ledger may know."""
        site = self._known.site(name) if name in self._known else None
        return None if site is None else site.state

    def take(self, consignment: Consignment) -> None:
        """New mail: it goes from memory, or from the ledger when there is room."""
        site = self._known.site(consignment.recipient.site)
        if site is None or consignment.key in site.in_hand:
            return
        if site.shut(self._now) or self._known.full(site.load):
            site.more = True
        else:
            site.put(consignment)
        self._offer(site, self._delay)

    def give_up(self, name: str, outcomes: Sequence[Outcome]) -> None:
        """Settle what waits for a site; whoever is in hand is tried meanwhile."""
        site = self._known.site(name)
        if site is None:
            return
        site.forget_waiting()
        ended = [o for o in outcomes if o.key not in site.in_hand]
        site.in_hand.update(o.key for o in ended)
        self._settle(site, ended)

    async def survey(self) -> None:
        """Go through all sites that something is due to."""
        after, self._surveyed, self._known.missed = "", self._now, False
        while self._open:
            page = await self._queue.owed(after, _PAGE)
            for owed in page:
                await self._owe(owed)
            if len(page) < _PAGE:
                break
            after = page[-1].state.site

    async def _owe(self, owed: Owed) -> None:
        name = owed.state.site
        if self._known.missed and owed.state.next_try > self._now:
            return
        if owed.first > self._now + WRONG:
            await self._queue.retry(Choice(site=name), "")
        if name not in self._known:
            self._known.learn(owed.state)
        site = self._known.site(name)
        if site is not None:
            self._alarms.wake(site, max(owed.first, site.next_try))

    async def touched(self, names: Collection[str]) -> None:
        """An operator changed something of sites: look again what there is."""
        for site in self._known:
            # What is held stays here from now on, whatever can be read.
            site.held = self._queue.holds(site.name)
        if EVERY in names:
            names = [site.name for site in self._known]
            await self.survey()
        found = [site for site in map(self._known.site, names) if site is not None]
        for site in found:
            site.forget_waiting()
        for state in await self._queue.states([site.name for site in found]):
            self._known.learn(state)
        for site in found:
            self._after(site)

    async def _look_again(self) -> None:
        """Some found no room, or something was missed that nobody foresaw."""
        try:
            if not self._open:
                await self._begun()
            elif self._known.missed or self._now >= self._surveyed + _SURVEY:
                await self.survey()
        except Exception:
            self._known.missed = True
            raise

    @property
    def _now(self) -> float:
        return self._clock.seconds()

    def _offer(self, site: Site, delay: float) -> None:
        """A site may have something to do: it gets a turn, soon."""
        if site.ready(self._now):
            self._turns.add(site)
            self._soon(delay)

    def _soon(self, delay: float) -> None:
        """Begin what can begin, within so many seconds."""
        if self._open:
            self._begin.within(delay)

    def _woken(self, woken: Site) -> None:
        # Who lost its room meanwhile may be known anew, and have mail in hand.
        site = self._known.site(woken.name)
        if site is not None:
            site.more = True
            self._after(site)

    def _go(self) -> None:
        """Begin as many batches as there is room for."""
        while self._open:
            turn = self._turns.begin(self._now)
            if turn is None:
                return
            d = Deferred.fromCoroutine(self._serve(turn))
            self._turns.add(turn.site)
            self._serving.add(d)
            d.addErrback(lambda f: self._log.failure("a batch broke", failure=f))
            d.addBoth(self._served, d)

    def _served(self, _: None, d: "Deferred[None]") -> None:
        self._serving.discard(d)

    async def _serve(self, turn: Turn) -> None:
        """One batch to one site."""
        began, site = self._now, turn.site
        try:
            batch = await self._batch(turn)
            if batch and self._open:
                outcomes = await self._tried(batch)
                self._settle(site, self._opinion.of(site, batch, outcomes, began))
            elif batch:
                site.in_hand.difference_update(c.key for c in batch)
        except Exception:
            self._log.failure("{site}: cannot read what is due", site=site.name)
            site.more = True
            site.next_try = max(site.next_try, self._now + _UNREAD)
        finally:
            self._turns.end(turn)
            self._after(site)
            if self._turns.waiting:
                self._soon(0.0)

    async def _batch(self, turn: Turn) -> list[Consignment]:
        """What goes next: from memory, or from the ledger."""
        site = turn.site
        if site.unread and not (turn.new and site.waiting):
            return await self._read(site)
        return site.batch(self._bounds)

    async def _read(self, site: Site) -> list[Consignment]:
        """A batch from the ledger."""
        most = self._bounds
        share = Share(
            site.name,
            frozenset(site.in_hand),
            most.recipients,
            most.page,
            most.messages,
        )
        site.more, site.reading = False, True
        try:
            found = await self._queue.due_of(share)
        finally:
            site.reading = False
        new = [c for c in found.consignments if c.key not in site.in_hand]
        batch = fitting(new, most)
        site.in_hand.update(c.key for c in batch)
        site.more = site.more or found.more or len(batch) < len(new)
        if found.next_try is not None:
            self._later(site, found.next_try)
        if site.more and not batch:
            site.next_try = max(site.next_try, self._now + _UNREAD)
        self._offer(site, 0.0)
        return batch

    async def _tried(self, batch: Sequence[Consignment]) -> list[Outcome]:
        name = batch[0].recipient.destination
        destination = self._destinations.get(name)
        if destination is not None:
            return await tried(destination, batch)
        self._log.error("no destination is named {name}", name=name)
        later = self._now + _NOWHERE
        why = f"no destination is named {name}"
        return [c.outcome(State.DUE, why, later) for c in batch]

    def _settle(self, site: Site, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            d = self._settlement.settle(outcomes)
            d.addCallback(self._settled, site, outcomes)

    def _settled(self, noted: bool, site: Site, outcomes: Sequence[Outcome]) -> None:
        if not noted:
            return
        site.in_hand.difference_update(o.key for o in outcomes)
        due = [o for o in outcomes if o.state is State.DUE]
        if due:
            self._later(site, min(o.next_try for o in due))
            self.elsewhere([o for o in due if o.category])
        self._after(site)

    def _later(self, site: Site, when: float) -> None:
        """Look again at about a time: what was put off together goes together."""
        wait = min(_TOGETHER, (when - self._now) / 10)
        self._alarms.wake(site, when + max(0.0, wait))

    def _after(self, site: Site) -> None:
        """Something ended: go on, wait, or forget."""
        if site.next_try > self._now:
            if site.more or site.waiting:
                self._alarms.wake(site, site.next_try)
        elif site.work:
            full = len(site.waiting) >= self._bounds.messages
            self._offer(site, 0.0 if full or site.more else self._delay)
        elif site.idle:
            self._known.rest(site)
