"""
What one message asks of the DNS, and what it was told.
"""

from collections.abc import Iterable
from functools import partial
from math import inf

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from smfd.net.dns_answer import Answer, DNSTrouble, Key, Lookup


@define
class Budget:
    """
    The look-ups of one message: after C{most} of them there are no answers.

    First see what is L{lacking}, then L{learn} that, then L{answer} has it.

    @ivar used: how many there were.
    @ivar until: when the first of the answers is no longer good; 0 when one
        could not be had.
    """

    resolver: Lookup
    most: int
    used: int = 0
    until: float = inf
    _answers: dict[Key, Answer | None] = field(factory=dict, init=False)

    def lacking(self, keys: Iterable[Key]) -> list[Key]:
        """Those that must be asked for; the others are taken at once."""
        return [key for key in dict.fromkeys(keys) if not self._at_hand(key)]

    def learn(self, keys: Iterable[Key]) -> Deferred[list[None]]:
        """Ask for all of them at once; fires when they are there, never fails."""
        asked = [self._ask(key) for key in keys if self._affordable(key)]
        return gatherResults(asked, consumeErrors=True)

    def answer(self, key: Key) -> Answer | None:
        """What is there for something learned; None when nobody could tell."""
        return self._answers[key]

    def _at_hand(self, key: Key) -> bool:
        if key in self._answers:
            return True
        try:
            known = self.resolver.known(*key)
        except DNSTrouble:
            known = None
        else:
            if known is None:
                return False
        if self._affordable(key):
            self._note(known, key)
        return True

    def _affordable(self, key: Key) -> bool:
        """Count a look-up; one too many has no answer."""
        self.used += 1
        if self.used > self.most:
            self._note(None, key)
        return self.used <= self.most

    def _ask(self, key: Key) -> Deferred[None]:
        return self.resolver.lookup(*key).addCallbacks(
            self._note, partial(self._trouble, key), callbackArgs=(key,)
        )

    def _note(self, answer: Answer | None, key: Key) -> None:
        self._answers[key] = answer
        self.until = min(self.until, 0.0 if answer is None else answer.until)

    def _trouble(self, key: Key, failure: Failure) -> None:
        failure.trap(DNSTrouble)
        self._note(None, key)
