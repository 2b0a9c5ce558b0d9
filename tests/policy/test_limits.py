"""Tests for L{smfd.policy.limits}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.limits import Limit, Scope, Table, Tally, What

SCOPE = Scope(
    "your address",
    {
        What.CONNECTIONS: Limit(3),
        What.MESSAGES: Limit(5, 60.0),
        What.UNKNOWN: Limit(4, 600.0),
    },
)


class TallyTests(SynchronousTestCase):
    """What one source uses."""

    def setUp(self) -> None:
        """A source that did nothing yet."""
        self.tally = Tally(SCOPE)

    def test_at_once(self) -> None:
        """R48: three at once, not four, not thirty; who leaves makes room."""
        had = [self.tally.take(What.CONNECTIONS, 0.0) for _ in range(30)]
        self.assertEqual(3, had.count(None))
        self.assertEqual("Too many connections at once from your address", str(had[3]))
        self.tally.give_back(What.CONNECTIONS)
        self.assertIsNone(self.tally.take(What.CONNECTIONS, 0.0))
        self.assertIsNotNone(self.tally.take(What.CONNECTIONS, 9999.0))

    def test_within_a_time(self) -> None:
        """R48: five in a minute, not six, not fifty; with time there are more."""
        had = [self.tally.take(What.MESSAGES, 0.0) for _ in range(50)]
        self.assertEqual([None] * 5, had[:5])
        self.assertNotIn(None, had[5:])
        self.assertIsNone(self.tally.take(What.MESSAGES, 12.1))
        self.assertIsNotNone(self.tally.take(What.MESSAGES, 12.2))

    def test_not_limited(self) -> None:
        """What has no limit is never too much."""
        self.assertIsNone(self.tally.take(What.RECIPIENTS, 0.0, 1e9))
        self.assertIsNone(self.tally.sin(What.ERRORS, 0.0, 600.0))

    def test_guesses(self) -> None:
        """Who guesses once too often is not heard for the penalty's time."""
        for _ in range(4):
            self.assertIsNone(self.tally.sin(What.UNKNOWN, 0.0, 100.0))
        self.assertIsNone(self.tally.bar(0.0))
        self.assertIsNotNone(self.tally.sin(What.UNKNOWN, 0.0, 100.0))
        barred = self.tally.bar(99.9)
        assert barred is not None
        self.assertEqual(What.UNKNOWN, barred.what)
        self.assertIsNone(self.tally.bar(100.0))

    def test_told_once_a_minute(self) -> None:
        """The log hears of a source once a minute, however often it comes."""
        excesses = [
            self.tally.take(What.MESSAGES, n * 0.01, 6.0) for n in range(6000)
        ] + [self.tally.take(What.MESSAGES, 60.0, 6.0)]
        self.assertEqual(2, sum(1 for e in excesses if e is not None and e.first))


class TableTests(SynchronousTestCase):
    """Many sources, and no more memory than was said."""

    def setUp(self) -> None:
        """Room for ten."""
        self.table = Table(SCOPE, 10)

    def test_bounded(self) -> None:
        """The longest unused go; who is over a limit is not among them."""
        busy = self.table.of("busy", 0.0)
        busy.take(What.CONNECTIONS, 0.0)
        for n in range(1000):
            self.table.of(n, 0.0)
        self.assertEqual(10, len(self.table))
        self.assertIs(busy, self.table.of("busy", 0.0))

    def test_full_opens_nothing(self) -> None:
        """When all entries matter, newcomers share one: it fills like any other."""
        for n in range(10):
            self.table.of(n, 0.0).take(What.MESSAGES, 0.0)
        had = [self.table.of(f"new{n}", 0.0).take(What.MESSAGES, 0.0) for n in range(9)]
        self.assertEqual(5, had.count(None))
        self.assertEqual(10, len(self.table))
        # A minute later the first are as if they had never been here.
        self.assertIsNone(self.table.of("new", 61.0).take(What.MESSAGES, 61.0))
        self.assertIsNotNone(self.table.known("new"))

    @given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=300))
    def test_nobody_gets_more(self, steps: list[tuple[int, int]]) -> None:
        """However the table is filled, nobody has more than his limit at once."""
        table, used = Table(SCOPE, 5), dict.fromkeys(range(41), 0)
        for source, pause in steps:
            del pause
            if table.of(source, 0.0).take(What.MESSAGES, 0.0) is None:
                used[source] += 1
        self.assertLessEqual(max(used.values()), 5)
        self.assertLessEqual(len(table), 5)
