"""
What a batch says of the site that it went to.

Standards: RFC 5321 §4.5.4.1 (when to try again).
"""

import random
from collections.abc import Callable, Sequence

from attrs import evolve, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.delivery.site import Bounds, Site
from smfd.model.entry import REMOTE, Consignment, Key, Outcome, State
from smfd.store.queue import Queue

#: The back-off's bounds in seconds.
_FIRST, _LAST = 300.0, 14_400.0


def patience(attempts: int, first: float = _FIRST, last: float = _LAST) -> float:
    """
    Seconds to wait after a try that failed, the C{attempts}-th from 0.

    Five minutes at first, doubled each time, four hours at most; scattered by
    a tenth, so that what failed together does not come again together.
    """
    return min(last, first * 2.0 ** min(attempts, 20)) * random.uniform(0.9, 1.1)


@frozen
class Pauses:
    """
    Seconds to wait after so many tries.

    @ivar world: for servers that nobody here answers for.
    @ivar hosted: for the servers of hosted domains.
    """

    world: Callable[[int], float] = patience
    hosted: Callable[[int], float] = patience

    def of(self, c: Consignment) -> Callable[[int], float]:
        """Those for where it goes."""
        return self.world if c.recipient.destination == REMOTE else self.hosted


@frozen
class Opinion:
    """
    Judges sites by what came of their batches, and keeps what is worth it.

    @ivar pauses: how long they are left alone.
    """

    queue: Queue
    clock: IReactorTime
    bounds: Bounds
    pauses: Pauses

    _log = Logger()

    def of(
        self,
        site: Site,
        batch: Sequence[Consignment],
        outcomes: Sequence[Outcome],
        began: float,
    ) -> list[Outcome]:
        """
        Take note of a batch.

        @param began: when it did.
        @return: what is to be settled; the others stay as they are.
        """
        told = {c.key: c for c in batch}
        pauses: dict[Key, float] = {}
        settled = [
            self._timed(o, told[o.key], pauses) for o in outcomes if not _untouched(o)
        ]
        left = [o for o in outcomes if _untouched(o)]
        site.in_hand.difference_update(o.key for o in left)
        waits = [o for o in left if not o.of_site]
        if settled and len(left) == len(waits):
            self._well(site, began)
        if waits:
            self._wait(site, waits)
        elif left and (settled or site.others_do(began)):
            site.shaken()
        elif left:
            self._down(site, left[0], self.pauses.of(batch[0]))
        return settled

    def _well(self, site: Site, began: float) -> None:
        now = self.clock.seconds()
        if site.well(now, now - began, self.bounds):
            self._note(site)

    def _wait(self, site: Site, waits: Sequence[Outcome]) -> None:
        now, first = self.clock.seconds(), min(o.next_try for o in waits)
        if site.wait(now, first, waits[0].detail):
            self._note(site)

    def _down(
        self, site: Site, outcome: Outcome, pause: Callable[[int], float]
    ) -> None:
        now = self.clock.seconds()
        when = outcome.next_try or now + pause(site.attempts)
        site.down(now, when, outcome.detail)
        self._log.warn(
            "{site}: nobody there: {why}", site=site.name, why=outcome.detail
        )
        self._note(site)

    def _note(self, site: Site) -> None:
        d = self.queue.note(site.state)
        d.addErrback(lambda f: self._log.error("not noted: {why}", why=f.value))

    def _timed(
        self, outcome: Outcome, c: Consignment, pauses: dict[Key, float]
    ) -> Outcome:
        """
        When to try again; what is read from the ledger counts one too many.

        @param pauses: by message and tries.  RFC 5321 §4.5.4.1: who was put off
            with others gets one copy with them again.
        """
        if outcome.state is not State.DUE or outcome.next_try:
            return outcome
        tries = max(0, c.attempts - 1)
        if (c.entry_id, tries) not in pauses:
            pauses[c.entry_id, tries] = self.pauses.of(c)(tries)
        pause = pauses[c.entry_id, tries]
        return evolve(outcome, next_try=self.clock.seconds() + pause)


def _untouched(outcome: Outcome) -> bool:
    """
    Whether it speaks of the server and not of the recipient.

    With a time it is one who is there and not to be troubled before.
    """
    waits = outcome.of_site or bool(outcome.next_try)
    return outcome.state is State.DUE and not outcome.category and waits
