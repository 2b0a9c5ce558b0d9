"""Tests for L{smfd.policy.bucket}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.bucket import TokenBucket

Steps = st.lists(st.tuples(st.floats(0, 50), st.integers(1, 5)), max_size=60)


class BucketTests(SynchronousTestCase):
    """So many at once, so many more with time, and never one more."""

    def test_full_at_first(self) -> None:
        """Ten may come at once, the eleventh may not."""
        bucket = TokenBucket.filled(10, 60.0, 1000.0)
        self.assertEqual(
            [True] * 10 + [False], [bucket.take(1000.0) for _ in range(11)]
        )
        self.assertAlmostEqual(6.0, bucket.wait(1000.0))
        self.assertTrue(bucket.take(1006.01))
        self.assertFalse(bucket.take(1006.02))

    def test_all_or_none(self) -> None:
        """What cannot be had whole is not taken in part; drained, it is."""
        bucket = TokenBucket.filled(10, 60.0, 0.0)
        self.assertFalse(bucket.take(0.0, 11))
        self.assertTrue(bucket.full(0.0))
        self.assertFalse(bucket.drain(0.0, 11))
        self.assertFalse(bucket.take(0.0))
        self.assertFalse(bucket.full(59.0))
        self.assertTrue(bucket.full(60.5))

    def test_clock_back(self) -> None:
        """A clock that is set back opens nothing and shuts nothing for long."""
        bucket = TokenBucket.filled(2, 60.0, 1000.0)
        self.assertTrue(bucket.take(1000.0, 2))
        self.assertFalse(bucket.take(10.0))
        self.assertTrue(bucket.take(41.0))

    @given(Steps, st.integers(1, 20), st.floats(1.0, 600.0))
    def test_never_more(
        self, steps: list[tuple[float, int]], size: int, seconds: float
    ) -> None:
        """Within any time, no more than it held and gained is given out."""
        bucket, now, given_out = TokenBucket.filled(size, seconds, 0.0), 0.0, 0
        for pause, wanted in steps:
            now += pause
            given_out += wanted if bucket.take(now, wanted) else 0
            self.assertLessEqual(given_out, size + now * size / seconds + 1e-6)
