"""Tests for L{smfd.policy.report_days}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.report_days import SPREAD, Day, due

DAY = 86_400
NUMBER = 20_000
OVER = (NUMBER + 1) * DAY + 60.0


class DayTests(SynchronousTestCase):
    """When a domain is told."""

    def test_due(self) -> None:
        """When the day is over, the oldest first, and no more than are wanted."""
        keys = [Day(NUMBER - n, "a.test").key for n in range(-2, 5)]
        found = due([*keys, "", "x", "1x a.test", "20000 "], OVER + SPREAD, 3)
        self.assertEqual([4, 3, 2], [NUMBER - day.number for day in found])
        self.assertEqual(5, len(due(keys, OVER + SPREAD, 99)))
        day = found[0]
        self.assertEqual((DAY - 1, "a.test"), (day.end - day.begin, day.domain))

    def test_spread(self) -> None:
        """Over some hours, each domain at the same time of each day."""
        names = [f"site{n}.test" for n in range(200)]

        def told(number: int) -> list[str]:
            now = OVER + (number - NUMBER) * DAY + SPREAD / 4
            keys = [Day(number, name).key for name in names]
            return [day.domain for day in due(keys, now, 999)]

        self.assertEqual(told(NUMBER), told(NUMBER + 1))
        self.assertTrue(20 < len(told(NUMBER)) < 80)

    @given(st.lists(st.text()), st.floats(0, 1e11))
    def test_anything(self, keys: list[str], now: float) -> None:
        """Whatever a file gives back, nothing is due before it is over."""
        for day in due(keys, now, 99):
            self.assertLess(day.end, now)
