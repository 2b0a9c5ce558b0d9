"""What a service does again and again."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.store.rounds import Rounds


class RoundsTests(SynchronousTestCase):
    """One round at a time, whatever becomes of it."""

    def setUp(self) -> None:
        """A round lasts until the test ends it."""
        self.clock = Clock()
        self.under_way: list[Deferred[None]] = []
        self.rounds = Rounds(self.act, self.clock, 10.0, "nothing is done")

    async def act(self) -> None:
        """A round."""
        self.under_way.append(Deferred())
        await self.under_way[-1]

    def test_pause(self) -> None:
        """The first round is after a pause, and the next when that is over."""
        self.rounds.start()
        self.assertEqual(0, len(self.under_way))
        self.clock.advance(10)
        self.clock.advance(10)
        self.assertEqual(1, len(self.under_way))
        self.under_way[0].callback(None)
        self.clock.advance(10)
        self.assertEqual(2, len(self.under_way))

    def test_now(self) -> None:
        """The first round may be at once; there is none after the end."""
        self.rounds.start(now=True)
        self.rounds.stop()
        self.under_way[0].callback(None)
        self.clock.advance(20)
        self.assertEqual(1, len(self.under_way))
        self.rounds.stop()

    def test_failure(self) -> None:
        """A round that fails is in the log, and the next one comes."""
        self.rounds.start(now=True)
        self.under_way[0].errback(OSError("no disk"))
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))
        self.clock.advance(10)
        self.assertEqual(2, len(self.under_way))

    def test_end(self) -> None:
        """The end is when the round that is under way is over."""
        self.successResultOf(self.rounds.stop())
        self.rounds.start(now=True)
        end = self.rounds.stop()
        self.assertNoResult(end)
        self.under_way[0].callback(None)
        self.successResultOf(end)
        self.successResultOf(self.rounds.stop())

    def test_cut_short(self) -> None:
        """What fails because we end is no trouble."""
        self.rounds.start(now=True)
        self.rounds.stop()
        self.under_way[0].errback(OSError("closed"))
        self.assertEqual([], self.flushLoggedErrors(OSError))
