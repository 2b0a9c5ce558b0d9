"""
What becomes of mail that another server took, or would not take.

Standards: RFC 3461 §5.2, RFC 5321 §4.5.4.1, RFC 3463.
"""

from typing import Protocol

from attrs import evolve, frozen
from twisted.logger import Logger

from smfd.delivery.word import Word
from smfd.model.entry import Consignment, Outcome, State
from smfd.model.said import Said, parse_said
from smfd.model.verdict import UNDELIVERABLE
from smfd.policy.mx import NoWay
from smfd.policy.origins import is_own
from smfd.proto.answers import permanent

_log = Logger()

_DAY = 86400.0

#: RFC 5321 §4.5.4.1: at least four or five days.
LIFETIME = 5 * _DAY

#: RFC 3463 §3.5: its time is over.
_EXPIRED = "5.4.7"


class Ending(Protocol):
    """Says what becomes of a consignment."""

    def of(self, word: Word, now: float) -> Outcome:
        """By what came of a try."""

    def astray(self, c: Consignment, no: NoWay, now: float) -> Outcome:
        """By why nobody was tried."""

    def expired(self, c: Consignment, words: str, now: float) -> Outcome | None:
        """By the last words on it, if it is too old; else None."""


@frozen
class Kept:
    """
    Mail for hosted domains.

    What is refused for ever after our 250 is never lost and never bounced to
    somebody who may not have sent it: it is held in the quarantine of the
    recipient's domain, with the words of the refusal.  Who logged in to send it
    is the sender, and is told.

    @ivar lifetime: seconds after which we give up.
    """

    lifetime: float = LIFETIME

    def of(self, word: Word, now: float) -> Outcome:
        """Delivered, held, or due."""
        c, answer, said = word.consignment, word.answer, word.words
        if answer is not None and answer.code < 300:
            return taken(word, said)
        if answer is not None and permanent(answer):
            if c.account:
                return c.outcome(State.FAILED, str(word.said))
            return held(c, f"the next hop refused it: {said}", now)
        return self._due(c, said, now, word)

    def astray(self, c: Consignment, no: NoWay, now: float) -> Outcome:
        """Due: a domain of ours that has no next hop will have one."""
        return self._due(c, no.said.text, now, Word(c, None, of_site=True))

    def expired(self, c: Consignment, words: str, now: float) -> Outcome | None:
        """Held, or told."""
        if c.account:
            return Told(self.lifetime).expired(c, words, now)
        if now - c.received <= self.lifetime:
            return None
        return held(c, f"not delivered in {_days(self.lifetime)}: {words}", now)

    def _due(self, c: Consignment, said: str, now: float, word: Word) -> Outcome:
        outcome = self.expired(c, said, now)
        if outcome is not None:
            return outcome
        _log.warn("{id}: not delivered yet: {why}", id=c.entry_id, why=said)
        return due(word, said, now)


@frozen
class Told:
    """
    Mail of our users to the world: who sent it hears of it, for he is one of
    ours.  A forward is held instead: its sender may be anybody's invention.

    @ivar lifetime: seconds after which we give up.
    @ivar bounces: the same for what is from nobody.
    """

    lifetime: float = LIFETIME
    bounces: float = LIFETIME

    def of(self, word: Word, now: float) -> Outcome:
        """Delivered, failed, or due; with the last word as L{Said}."""
        c, answer, said = word.consignment, word.answer, word.said
        if answer is not None and answer.code < 300:
            return taken(word, str(said))
        if answer is not None and permanent(answer):
            return self._failed(c, said, now)
        return self._due(word, said, now)

    def astray(self, c: Consignment, no: NoWay, now: float) -> Outcome:
        """Failed or due, as the DNS has it."""
        if no.permanent:
            return self._failed(c, no.said, now)
        return self._due(Word(c, None, of_site=True), no.said, now)

    def expired(self, c: Consignment, words: str, now: float) -> Outcome | None:
        """Failed, and the sender hears the last words."""
        lifetime = self.lifetime if c.sender else self.bounces
        if now - c.received <= lifetime:
            return None
        said = parse_said(words)
        why = f"not delivered in {_days(lifetime)}: {said.text}"
        return self._failed(c, evolve(said, status=_EXPIRED, text=why), now)

    def _due(self, word: Word, said: Said, now: float) -> Outcome:
        words = str(said)
        outcome = self.expired(word.consignment, words, now)
        return outcome or due(word, words, now)

    def _failed(self, c: Consignment, said: Said, now: float) -> Outcome:
        if not is_own(c.sender) and (c.sender or _is_forward(c)):
            return held(c, str(said), now)
        return c.outcome(State.FAILED, str(said))


def taken(word: Word, words: str) -> Outcome:
    """
    Handed on.

    RFC 3461 §5.2.1: who asked to be told of success is told by the server that
    took it, if that one knows how; else by us.
    """
    outcome = word.consignment.outcome(State.DELIVERED, words)
    return evolve(outcome, notice="") if word.notifies else outcome


def _is_forward(c: Consignment) -> bool:
    """Whether a domain of ours keeps it for another's recipient."""
    return c.recipient.keeper != c.recipient.address.rpartition("@")[2]


def _days(seconds: float) -> str:
    return f"{seconds / _DAY:g} days"


def due(word: Word, why: str, now: float) -> Outcome:
    """To be tried again."""
    next_try = now + word.wait if word.wait else 0.0
    outcome = word.consignment.outcome(State.DUE, why, next_try)
    return evolve(outcome, of_site=word.of_site)


def held(c: Consignment, why: str, now: float) -> Outcome:
    """To the quarantine, where people look."""
    _log.error("{id}: undeliverable: {why}", id=c.entry_id, why=why)
    return c.outcome(State.DUE, why, now, UNDELIVERABLE)
