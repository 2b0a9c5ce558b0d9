"""One call that is wanted at many times."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.delivery.timer import Timer


class TimerTests(SynchronousTestCase):
    """The earliest of them counts."""

    def setUp(self) -> None:
        """Write down when it rings."""
        self.clock = Clock()
        self.rang: list[float] = []
        self.timer = Timer(self.clock, lambda: self.rang.append(self.clock.seconds()))

    def pass_time(self) -> None:
        """Ten seconds."""
        self.clock.pump([1.0] * 10)

    def test_earliest(self) -> None:
        """It rings once, at the earliest time, whichever came first."""
        for orders in ((5, 3, 7), (3, 5), (7, 3)):
            begun = self.clock.seconds()
            for seconds in orders:
                self.timer.within(seconds)
            self.pass_time()
            self.assertEqual([begun + 3], self.rang)
            self.rang.clear()

    def test_anew(self) -> None:
        """Who is called may set it again."""

        def again() -> None:
            self.rang.append(self.clock.seconds())
            self.timer.within(2)

        self.timer.ring = again
        self.timer.within(1)
        self.pass_time()
        self.assertEqual(5, len(self.rang))

    def test_stop(self) -> None:
        """It is stopped, twice if need be, and set again."""
        self.timer.within(1)
        self.timer.stop()
        self.timer.stop()
        self.pass_time()
        self.assertEqual([], self.rang)
        self.timer.within(1)
        self.pass_time()
        self.assertEqual([11.0], self.rang)
