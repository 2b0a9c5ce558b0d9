"""
Mail that goes on to another server, by SMTP or LMTP.

What is refused for ever after our 250 is never lost and never bounced to
somebody who may not have sent it: it is held in the quarantine of the
recipient's domain, with the words of the refusal.

Standards: RFC 5321 §4.5.4.1 (how long to try), §6.1.
"""

import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.delivery.relay_round import Round, Word, shipments
from smfd.interfaces import IDestination, IHands
from smfd.model.entry import Consignment, Outcome, State
from smfd.model.hop import NextHop
from smfd.model.verdict import UNDELIVERABLE
from smfd.net.smtp_client_open import Hops
from smfd.proto.answers import permanent, words
from smfd.store.atomic import Disk
from smfd.store.damage import Examination

#: RFC 5321 §4.5.4.1: at least four or five days.
LIFETIME = 5 * 86400.0

#: Who takes a domain's mail; None when nobody is named.
Route = Callable[[str], Awaitable[NextHop | None]]


@implementer(IDestination)
class RelayDestination:
    """
    Hands messages to the next hops of their domains.

    It cannot be done twice harmlessly: another server has no way to know a
    message again.  So little as can be is under way between its 250 and ours.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        route: Route,
        hops: Hops,
        hands: IHands,
        clock: IReactorTime,
        home: Path,
        lifetime: float = LIFETIME,
        disk: Disk | None = None,
        nowhere: str = "the domain has no next hop any more",
    ) -> None:
        """
        @param hands: read bodies from the disk.
        @param home: where what is left of damaged messages is kept.
        @param lifetime: seconds after which we give up.
        @param nowhere: what is said of a domain that has no route.
        """
        self.name = name
        self._route = route
        self._hops = hops
        self._hands = hands
        self._clock = clock
        self._home = os.path.abspath(home)
        self._disk = disk or Disk()
        self._lifetime = lifetime
        self._nowhere = nowhere
        self._under_way: set[Deferred[Sequence[Outcome]]] = set()

    def deliver(
        self, consignments: Sequence[Consignment]
    ) -> "Deferred[Sequence[Outcome]]":
        """Fires when every one was taken, refused, or could not be sent."""
        d = Deferred.fromCoroutine(self._deliver(consignments))
        self._under_way.add(d)
        return d.addBoth(self._ended, d)

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
        groups: dict[NextHop, list[Consignment]] = defaultdict(list)
        for consignment in sound:
            hop = await self._route(consignment.recipient.address.rpartition("@")[2])
            if hop is None:
                outcomes.append(self._outcome(Word(consignment, None, self._nowhere)))
            else:
                groups[hop].append(consignment)
        rounds = [
            Round(hop, self._hops, self._hands, shipments(group))
            for hop, group in groups.items()
        ]
        told = await gatherResults([Deferred.fromCoroutine(r.run()) for r in rounds])
        return outcomes + [self._outcome(word) for said in told for word in said]

    async def _examined(
        self, consignments: Sequence[Consignment]
    ) -> tuple[list[Consignment], list[Outcome]]:
        """What is as it was, and the outcomes of what is damaged."""
        examination = Examination(self._disk, self._home)
        sound: list[Consignment] = []
        outcomes: list[Outcome] = []
        for c in consignments:
            try:
                fault = await self._examine(examination, c)
            except OSError as error:
                outcomes.append(self._outcome(Word(c, None, str(error))))
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
        fault: str = await self._hands.run(examination.fault, c)
        return fault

    def _outcome(self, word: Word) -> Outcome:
        c, answer = word.consignment, word.answer
        said = word.why if answer is None else words(answer)
        if answer is not None and answer.code < 300:
            return c.outcome(State.DELIVERED, said)
        if answer is not None and permanent(answer):
            return self._undeliverable(c, f"the next hop refused it: {said}")
        if self._clock.seconds() - c.received > self._lifetime:
            days = self._lifetime / 86400
            return self._undeliverable(c, f"not delivered in {days:g} days: {said}")
        self._log.warn("{id}: not delivered yet: {why}", id=c.entry_id, why=said)
        return c.outcome(State.DUE, said)

    def _undeliverable(self, c: Consignment, why: str) -> Outcome:
        self._log.error("{id}: undeliverable: {why}", id=c.entry_id, why=why)
        return c.outcome(State.DUE, why, self._clock.seconds(), UNDELIVERABLE)
