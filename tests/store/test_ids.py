"""Names sort by time and never come twice."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.store.ids import new_id


class IdTests(SynchronousTestCase):
    """What the names of messages promise."""

    @given(st.integers(0, 2**47), st.integers(1, 10**6))
    def test_sorted_by_time(self, ms: int, later: int) -> None:
        """A later message has a greater name."""
        self.assertLess(new_id(ms / 1000), new_id((ms + later + 1) / 1000))

    def test_shape(self) -> None:
        """Sixteen characters that nobody reads wrongly over the telephone."""
        for _ in range(100):
            self.assertRegex(new_id(1.7e9), "^[0-9a-hjkmnp-tv-z]{16}$")

    def test_unique_when_time_stands_still(self) -> None:
        """A clock that stops, or steps back, makes no name twice."""
        names = [new_id(1.7e9) for _ in range(5000)]
        self.assertEqual(5000, len(set(names)))
