"""Tests for L{smfd.scan.turns}."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.finding import Finding
from smfd.model.transaction import Transaction
from smfd.scan.chain import Chain
from smfd.scan.turns import Crowded, Turns
from tests import sample
from tests.scan.test_chain import ScriptedStage


class SilentStage(ScriptedStage):
    """Never answers."""

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Note the question."""
        self.asked.append(transaction)
        return Deferred()


class TurnsTests(SynchronousTestCase):
    """A flood waits for itself."""

    def setUp(self) -> None:
        """Two turns at once."""
        self.clock = Clock()
        self.turns = Turns(2, 60.0, self.clock)
        self.served: list[str] = []

    def come(self, source: str) -> Deferred[None]:
        """A message of a source waits for its turn."""
        turn = self.turns.take(source)
        return turn.addCallback(lambda _: self.served.append(source))

    def test_fair(self) -> None:
        """Who comes behind a hundred messages of a flood is served next."""
        for _ in range(100):
            self.come("flood")
        self.come("good")
        self.come("better")
        self.assertEqual(["flood"] * 2, self.served)
        for _ in range(4):
            self.turns.done()
        self.assertEqual(["flood", "good", "better", "flood"], self.served[2:])
        self.assertEqual((2, 96), (self.turns.busy, len(self.turns)))

    def test_all_are_served(self) -> None:
        """In the end nobody waits, and no turn is lost."""
        for n in range(50):
            self.come(f"source {n % 7}")
        for _ in range(50):
            self.turns.done()
        self.assertEqual(50, len(self.served))
        self.assertEqual((0, 0), (self.turns.busy, len(self.turns)))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_too_long(self) -> None:
        """Who waited for too long is told so, and takes nobody's turn."""
        for _ in range(2):
            self.come("flood")
        late = self.come("good")
        self.clock.advance(59.9)
        self.assertNoResult(late)
        self.clock.advance(0.2)
        self.failureResultOf(late, Crowded)
        self.turns.done()
        self.turns.done()
        self.assertEqual((0, 0), (self.turns.busy, len(self.turns)))

    def test_chain(self) -> None:
        """The chain looks at so many messages at once, and no more."""
        stage = SilentStage("virus", ())
        chain = Chain({"virus": stage}, 30.0, self.clock, {}, self.turns)
        runs = [chain.run(sample.transaction()) for _ in range(3)]
        self.assertEqual((2, 1), (len(stage.asked), len(self.turns)))
        # Both are late; the third has its turn, and a deadline of its own.
        self.clock.advance(30.0)
        self.successResultOf(runs[0])
        self.successResultOf(runs[1])
        self.assertEqual((3, 1), (len(stage.asked), self.turns.busy))
        self.assertNoResult(runs[2])
