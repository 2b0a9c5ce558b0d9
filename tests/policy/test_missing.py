"""Tests for L{smfd.policy.missing}."""

from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from smfd.policy import missing
from smfd.policy.missing import Missing


class MissingTests(SynchronousTestCase):
    """Domains that are not there, and who wrote to them."""

    def test_a_day(self) -> None:
        """It is one mistake for a day, of each account."""
        known = Missing()
        self.assertTrue(known.is_new("ann", "a.test", 1000.0))
        self.assertFalse(known.is_new("ann", "a.test", 1000.0 + 86_399))
        self.assertTrue(known.is_new("bob", "a.test", 1000.0))
        self.assertTrue(known.is_new("ann", "a.test", 1000.0 + 86_400))
        self.assertTrue(known.is_new("ann", "a.test", 5.0), "the clock was set back")

    def test_bound(self) -> None:
        """However many there are, so many are remembered, the last ones."""
        with patch.object(missing, "_MOST", 2):
            known = Missing()
            for n in range(3):
                self.assertTrue(known.is_new("ann", f"{n}.test", 1000.0))
            self.assertFalse(known.is_new("ann", "2.test", 1000.0))
            self.assertTrue(known.is_new("ann", "0.test", 1000.0))
