"""Tests for L{smfd.smtpd.deadline}."""

from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.smtpd.deadline import Deadlines


class DeadlineTests(SynchronousTestCase):
    """Whoever is late is told so, once and in time."""

    def setUp(self) -> None:
        """Deadlines of ten seconds and more."""
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, 10.0)
        self.late: list[str] = []

    def test_each_in_time(self) -> None:
        """Everybody's own time counts, and it counts once."""
        for name, seconds in (("slow", 25.0), ("quick", 12.0)):
            deadline = self.deadlines.start(partial(self.late.append, name))
            deadline.expect(seconds)
        self.clock.pump([10.0, 1.9])
        self.assertEqual([], self.late)
        self.clock.advance(0.1)
        self.assertEqual(["quick"], self.late)
        self.clock.pump([10.0, 3.0, 60.0])
        self.assertEqual(["quick", "slow"], self.late)

    def test_moved(self) -> None:
        """Who says something in time has time again."""
        deadline = self.deadlines.start(lambda: self.late.append("he"))
        deadline.expect(15.0)
        self.clock.pump([10.0, 4.0])
        deadline.expect(15.0, at_most=27.0)
        self.clock.pump([10.0, 2.9])
        self.assertEqual([], self.late)
        self.clock.advance(0.1)
        self.assertEqual(["he"], self.late)

    def test_ended(self) -> None:
        """Who is gone is not late, and the last one leaves nothing that waits."""
        one = self.deadlines.start(lambda: self.late.append("one"))
        two = self.deadlines.start(lambda: self.late.append("two"))
        one.expect(10.0)
        one.stop()
        self.clock.pump([10.0, 10.0])
        two.stop()
        self.assertEqual(([], []), (self.late, self.clock.getDelayedCalls()))

    def test_fault(self) -> None:
        """A fault of ours with one keeps no other from his deadline."""
        for _ in range(2):
            self.deadlines.start(self._break).expect(10.0)
        self.clock.advance(10.0)
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.assertEqual(1, len(self.clock.getDelayedCalls()))

    def _break(self) -> None:
        raise ZeroDivisionError
