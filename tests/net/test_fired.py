"""Answers that are there already."""

from typing import Any

from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smfd.net.fired import at_hand, is_deferred


class AtHandTests(SynchronousTestCase):
    """What is there is taken; all else is awaited."""

    def test_there(self) -> None:
        """A value is given, even when it is None."""
        self.assertEqual((5,), at_hand(succeed(5)))
        self.assertEqual((None,), at_hand(succeed(None)))

    def test_to_come(self) -> None:
        """What has not fired is awaited, and so is what waits for another."""
        waiting: Deferred[int] = Deferred()
        self.assertIsNone(at_hand(waiting))
        self.assertIsNone(at_hand(succeed(1).addCallback(lambda _: waiting)))

    def test_failure(self) -> None:
        """A failure is left where errbacks find it."""
        broken: Deferred[int] = fail(ValueError())
        self.assertIsNone(at_hand(broken))
        self.failureResultOf(broken, ValueError)

    def test_deferred(self) -> None:
        """Whatever comes later is told apart from what is there, None too."""
        waiting: Deferred[int] = Deferred()
        several: Deferred[Any] = DeferredList([])
        for later in (waiting, several):
            self.assertTrue(is_deferred(later))
        for there in None, 5, Deferred:
            self.assertFalse(is_deferred(there))
