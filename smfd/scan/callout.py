"""
Recipients verified by asking the server that has the mailboxes (C16).

An answer is kept for a while, one address is asked for once at a time, and the
questions under way are bounded: who cannot be asked now is not known, and
nobody is refused for good because of that.
"""

from collections.abc import Callable

from attrs import define, field, frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.model.hop import NextHop, Verification
from smfd.net.conclusions import Conclusions

#: Asks a hop for an address.  May fail, and may take long.
Verify = Callable[[NextHop, str], Deferred[Verification]]

Key = tuple[str, str]


@frozen
class Terms:
    """
    For how long an answer holds, and how many there are.  Seconds.

    @ivar positive: for a recipient that is known.
    @ivar negative: for one that is not.
    @ivar unsure: for no answer: the hop is spared for a moment.
    @ivar timeout: how long a question may take.
    @ivar size: answers that are kept.
    @ivar at_once: questions under way; half of them may be for one hop.
    """

    positive: float = 86400.0
    negative: float = 3600.0
    unsure: float = 10.0
    timeout: float = 20.0
    size: int = 20_000
    at_once: int = 50


@define
class CallOut:
    """Asks next hops for recipients, and remembers what they said."""

    verify: Verify
    clock: IReactorTime
    terms: Terms = Terms()
    _said: Conclusions[Key, Verification] = field(init=False)
    _waiting: dict[Key, list[Deferred[Verification]]] = field(factory=dict, init=False)

    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._said = Conclusions(self.clock.seconds, self.terms.size)

    def ask(self, hop: NextHop, address: str) -> Deferred[Verification]:
        """What the hop says of an address; UNSURE when it does not say."""
        # RFC 5321 §2.4: a local part may mean another in other letters.
        key = (str(hop), address)
        said = self._said.get(key)
        if said is not None:
            return succeed(said)
        if key in self._waiting:
            return self._await(key)
        if self._is_busy(key[0]):
            return succeed(Verification.UNSURE)
        self._waiting[key] = []
        answer = self._await(key)
        d = defer.maybeDeferred(self.verify, hop, address)
        d.addTimeout(self.terms.timeout, self.clock)
        d.addErrback(self._failed, hop)
        d.addCallback(self._answered, key)
        return answer

    def _is_busy(self, hop: str) -> bool:
        """A hop that is slow has half of all questions, and no more."""
        of_hop = sum(waiting == hop for waiting, _ in self._waiting)
        most = self.terms.at_once
        return len(self._waiting) >= most or of_hop >= max(1, most // 2)

    def _await(self, key: Key) -> Deferred[Verification]:
        d: Deferred[Verification] = Deferred()
        self._waiting[key].append(d)
        return d

    def _failed(self, failure: Failure, hop: NextHop) -> Verification:
        self._log.warn(
            "{hop} cannot be asked for recipients: {why}",
            hop=str(hop),
            why=failure.getErrorMessage() or type(failure.value).__name__,
        )
        return Verification.UNSURE

    def _answered(self, said: Verification, key: Key) -> None:
        terms = self.terms
        seconds = {
            Verification.KNOWN: terms.positive,
            Verification.UNKNOWN: terms.negative,
            Verification.UNSURE: terms.unsure,
        }[said]
        self._said.put(key, said, self.clock.seconds() + seconds)
        for d in self._waiting.pop(key):
            d.callback(said)
