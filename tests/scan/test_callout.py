"""Tests for L{smfd.scan.callout}."""

from typing import cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.hop import NextHop, Verification
from smfd.scan.callout import CallOut, Terms

HOP = NextHop("smtp", "192.0.2.9", 25)
KNOWN, UNKNOWN, UNSURE = (
    Verification.KNOWN,
    Verification.UNKNOWN,
    Verification.UNSURE,
)
TERMS = Terms(positive=100, negative=50, unsure=5, timeout=20, size=3, at_once=4)


class CallOutTests(SynchronousTestCase):
    """Next hops are asked, and not more than they must be."""

    def setUp(self) -> None:
        """Nobody was asked yet."""
        self.clock = Clock()
        self.asked: list[str] = []
        self.waiting: list[Deferred[Verification]] = []
        clock = cast(IReactorTime, self.clock)
        self.callout = CallOut(self.verify, clock, TERMS)

    def verify(self, hop: NextHop, address: str) -> Deferred[Verification]:
        """Answers when the test says so."""
        self.asked.append(address)
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def ask(self, address: str, says: Verification | None = None) -> Verification:
        """The answer; when it must be asked for, this is what the hop says."""
        d = self.callout.ask(HOP, address)
        if says is not None:
            self.waiting.pop().callback(says)
        return self.successResultOf(d)

    def test_kept(self) -> None:
        """An answer holds as long as its kind does, and no longer."""
        for says, seconds in (KNOWN, 100), (UNKNOWN, 50), (UNSURE, 5):
            name = f"{says.value}@a.ex"
            self.assertIs(says, self.ask(name, says))
            self.clock.advance(seconds - 1)
            self.assertIs(says, self.ask(name))
            self.clock.advance(1)
            self.assertNoResult(self.callout.ask(HOP, name))
            self.waiting.pop().callback(says)
        self.assertEqual(6, len(self.asked))

    def test_once(self) -> None:
        """One address is asked for once at a time, however many wait."""
        both = [self.callout.ask(HOP, "a@a.ex") for _ in "12"]
        self.assertEqual(1, len(self.asked))
        self.waiting.pop().callback(KNOWN)
        self.assertEqual([KNOWN, KNOWN], [self.successResultOf(d) for d in both])

    def test_case(self) -> None:
        """The letters of a local part are the other server's affair."""
        self.ask("a@a.ex", KNOWN)
        self.assertIs(UNKNOWN, self.ask("A@a.ex", UNKNOWN))

    def test_other_hop(self) -> None:
        """Another hop is asked anew."""
        self.ask("a@a.ex", UNKNOWN)
        d = self.callout.ask(NextHop("lmtp", path="/run/x"), "a@a.ex")
        self.assertNoResult(d)

    def test_slow(self) -> None:
        """A hop that does not answer in time has said nothing."""
        d = self.callout.ask(HOP, "a@a.ex")
        self.clock.advance(19)
        self.assertNoResult(d)
        self.clock.advance(1)
        self.assertIs(UNSURE, self.successResultOf(d))

    def test_broken(self) -> None:
        """A hop that cannot be reached has said nothing either."""
        self.callout.verify = lambda hop, address: fail(OSError())
        self.assertIs(UNSURE, self.ask("a@a.ex"))
        self.callout.verify = lambda hop, address: 1 // 0  # type: ignore[assignment, return-value]
        self.assertIs(UNSURE, self.ask("b@a.ex"))

    def test_at_once(self) -> None:
        """So many questions under way, half of them for one hop, and no more."""
        other = NextHop("smtp", "192.0.2.10", 25)
        third = NextHop("smtp", "192.0.2.11", 25)
        for hop in HOP, other:
            for n in range(2):
                self.assertNoResult(self.callout.ask(hop, f"a{n}@a.ex"))
            late = self.callout.ask(hop, "late@a.ex")
            self.assertIs(UNSURE, self.successResultOf(late))
        late = self.callout.ask(third, "late@a.ex")
        self.assertIs(UNSURE, self.successResultOf(late))
        self.assertNoResult(self.callout.ask(HOP, "a0@a.ex"))
        for d in self.waiting:
            d.callback(KNOWN)
        self.waiting.clear()
        # What could not be asked was not kept.
        self.assertIs(KNOWN, self.ask("late@a.ex", KNOWN))

    def test_client_gone(self) -> None:
        """Whoever stops waiting takes the answer from nobody else."""
        d = self.callout.ask(HOP, "a@a.ex")
        d.addErrback(lambda _: None)
        other = self.callout.ask(HOP, "a@a.ex")
        d.cancel()
        self.waiting.pop().callback(KNOWN)
        self.assertIs(KNOWN, self.successResultOf(other))
