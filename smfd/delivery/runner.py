"""
The runner: brings what the ledger owes to its destinations.

New entries come from memory.  Everything else, what an earlier run left, what
found no room in memory, what is to be tried again, comes from the ledger in
pages.  What goes to other servers is scheduled by L{Sites}.
"""

import random
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.delivery.hand import Hand
from smfd.delivery.lanes import Lanes
from smfd.delivery.opinion import Pauses, patience
from smfd.delivery.settlement import Settlement
from smfd.delivery.site import Bounds
from smfd.delivery.sites import Sites
from smfd.delivery.timer import Timer
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Entry, Key, Outcome, State
from smfd.store.ended import ended
from smfd.store.ledger import Ledger
from smfd.store.ledger_due import Mark
from smfd.store.queue import Queue
from smfd.store.spool import Spool

T = TypeVar("T")

_BOUNDS = Bounds()

#: The most consignments that are synced together.
BATCH = 512

#: Consignments read from the ledger at once.
PAGE = 512

#: Seconds after which we look at the ledger even when nothing is expected.
_LONGEST_SLEEP = 3600.0

_START: Key = ("", 0)

#: Before all that was put off.
_EARLIEST: Mark = (0.0, "", 0)


def backoff(attempts: int) -> float:
    """
    Seconds to wait after a try that failed, the C{attempts}-th from 0.

    Two at first, doubled each time, five minutes at most; scattered by a
    tenth, so that what failed together does not come again together.
    """
    return min(300.0, 2.0 * 2.0 ** min(attempts, 20)) * random.uniform(0.9, 1.1)


