"""Tests of smfd.policy.window: so many in any minute."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.window import Window


class WindowTests(SynchronousTestCase):
    """Windows of three in ten seconds."""

    @given(st.lists(st.floats(0, 4), max_size=200))
    def test_any(self, steps: list[float]) -> None:
        """In no ten seconds are there more than three, whenever they are asked for."""
        window, now, taken = Window(3, 10.0), 0.0, []
        for step in steps:
            now += step
            if window.take(now):
                taken.append(now)
        for first, fourth in zip(taken, taken[3:], strict=False):
            self.assertGreaterEqual(fourth, first + 10.0)

    def test_wait(self) -> None:
        """It says how long there is none; what is given back may be taken anew."""
        window = Window(3, 10.0)
        for now in 0.0, 4.0, 5.0:
            self.assertTrue(window.take(now))
        self.assertEqual(4.0, window.wait(6.0))
        window.give_back()
        self.assertEqual(0.0, window.wait(6.0))
        self.assertTrue(window.take(6.0))
        self.assertFalse(window.take(9.0))
        self.assertEqual((False, True), (window.full(15.9), window.full(16.0)))
        window.give_back()

    def test_clock(self) -> None:
        """A clock that is set back makes nobody wait for longer than a window."""
        window = Window(3, 10.0)
        for _ in range(3):
            window.take(1000.0)
        self.assertEqual(10.0, window.wait(50.0))
        self.assertEqual(0.0, window.wait(60.0))
