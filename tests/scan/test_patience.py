"""Tests for L{smfd.scan.patience}."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.scan.patience import Patience


class PatienceTests(SynchronousTestCase):
    """Each is waited for as long as was said, and no longer."""

    def setUp(self) -> None:
        """A clock of our own."""
        self.clock = Clock()
        self.patience = Patience(self.clock)

    def wait(self, seconds: float = 10.0) -> Deferred[str]:
        """One who has not answered yet."""
        return self.patience.wait(Deferred(), seconds)

    def test_each_in_its_time(self) -> None:
        """Whoever came later is due later."""
        first = self.wait()
        self.clock.advance(4)
        second = self.wait()
        self.clock.advance(5.9)
        self.assertNoResult(first)
        self.clock.advance(0.2)
        self.failureResultOf(first, CancelledError)
        self.clock.advance(3.8)
        self.assertNoResult(second)
        self.clock.advance(0.2)
        self.failureResultOf(second, CancelledError)

    def test_shorter(self) -> None:
        """Whoever came later may be due sooner, or at once."""
        long, short, none = self.wait(), self.wait(3.0), self.wait(0.0)
        self.clock.advance(0.0)
        self.failureResultOf(none, CancelledError)
        self.clock.advance(2.9)
        self.assertNoResult(short)
        self.clock.advance(0.2)
        self.failureResultOf(short, CancelledError)
        self.assertNoResult(long)
        self.clock.advance(7.0)
        self.failureResultOf(long, CancelledError)

    def test_one_call(self) -> None:
        """However many there are, the clock is asked for one call, and then none."""
        waiting = [self.wait(seconds) for seconds in (10.0, 9.0, 11.0)]
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        for answer in waiting:
            answer.callback("done")
            self.assertEqual("done", self.successResultOf(answer))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_again(self) -> None:
        """Whoever is given up may begin anew; the others are not kept waiting."""
        first, again = self.wait(), Deferred[str]()
        self.clock.advance(4)
        second = self.wait()

        def begin(_: object) -> None:
            self.patience.wait(again, 10.0)

        first.addErrback(begin)
        self.clock.advance(6)
        self.clock.advance(4)
        self.failureResultOf(second, CancelledError)
        self.assertNoResult(again)
        self.clock.advance(6)
        self.failureResultOf(again, CancelledError)
        self.assertEqual([], self.clock.getDelayedCalls())
