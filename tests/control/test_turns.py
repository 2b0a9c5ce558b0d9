"""Tests of smfd.control.turns: who may guess next."""

from math import inf

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.control.turns import Turns


class TurnsTests(SynchronousTestCase):
    """Three places to wait in."""

    def setUp(self) -> None:
        """Nobody waits."""
        self.clock = Clock()
        self.turns = Turns(self.clock, 3)
        self.called: list[str] = []

    def wait(self, name: str, rank: float, seconds: float | None = None) -> None:
        """Somebody does."""
        turn: Deferred[bool] = self.turns.wait((rank, 0.0), seconds)
        turn.addCallback(lambda go: self.called.append(name if go else f"{name} not"))

    def test_order(self) -> None:
        """The lower rank goes first, then who came first."""
        self.wait("a", inf)
        self.wait("b", 5.0)
        self.wait("c", 5.0)
        self.turns.call()
        self.assertEqual(["b", "c", "a"], self.called)
        self.turns.call()
        self.assertEqual(3, len(self.called))

    def test_full(self) -> None:
        """Who would go last makes room; who would go after all others has none."""
        for name in "abc":
            self.wait(name, 7.0)
        self.wait("d", 8.0)
        self.assertEqual(["d not"], self.called)
        self.wait("e", 7.0)
        self.wait("f", 1.0)
        self.turns.call()
        self.assertEqual(["d not", "a not", "b not", "f", "c", "e"], self.called)

    def test_time(self) -> None:
        """All try again at the earliest time that one of them named."""
        self.wait("a", 1.0, 5.0)
        self.wait("b", 2.0, 2.0)
        self.wait("c", 3.0)
        self.clock.advance(1.9)
        self.assertEqual([], self.called)
        self.clock.advance(0.1)
        self.assertEqual(["a", "b", "c"], self.called)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_called_before(self) -> None:
        """Whoever was called has no time of his own any more."""
        self.wait("a", 1.0, 5.0)
        self.turns.call()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_gone(self) -> None:
        """Who hung up while he waited is in nobody's way."""
        turn = self.turns.wait((1.0, 0.0), 5.0)
        turn.addErrback(lambda _: None)
        turn.cancel()
        self.wait("b", 2.0)
        self.turns.call()
        self.assertEqual(["b"], self.called)