class Runner(Service):
    """
    Takes entries right after their commit, and settles them.

    To be added to its parent after the ledger and the destinations, so that
    it stops before them.

    @param leftovers: called with files that nothing due or held is kept in any
        more.
    """

    _log = Logger()

    def __init__(
        self,
        ledger: Ledger,
        spool: Spool,
        destinations: Sequence[IDestination],
        leftovers: Callable[[Sequence[str]], object],
        clock: IReactorTime,
        delay: float = 0.05,
        window: int = 20_000,
        memory: int = 16_777_216,
        pause: Callable[[int], float] = backoff,
        elsewhere: Sequence[IDestination] = (),
        bounds: Bounds = _BOUNDS,
        patience: Callable[[int], float] = patience,
        queue: Queue | None = None,
    ) -> None:
        """
        @param delay: seconds that the first of a batch waits for others.
        @param window: the most consignments in memory.
        @param memory: the most octets of bodies in memory.
        @param pause: seconds to wait after so many tries; by mail for the world
            as C{patience} says.
        @param elsewhere: destinations that are other servers.
        @param bounds: how much goes to those at once.
        @param queue: that of the ledger, for who needs it earlier.
        """
        self._ledger = ledger
        self._spool = spool
        self._clock = clock
        self._hand = Hand(window, memory)
        self._lanes = Lanes(destinations, clock, self._delivered, BATCH, delay)
        self._settlement = Settlement(ledger, clock)
        self.queue = queue or Queue(ledger)
        pauses = Pauses(patience, pause)
        self._sites = Sites(
            self.queue, elsewhere, self._settlement, clock, bounds, pauses, delay
        )
        self._sites.elsewhere = self._look_ahead
        self.queue.changed, self.queue.known = self._touched, self._sites.state
        self._sweeping: Deferred[None] | None = None
        self._tidying: Deferred[None] | None = None
        self._pause = pause
        self._missed: Key | None = None
        self._timer = Timer(clock, self._try_again)
        self._again = Timer(clock, self._sweep)
        ledger.freed = leftovers

    @property
    def backlog(self) -> int:
        """How many consignments are in hand, not yet settled."""
        return len(self._hand) + self._sites.backlog

    def startService(self) -> None:
        """Take up what an earlier run left."""
        super().startService()
        d = self._tidying = Deferred.fromCoroutine(self._tidy())
        d.addErrback(lambda f: self._log.failure("cannot tidy the spool", failure=f))
        self._sweep()
        self._sites.start()

    def stopService(self) -> "Deferred[None]":
        """Finish and settle the batches in hand; the rest stays due."""
        super().stopService()
        self._timer.stop()
        self._again.stop()
        self._hand.release_all()
        self._settlement.stop()
        d = Deferred.fromCoroutine(self._finish())
        self._ledger.outlive(d)
        return d

    def take(self, entry: Entry) -> None:
        """Deliver an entry that was committed just now, if it is not stopped."""
        if not self.running or self._ledger.stops.holds(entry):
            return
        for consignment in entry.consignments():
            if consignment.recipient.destination in self._sites:
                self._sites.take(consignment)
            elif self._hand.full:
                # It is in the ledger; a sweep finds it when there is room.
                missed = self._missed or (entry.id, 0)
                self._missed = min(missed, (entry.id, 0))
            else:
                self._put(consignment)

    def give_up(self, site: str, outcomes: Sequence[Outcome]) -> None:
        """Settle what waits for a site, but for those who are just tried."""
        if self.running:
            self._sites.give_up(site, outcomes)

    def pressure(self) -> "Deferred[None] | None":
        """None while delivery keeps up; else fires when it does again."""
        return self._hand.lighter() if self.running else None

    def _put(self, consignment: Consignment) -> None:
        if consignment.key in self._hand:
            return
        try:
            self._lanes.put(consignment)
        except LookupError:
            self._log.error(
                "{id}: no destination is named {name}",
                id=consignment.entry_id,
                name=consignment.recipient.destination,
            )
            return
        self._hand.add(consignment)

    def _delivered(
        self, batch: Sequence[Consignment], outcomes: Sequence[Outcome]
    ) -> None:
        attempts = {c.key: c.attempts for c in batch}
        timed = [
            self._timed(o, attempts.get(o.key, 0)) if o.state is State.DUE else o
            for o in outcomes
        ]
        d = self._settlement.settle(timed)
        d.addCallback(self._settled, timed)
        d.addErrback(lambda f: self._log.failure("cannot settle", failure=f))

    def _timed(self, outcome: Outcome, attempts: int) -> Outcome:
        if outcome.next_try:
            return outcome
        return evolve(outcome, next_try=self._clock.seconds() + self._pause(attempts))

    def _settled(self, noted: bool, outcomes: Sequence[Outcome]) -> None:
        if noted:
            for outcome in outcomes:
                self._hand.remove(outcome.key)
            self._look_ahead(outcomes)

    def _look_ahead(self, outcomes: Sequence[Outcome]) -> None:
        self._catch_up()
        again = [o.next_try for o in outcomes if o.state is State.DUE]
        if again:
            self._wake_at(min(again))

    def _sweep(self, after: Key = _START) -> None:
        """Go through what stays with us and is due, behind a place."""
        if self._sweeping is not None:
            self._missed = min(after, self._missed or after)
        elif self.running:
            self._missed = None
            self._swept_by(self._pages(self.queue.near, after))

    def _try_again(self) -> None:
        """Go through what was put off until now."""
        if self._sweeping is not None:
            self._wake_at(self._clock.seconds() + 1.0)
        elif self.running:
            self._swept_by(self._pages(self.queue.put_off, _EARLIEST))

    def _swept_by(self, pages: Coroutine[Any, Any, None]) -> None:
        """One sweep at a time."""
        self._sweeping = Deferred.fromCoroutine(pages)
        self._sweeping.addErrback(self._swept_in_vain)
        self._sweeping.addCallback(self._swept)

    async def _pages(
        self,
        read: Callable[[T, int], "Deferred[tuple[list[Consignment], T | None]]"],
        start: T,
    ) -> None:
        after: T | None = start
        begun = self._clock.seconds()
        while self.running and after is not None:
            page, after = await read(after, PAGE)
            for consignment in page:
                self._put(consignment)
            lighter = self._hand.lighter()
            if lighter is not None and self.running:
                await lighter
        # What has come due since stands on no page, perhaps.
        next_try = await self.queue.next_near(begun) if self.running else None
        if next_try is not None:
            self._wake_at(next_try)

    def _swept_in_vain(self, failure: Failure) -> None:
        self._log.failure("cannot read what is due", failure=failure)
        self._again.within(self._pause(2))

    def _swept(self, _: None) -> None:
        self._sweeping = None
        self._catch_up()

    def _catch_up(self) -> None:
        """Go back for what found no room."""
        if self._missed is not None and not self._hand.heavy:
            self._sweep(self._missed)

    def _touched(self, sites: Collection[str]) -> None:
        """An operator changed something of the queue."""
        if "" in sites:
            self._sweep()
        d = Deferred.fromCoroutine(self._sites.touched(sites))
        d.addErrback(lambda f: self._log.failure("cannot look again", failure=f))

    def _wake_at(self, when: float) -> None:
        """Sweep at a time, or before."""
        if self.running:
            delay = max(when - self._clock.seconds(), 0.05)
            self._timer.within(min(delay, _LONGEST_SLEEP))

    async def _tidy(self) -> None:
        """What no row names was never acknowledged: see L{smfd.store.states}."""
        wanted = await self._ledger.bodies()
        gone = await self._spool.sweep(wanted) if self.running else 0
        if gone:
            self._log.info("removed {n} bodies that were never ours", n=gone)

    async def _finish(self) -> None:
        await gatherResults([self._lanes.close(), self._sites.close()])
        await self._settlement.ended()
        for d in (self._sweeping, self._tidying):
            if d is not None:
                await ended(d)
