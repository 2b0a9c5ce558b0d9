"""
What others think of our mail, gathered from each try to hand some on.

It is asked before something is sent (how fast, and whether to that address at
all) and told afterwards what came of it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.control.times import utc
from smfd.model.attempt import Attempt
from smfd.model.entry import REMOTE, State
from smfd.policy.causes import cause, spoken
from smfd.policy.diagnosis import COMPLAINT, SENT
from smfd.policy.missing import Missing
from smfd.policy.paces import Paces
from smfd.policy.suppression import Suppressed, again, is_hard
from smfd.proto.answers import words
from smfd.store.deliveries import (
    ROUND,
    Deliveries,
    Way,
    redacted,
)
from smfd.store.rounds import Rounds
from smfd.store.suppressions import Suppressions


@frozen
class Terms:
    """
    What is done with what is learned.

    @ivar suppress: whether nothing is sent to addresses that do not exist.
    @ivar month: seconds for which it is so.
    """

    suppress: bool = True
    month: float = 30 * 86_400.0


def _nobody(account: str, unknown: int) -> Deferred[Any]:
    """Nobody wants to know."""
    return succeed(None)


@define(eq=False)
class Deliverability(Service):
    """
    Learns from each try.

    @ivar bounced: told now and then to how many that do not exist an account
        wrote.
    """

    name = "deliverability"

    deliveries: Deliveries
    suppressions: Suppressions
    paces: Paces
    clock: IReactorTime
    terms: Terms = field(factory=Terms)
    bounced: Callable[[str, int], Deferred[Any]] = _nobody
    _nobodies: Counter[str] = field(factory=Counter, init=False)
    _missing: Missing = field(factory=Missing, init=False)
    _rounds: Rounds = field(init=False)
    _trouble: str = field(default="", init=False)

    _log = Logger()

    @_rounds.default
    def _writings(self) -> Rounds:
        return Rounds(self.write, self.clock, ROUND, "nothing is written")

    def startService(self) -> None:
        """Read what is known; until that is done nobody is suppressed."""
        super().startService()
        self.suppressions.load().addErrback(self._failed)
        today = self.deliveries.today(self.clock.seconds())
        today.addCallbacks(self._warmed, self._failed)
        self._rounds.start()

    def stopService(self) -> Deferred[Any]:
        """Write what is left."""
        super().stopService()
        self._rounds.stop()
        return self.write()

    def write(self) -> Deferred[Any]:
        """Write what is new; never fails: what cannot be written waits."""
        now = self.clock.seconds()
        self.suppressions.forget(now)
        writing = self.deliveries.write(now), self.suppressions.write(), *self._told()
        return DeferredList(writing, consumeErrors=True).addCallback(self._wrote)

    def _told(self) -> Iterator[Deferred[Any]]:
        """Say who wrote to many that do not exist."""
        nobodies, self._nobodies = self._nobodies, Counter()
        for account, number in nobodies.items():
            told = self.bounced(account, number)
            yield told.addErrback(self._untold, account, number)

    def _untold(self, failure: Failure, account: str, number: int) -> Failure:
        self._nobodies[account] += number
        return failure

    def note(self, attempt: Attempt) -> None:
        """Learn from one try; never fails."""
        try:
            self._learn(attempt)
        except Exception:
            # What became of mail must not hang on what we think of it.
            self._log.failure("{id}: a try", id=attempt.consignment.entry_id)

    def _learn(self, attempt: Attempt) -> None:
        c = attempt.consignment
        if c.recipient.destination != REMOTE or attempt.spared:
            # Where hosted domains have their mailboxes, nobody judges us; nor
            # does he whom we spare ourselves.
            return
        provider = self.paces.providers.of(attempt.host or attempt.site)
        way = Way(
            c.sender.rpartition("@")[2].lower(),
            c.account,
            provider.name,
            attempt.source,
        )
        answer = attempt.answer or spoken(attempt.why)
        if answer is not None and answer.positive:
            self.deliveries.count(attempt.time, way, SENT)
            self._reached(way.domain, c.recipient.address)
            return
        why = cause(answer, attempt.why)
        if attempt.state is State.DUE:
            # A greeting of 5yz: our words for it are that it is tried again.
            why = evolve(why, permanent=False)
        said = attempt.why if answer is None else words(answer)
        self.deliveries.failed(attempt.time, way, why, attempt.host, said)
        self.paces.note(attempt.host, attempt.source, why)
        if c.account and is_hard(why, c.recipient.address):
            if attempt.answer is not None:
                self._nobodies[c.account] += 1
                self._unknown(way.domain, attempt, said)
            elif self._missing.is_new(c.account, attempt.site, attempt.time):
                self._nobodies[c.account] += 1

    def complained(self, sender: str, account: str, by: str) -> None:
        """
        A recipient told his provider that it was spam.

        @param by: the domain that passes it on, or "".
        """
        provider = self.paces.providers.of(by).name
        way = Way(sender.rpartition("@")[2].lower(), account, provider, "")
        self.deliveries.count(self.clock.seconds(), way, COMPLAINT)

    def refusal(self, sender: str, recipient: str) -> str:
        """Why nothing is sent there, a sentence; or ""."""
        if not self.terms.suppress:
            return ""
        domain = sender.rpartition("@")[2]
        found = self.suppressions.active(domain, recipient, self.clock.seconds())
        return "" if found is None else _sentence(found)

    def _reached(self, domain: str, recipient: str) -> None:
        if self.suppressions.get(domain, recipient) is not None:
            self.suppressions.drop(domain, recipient)

    def _unknown(self, domain: str, attempt: Attempt, said: str) -> None:
        recipient = attempt.consignment.recipient.address
        assert attempt.answer is not None
        known = self.suppressions.get(domain, recipient)
        found = again(
            known, attempt.answer, redacted(said), attempt.time, self.terms.month
        )
        if found is not known:
            self.suppressions.put(domain, recipient, found)

    def _warmed(self, today: Any) -> None:
        now = self.clock.seconds()
        for (source, provider), number in today.items():
            self.paces.warm_up.count(source, provider, now, number)

    def _failed(self, failure: Failure) -> None:
        self._log.warn("what others think of us is not read: {why}", why=failure.value)

    def _wrote(self, results: Iterable[tuple[bool, Any]]) -> None:
        """Say so once when it begins, and once when it is over."""
        troubles = {str(found.value) for well, found in results if not well}
        why, before = "; ".join(sorted(troubles)), self._trouble
        self._trouble = why
        if why and why != before:
            log = "what others think of us is in memory only: {why}"
            self._log.warn(log, why=why)
        elif before and not why:
            self._log.info("what others think of us is written again")


def _sentence(found: Suppressed) -> str:
    return (
        f"That address does not exist, its server said {utc(found.last)}:"
        f" {found.why[:200]}; nothing is sent there until {utc(found.ends)},"
        " unless your postmaster allows it"
    )
