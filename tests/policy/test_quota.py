"""Tests for L{smfd.policy.quota} and L{smfd.model.quota}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.quota import Allowance, allowance, most_generous
from smfd.policy.quota import DAY, FOREVER, MESSAGES, RATE, SLOTS, Draw, give_back, take

NOW = 1_800_000_000.0


class WindowTests(SynchronousTestCase):
    """A count over 24 hours that rolls."""

    def fill(self, draw: Draw, times: list[float]) -> tuple[str, list[float]]:
        """Take one at each time; the state then, and when each one passed."""
        state, passed = "", []
        for now in times:
            level = take(draw, state, 1, now)
            state = level.state
            if not level.wait:
                passed.append(now)
        return state, passed

    def test_limit(self) -> None:
        """The last one passes, the next does not and learns when it will."""
        draw = Draw(MESSAGES, 3)
        state, passed = self.fill(draw, [NOW] * 4)
        self.assertEqual(3, len(passed))
        wait = take(draw, state, 1, NOW).wait
        self.assertTrue(DAY <= wait <= DAY + DAY / SLOTS)
        self.assertTrue(take(draw, state, 1, NOW + wait - 1).wait)
        self.assertEqual(0, take(draw, state, 1, NOW + wait).wait)

    def test_never(self) -> None:
        """What is more than all there is has no end, and takes nothing."""
        level = take(Draw(MESSAGES, 3), "", 4, NOW)
        self.assertEqual((FOREVER, 0, ""), (level.wait, level.used, level.state))

    def test_gone(self) -> None:
        """Some come back as the oldest are over, not all at once."""
        draw = Draw(MESSAGES, 4)
        half = NOW + DAY / 2
        state, _ = self.fill(draw, [NOW, NOW, half, half])
        level = take(draw, state, 1, NOW + DAY + DAY / SLOTS)
        self.assertEqual((0, 3), (level.wait, level.used))

    def test_back(self) -> None:
        """A clock that is set back gives nothing, and bars nobody for longer."""
        draw = Draw(MESSAGES, 3)
        state, passed = self.fill(draw, [NOW, NOW, NOW, NOW - 3600, NOW - 30 * DAY])
        self.assertEqual(3, len(passed))
        wait = take(draw, state, 1, NOW - 30 * DAY).wait
        self.assertTrue(DAY <= wait <= DAY + DAY / SLOTS)
        self.assertEqual(0, take(draw, state, 1, NOW - 30 * DAY + wait).wait)

    def test_refund(self) -> None:
        """What was not sent is taken off again, the newest first."""
        draw = Draw(MESSAGES, 4)
        state, _ = self.fill(draw, [NOW, NOW + 3600, NOW + 3600])
        state = give_back(Draw(MESSAGES, 4, 2), state, NOW + 7200)
        self.assertEqual(1, take(draw, state, 0, NOW + 7200).used)
        self.assertEqual("", give_back(Draw(MESSAGES, 4, 9), state, NOW + 7200))

    @given(
        st.lists(st.floats(0, 3 * DAY), min_size=1, max_size=120), st.integers(1, 20)
    )
    def test_rolling(self, moments: list[float], most: int) -> None:
        """No 24 hours ever see more than the limit, and none is kept for longer."""
        times = [NOW + moment for moment in sorted(moments)]
        _, passed = self.fill(Draw(MESSAGES, most), times)
        for time in times:
            within = [one for one in passed if time - DAY < one <= time]
            self.assertLessEqual(len(within), most)
            if time not in passed:
                wider = DAY + DAY / SLOTS
                near = [one for one in passed if time - wider <= one <= time]
                self.assertGreaterEqual(len(near), most)


class BucketTests(SynchronousTestCase):
    """A token bucket that was written down."""

    def test_bucket(self) -> None:
        """So many at once, and more as time goes by, whatever is written."""
        draw, state = Draw(RATE, 2), ""
        waits = []
        for now in (NOW, NOW, NOW, NOW + 30, NOW + 30, NOW - 500):
            level = take(draw, state, 1, now)
            state = level.state
            waits.append(round(level.wait))
        self.assertEqual([0, 0, 30, 0, 30, 30], waits)

    def test_changed(self) -> None:
        """A limit that was lowered counts at once; a refund fills to no more."""
        state = take(Draw(RATE, 100), "", 1, NOW).state
        self.assertEqual(1, take(Draw(RATE, 2), state, 1, NOW).used)
        state = give_back(Draw(RATE, 2), state, NOW)
        self.assertEqual(0, take(Draw(RATE, 2), state, 0, NOW).used)


class AllowanceTests(SynchronousTestCase):
    """Whose limits count."""

    def test_order(self) -> None:
        """Account before group before domain before settings, each by itself."""
        default = Allowance(rate=1, messages=1, recipients=1, connections=1)
        found = allowance(
            default,
            (
                {"messages": 2, "recipients": 2, "rate": 2},
                {"messages": 3, "recipients": 3},
                {"messages": 0},
            ),
        )
        self.assertEqual(
            (1, 2, 3, 0),
            (found.connections, found.rate, found.recipients, found.messages),
        )

    def test_groups(self) -> None:
        """A member of several groups has the most of each; none is the most."""
        found = most_generous([{"rate": 5, "messages": 9}, {"rate": 7, "messages": 0}])
        self.assertEqual({"rate": 7, "messages": 0}, found)
