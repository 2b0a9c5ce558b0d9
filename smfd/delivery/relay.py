"""
Mail that goes on to another server, by SMTP or LMTP.

Standards: RFC 5321 §4.5.4.1 (how long to try), §6.1.
"""

import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.delivery.approach import Approach
from smfd.delivery.ending import Ending
from smfd.delivery.relay_round import Pace, Round, at_once, shipments
from smfd.delivery.soon import Settle, Soon
from smfd.delivery.tlspolicy import TLSPolicies
from smfd.delivery.where import Way
from smfd.delivery.word import Word
from smfd.interfaces import IDestination, IHands
from smfd.model.attempt import Attempt
from smfd.model.entry import Consignment, Outcome, State, site_of
from smfd.model.said import parse_said
from smfd.net.smtp_client_open import Hops
from smfd.policy.mx import NoWay
from smfd.policy.origins import is_own
from smfd.store.atomic import Disk
from smfd.store.damage import Examination

#: The way to a domain; whether our users wrote what is sent there, and whether it
#: goes whatever is wrong with TLS.  Fails with L{NoWay}.
Ways = Callable[[str, bool, bool], Awaitable[Way]]

#: What is asked of them.
_Trip = tuple[str, bool, bool]

#: Is told of each try.
Tell = Callable[[Attempt], object]


def untold(attempt: Attempt) -> None:
    """Nobody wants to know."""


@frozen
class Road:
    """
    How mail goes on, whatever it is and wherever it goes.

    @ivar hops: connections.
    @ivar hands: read bodies from the disk.
    @ivar tls: how safe it must be; None where the ways say it.
    @ivar pace: how fast.
    @ivar tell: is told of each try.
    @ivar settle: notes what was taken before its batch is over.
    """

    hops: Hops
    hands: IHands
    tls: TLSPolicies | None = None
    pace: Pace = at_once
    tell: Tell = untold
    settle: Settle | None = None


@implementer(IDestination)
class RelayDestination:
    """
    Hands messages to the servers of their domains.

    It cannot be done twice harmlessly: another server has no way to know a
    message again.  So little as can be is under way between its 250 and ours.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        ways: Ways,
        road: Road,
        ending: Ending,
        clock: IReactorTime,
        home: Path,
    ) -> None:
        """
        @param ending: says what becomes of what was refused, or is too old.
        @param home: where what is left of damaged messages is kept.
        """
        self.name = name
        self._ways = ways
        self._road = road
        self._ending = ending
        self._clock = clock
        self._home = os.path.abspath(home)
        self._under_way: set[Deferred[Sequence[Outcome]]] = set()

    def deliver(
        self, consignments: Sequence[Consignment]
    ) -> "Deferred[Sequence[Outcome]]":
        """Fires when every one was taken, refused, or could not be sent."""
        d = Deferred.fromCoroutine(self._deliver(consignments))
        self._under_way.add(d)
        return d.addBoth(self._ended, d)

    async def expired(self, c: Consignment, words: str) -> Outcome | None:
        """
        What becomes of it by its age; None when it is not too old.

        @param words: the last ones about it.
        """
        return self._ending.expired(c, words, self._clock.seconds())

    async def ended(self) -> None:
        """Return when nothing is under way."""
        while self._under_way:
            await deferLater(self._clock, 0.05)

    def _ended(
        self,
        result: "Sequence[Outcome] | Failure",
        d: "Deferred[Sequence[Outcome]]",
    ) -> "Sequence[Outcome] | Failure":
        self._under_way.discard(d)
        return result

    async def _deliver(self, consignments: Sequence[Consignment]) -> Sequence[Outcome]:
        sound, outcomes = await self._examined(consignments)
        groups: dict[_Trip, list[Consignment]] = defaultdict(list)
        for c in sound:
            site = site_of(c.recipient.address)
            groups[site, is_own(c.sender), c.asked.despite_tls].append(c)
        trips = [
            Deferred.fromCoroutine(self._trip(trip, group))
            for trip, group in groups.items()
        ]
        for told in await gatherResults(trips):
            outcomes += told
        return outcomes

    async def _trip(self, trip: "_Trip", group: Sequence[Consignment]) -> list[Outcome]:
        """Everything of a kind for one domain; never fails, for some may be sent."""
        outcomes: list[Outcome] = []
        soon = Soon(self._clock, self._road.settle)

        def tell(word: Word) -> None:
            outcomes.append(outcome := self._told(word))
            if outcome.state is State.DELIVERED:
                soon.add(outcome)

        try:
            way = await self._ways(*trip)
            road = self._road
            approach = Approach(way, road.hops, road.tls)
            await Round(approach, road.hands, shipments(group), tell, road.pace).run()
        except NoWay as no:
            now = self._clock.seconds()
            return [self._astray(c, no, now) for c in group]
        except Exception as error:
            self._log.failure("{site}: a fault", site=trip[0])
            why = f"a fault of ours: {type(error).__name__}"
            done = {o.key for o in outcomes}
            left = [c for c in group if c.key not in done]
            return outcomes + [self._told(Word(c, None, why)) for c in left]
        finally:
            soon.end()
        return outcomes

    async def _examined(
        self, consignments: Sequence[Consignment]
    ) -> tuple[list[Consignment], list[Outcome]]:
        """What is as it was, and the outcomes of what is damaged."""
        examination = Examination(Disk(), self._home)
        sound: list[Consignment] = []
        outcomes: list[Outcome] = []
        for c in consignments:
            try:
                fault = await self._examine(examination, c)
            except OSError as error:
                outcomes.append(self._told(Word(c, None, str(error))))
                continue
            if fault:
                self._log.critical("{id}: {why}", id=c.entry_id, why=fault)
                outcomes.append(c.outcome(State.CORRUPT, fault))
            else:
                sound.append(c)
        return sound, outcomes

    async def _examine(self, examination: Examination, c: Consignment) -> str:
        if not c.attempts:
            # As it came from the door: it costs no way to a thread.
            return ""
        fault: str = await self._road.hands.run(examination.fault, c)
        return fault

    def _astray(self, c: Consignment, no: NoWay, now: float) -> Outcome:
        outcome = self._ending.astray(c, no, now)
        delays = (max(0.0, now - c.received), 0.0, 0.0, 0.0)
        self._tell(outcome, Attempt(now, c, "", why=str(no.said), delays=delays))
        return outcome

    def _told(self, word: Word) -> Outcome:
        now = self._clock.seconds()
        outcome = self._ending.of(word, now)
        hop = word.hop
        attempt = Attempt(
            now,
            word.consignment,
            hop.host or hop.path if hop else "",
            hop.address if hop else "",
            hop.origin.address if hop else "",
            word.tls,
            word.answer or word.greeting,
            word.why,
            delays=word.delays,
            port=hop.port if hop else 0,
            spared=word.spared,
        )
        self._tell(outcome, attempt)
        return outcome

    def _tell(self, outcome: Outcome, attempt: Attempt) -> None:
        state = State.HELD if outcome.category else outcome.state
        try:
            status = parse_said(outcome.detail).status
            self._road.tell(evolve(attempt, state=state, status=status))
        except Exception:
            # What others make of it must not cost a delivery its note.
            self._log.failure("{id}: a try was not told", id=outcome.entry_id)
