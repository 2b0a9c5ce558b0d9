"""
The runner: brings what the ledger owes to its destinations.

New entries come from memory.  Everything else, what an earlier run left, what
found no room in memory, what is to be tried again, comes from the ledger in
pages, by one kind of sweep.
"""

import random
from collections.abc import Callable, Sequence

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.delivery.hand import Hand, Key, key_of
from smfd.delivery.lanes import Lanes, Remote
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Entry, Outcome, State
from smfd.store.ledger import Ledger
from smfd.store.spool import Spool

#: Consignments read from the ledger at once.
PAGE = 512

#: Seconds after which we look at the ledger even when nothing is expected.
_LONGEST_SLEEP = 3600.0

#: Seconds until the ledger is asked again to note what it could not.
_SETTLE_AGAIN = 1.0

#: Seconds until what found no room on its lane is looked at again.
_NO_ROOM = 60.0

_START: Key = ("", 0)


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
        batch: int = 512,
        delay: float = 0.05,
        window: int = 20_000,
        memory: int = 16_777_216,
        pause: Callable[[int], float] = backoff,
        elsewhere: Sequence[IDestination] = (),
        remote: Remote | None = None,
    ) -> None:
        """
        @param batch: the most consignments that are synced together.
        @param delay: seconds that the first of a batch waits for others.
        @param window: the most consignments in memory.
        @param memory: the most octets of bodies in memory.
        @param pause: seconds to wait after so many tries.
        @param elsewhere: destinations that are other servers.
        @param remote: how much may wait for those in memory.
        """
        self._ledger = ledger
        self._spool = spool
        self._clock = clock
        self._hand = Hand(window, memory)
        self._lanes = Lanes(
            destinations, elsewhere, clock, self._delivered, batch, delay, remote
        )
        self._settling: set[Deferred[None]] = set()
        self._sweeping: Deferred[None] | None = None
        self._tidying: Deferred[None] | None = None
        self._dozing: set[Deferred[None]] = set()
        self._pause = pause
        self._missed: Key | None = None
        self._timer: IDelayedCall | None = None
        ledger.freed = leftovers

    @property
    def backlog(self) -> int:
        """How many consignments are in hand, not yet settled."""
        return len(self._hand)

    def startService(self) -> None:
        """Take up what an earlier run left."""
        super().startService()
        d = self._tidying = Deferred.fromCoroutine(self._tidy())
        d.addErrback(lambda f: self._log.failure("cannot tidy the spool", failure=f))
        self._sweep()

    def stopService(self) -> "Deferred[None]":
        """Finish and settle the batches in hand; the rest stays due."""
        super().stopService()
        self._sleep()
        self._hand.release_all()
        for doze in list(self._dozing):
            doze.cancel()
        d = Deferred.fromCoroutine(self._finish())
        self._ledger.outlive(d)
        return d

    def take(self, entry: Entry) -> None:
        """Deliver an entry that was committed just now."""
        if self._hand.full or not self.running:
            # It is in the ledger; a sweep finds it when there is room.
            missed = self._missed or (entry.id, 0)
            self._missed = min(missed, (entry.id, 0))
            return
        for consignment in entry.consignments():
            self._put(consignment)

    def pressure(self) -> "Deferred[None] | None":
        """None while delivery keeps up; else fires when it does again."""
        return self._hand.lighter() if self.running else None

    def _put(self, consignment: Consignment) -> None:
        if key_of(consignment) in self._hand:
            return
        try:
            room = self._lanes.put(consignment)
        except LookupError:
            self._log.error(
                "{id}: no destination is named {name}",
                id=consignment.entry_id,
                name=consignment.recipient.destination,
            )
            return
        self._hand.add(consignment)
        if not room:
            later = self._clock.seconds() + _NO_ROOM
            why = "others wait for the same server"
            outcome = consignment.outcome(State.DUE, why, later)
            self._delivered([consignment], [outcome])

    def _delivered(
        self, batch: Sequence[Consignment], outcomes: Sequence[Outcome]
    ) -> None:
        attempts = {key_of(c): c.attempts for c in batch}
        timed = [
            self._timed(o, attempts.get((o.entry_id, o.number), 0))
            if o.state is State.DUE
            else o
            for o in outcomes
        ]
        d = Deferred.fromCoroutine(self._settle(timed))
        self._settling.add(d)
        d.addErrback(lambda f: self._log.failure("cannot settle", failure=f))
        d.addBoth(lambda _: self._settling.discard(d))

    def _timed(self, outcome: Outcome, attempts: int) -> Outcome:
        if outcome.next_try:
            return outcome
        return evolve(outcome, next_try=self._clock.seconds() + self._pause(attempts))

    async def _settle(self, outcomes: Sequence[Outcome]) -> None:
        """
        Note what was done, however long the ledger cannot.

        Meanwhile it stays in hand and nothing does it twice; ended before it
        is noted, it is found done at the next start.
        """
        while True:
            try:
                await self._ledger.settle(outcomes)
                break
            except Exception as error:
                self._log.error("cannot settle yet: {why}", why=error)
                if not self.running:
                    return
            if not await self._doze():
                return
        for outcome in outcomes:
            self._hand.remove((outcome.entry_id, outcome.number))
        self._look_ahead(outcomes)

    async def _doze(self) -> bool:
        """Wait a little; whether we still run."""
        doze: Deferred[None] = deferLater(self._clock, _SETTLE_AGAIN)
        self._dozing.add(doze)
        try:
            await doze
        except CancelledError:
            return False
        finally:
            self._dozing.discard(doze)
        return True

    def _look_ahead(self, outcomes: Sequence[Outcome]) -> None:
        self._catch_up()
        again = [o.next_try for o in outcomes if o.state is State.DUE]
        if again:
            self._wake_at(min(again))

    def _sweep(self, after: Key = _START) -> None:
        """Go through what is due now, behind a place; one sweep at a time."""
        if self._sweeping is not None:
            self._missed = after
            return
        if not self.running:
            return
        self._missed = None
        self._sweeping = Deferred.fromCoroutine(self._pages(after))
        self._sweeping.addErrback(self._swept_in_vain)
        self._sweeping.addCallback(self._swept)

    async def _pages(self, after: Key) -> None:
        while self.running:
            page = await self._ledger.due(after, PAGE)
            if not page:
                break
            for consignment in page:
                self._put(consignment)
            after = key_of(page[-1])
            lighter = self._hand.lighter()
            if lighter is not None and self.running:
                await lighter
        next_try = await self._ledger.next_try() if self.running else None
        if next_try is not None:
            self._wake_at(next_try)

    def _swept_in_vain(self, failure: Failure) -> None:
        self._log.failure("cannot read what is due", failure=failure)
        self._wake_at(self._clock.seconds() + self._pause(2))

    def _swept(self, _: None) -> None:
        self._sweeping = None
        self._catch_up()

    def _catch_up(self) -> None:
        """Go back for what found no room."""
        if self._missed is not None and not self._hand.heavy:
            self._sweep(self._missed)

    def _wake_at(self, when: float) -> None:
        """Sweep at a time, or before."""
        if not self.running:
            return
        delay = min(max(when - self._clock.seconds(), 0.05), _LONGEST_SLEEP)
        timer = self._timer
        if timer is not None and timer.active():
            if timer.getTime() <= self._clock.seconds() + delay:
                return
            timer.cancel()
        self._timer = self._clock.callLater(delay, self._sweep)

    def _sleep(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    async def _tidy(self) -> None:
        """What no row names was never acknowledged (architecture: states)."""
        wanted = await self._ledger.bodies()
        gone = await self._spool.sweep(wanted) if self.running else 0
        if gone:
            self._log.info("removed {n} bodies that were never ours", n=gone)

    async def _finish(self) -> None:
        await self._lanes.close()
        while self._settling:
            await gatherResults([_ended(d) for d in self._settling])
        for d in (self._sweeping, self._tidying):
            if d is not None:
                await _ended(d)


def _ended(d: "Deferred[None]") -> "Deferred[None]":
    """Fires when another does, and leaves it alone."""
    end: Deferred[None] = Deferred()

    def done(result: None) -> None:
        end.callback(None)
        return result

    d.addBoth(done)
    return end
