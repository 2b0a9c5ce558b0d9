"""Tests for L{smfd.smtpd.repeats}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.envelope import Envelope
from smfd.smtpd import repeats
from smfd.smtpd.mx import FULL
from smfd.smtpd.repeats import ALL, EACH, KINDS, WINDOW, Repeats
from smfd.store.search_index import LedgerRecords
from tests.sample import come
from tests.smtpd.fronts import SENDER, FrontTestCase

Told = list[tuple[str, int]]


class RepeatsTests(SynchronousTestCase):
    """A flood is written down once."""

    def setUp(self) -> None:
        """Nothing was told yet."""
        self.clock = Clock()
        self.repeats = Repeats(self.clock)
        self.told: Told = []
        self.asked = 0

    def tell(self, sender: str = "a", what: str = "no", client: str = "c") -> str:
        """Something happens; the name it is found by."""
        self.asked += 1
        name = str(self.asked)

        def write(count: int) -> None:
            self.told.append((name, count))

        return self.repeats.tell(client, what, sender, name, write)

    def test_few(self) -> None:
        """Who is refused a few times in a minute finds each of them at once."""
        names = [self.tell() for _ in range(EACH)]
        self.assertEqual([(name, 1) for name in names], self.told)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_flood(self) -> None:
        """The rest of a minute is one more, and its names lead to what is there."""
        names = [self.tell() for _ in range(EACH + 5000)]
        self.assertEqual({names[EACH - 1]}, set(names[EACH:]))
        self.assertEqual(EACH, len(self.told))
        self.clock.advance(WINDOW)
        self.assertEqual((str(EACH + 1), 5000), self.told[-1])
        self.assertEqual([], self.clock.getDelayedCalls())
        # And from the beginning.
        self.tell()
        self.assertEqual(1, self.told[-1][1])

    def test_others(self) -> None:
        """Another sender, client or reason beside a flood is written down."""
        for _ in range(EACH + 10):
            self.tell()
        for other in ("b", "no", "c"), ("a", "never", "c"), ("a", "no", "d"):
            name = self.tell(*other)
            self.assertEqual((name, 1), self.told[-1])

    def test_many_senders(self) -> None:
        """Senders made up by the thousand are a flood of the client's."""
        for n in range(ALL + 7000):
            self.tell(f"a{n}")
        self.clock.advance(WINDOW)
        self.assertEqual(ALL + 1, len(self.told))
        self.assertEqual(7000, self.told[-1][1])

    def test_numbers(self) -> None:
        """Seconds and ids in a text make it no other."""
        for n in range(EACH + 3):
            self.tell(what=f"come again in {n} seconds id=x{n}y")
        self.assertEqual(EACH, len(self.told))
        self.repeats.stopService()

    def test_stop(self) -> None:
        """What is counted when we end is written down."""
        for _ in range(EACH + 3):
            self.tell()
        self.repeats.startService()
        self.repeats.stopService()
        self.assertEqual(3, self.told[-1][1])
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_bounded(self) -> None:
        """Clients by the thousand: the table has an end, and no count is lost."""
        self.patch(repeats, "KINDS", 50)
        for _ in range(2):
            for n in range(100):
                for _ in range(EACH + 2):
                    self.tell(client=str(n))
                self.assertLessEqual(len(self.repeats._kinds), 50)
        self.repeats.stopService()
        self.assertEqual(self.asked, sum(count for _, count in self.told))
        self.assertGreater(KINDS, 50)

    def test_fault(self) -> None:
        """A count that cannot be written keeps no other from being."""

        def fails(count: int) -> None:
            if count > 1:
                raise ZeroDivisionError

        for _ in range(EACH + 2):
            self.repeats.tell("x", "no", "", "n", fails)
            self.tell()
        self.clock.advance(WINDOW)
        self.assertEqual(2, self.told[-1][1])
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-90, 90)), max_size=60))
    def test_none_lost(self, steps: list[tuple[str, float]]) -> None:
        """Whatever the clock does, all of them are in the sum."""
        self.setUp()
        for sender, seconds in steps:
            for _ in range(4):
                self.tell(sender)
            self.clock.rightNow += seconds
            self.clock.advance(0)
        self.repeats.stopService()
        self.assertEqual(self.asked, sum(count for _, count in self.told))


class RecordTests(FrontTestCase):
    """What is on record of a flood."""

    async def test_record(self) -> None:
        """One record stands for the rest, with sender, reply and their count."""
        door = await self.build()
        session, names = self.session(), []
        for _ in range(EACH + 30):
            envelope = Envelope(self.name(), SENDER)
            said = await come(door.refused(session, envelope, FULL))
            names.append(said.lines[0].rpartition("id=")[2])
            self.assertEqual("deferred", (await self.record(said))["verdict"])
        self.assertEqual(EACH, len(set(names)))
        door.recorder.repeats.stopService()
        await self.house.ledger.next_try()
        records = LedgerRecords(self.house.home / "ledger.db")
        found = [record for _, record in records.after(0, 1000)]
        self.assertEqual(EACH + 1, len(found))
        self.assertEqual(30, found[-1]["count"])
        self.assertEqual("alice@a.example", found[-1]["sender"])
        self.assertEqual(1, self.logged().count("count=30"))
        self.assertEqual(EACH + 1, self.logged().count("status=deferred"))
