"""Tests for L{smfd.store.history} and the file that keeps it."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor as installed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.store.history import GOOD, REFUSAL, UNKNOWN, VIRUS, Greylist, History, Shelf
from smfd.store.history_file import ROUND, HistoryFile

reactor: Any = installed

NET, CLIENT = "198.51.100.0/24", "198.51.100.7"


class HistoryTests(SynchronousTestCase):
    """What an address did counts, and is forgotten."""

    def test_points(self) -> None:
        """A refusal is a point, a virus five, a good message none."""
        history = History(Shelf(10))
        for deed in (REFUSAL, UNKNOWN, UNKNOWN, VIRUS, GOOD):
            history.count(deed, 1000.0, CLIENT, NET)
        for who in (CLIENT, NET):
            self.assertEqual(8.0, history.standing(who, 1000.0).points)
        self.assertEqual(0.0, history.standing("198.51.100.8", 1000.0).points)

    def test_fading(self) -> None:
        """Half of it is forgotten after each half-life; what is good, slower."""
        history = History(Shelf(10), half_life=100.0)
        history.count(VIRUS, 0.0, CLIENT)
        history.count(GOOD, 0.0, CLIENT)
        later = history.standing(CLIENT, 200.0)
        self.assertAlmostEqual(1.25, later.points)
        self.assertGreater(later.good, 0.9)
        # A clock that is put back makes nobody worse.
        self.assertEqual(5.0, history.standing(CLIENT, -500.0).points)

    def test_bounded(self) -> None:
        """A flood of addresses takes no more memory than there is for it."""
        history = History(Shelf(100))
        for n in range(1000):
            history.count(REFUSAL, 0.0, f"10.0.{n // 256}.{n % 256}")
        self.assertEqual(100, len(history.shelf.rows))
        self.assertEqual(
            100, sum(r is not None for r in history.shelf.changes().values())
        )

    def test_unwritten(self) -> None:
        """Nor does a flood while nothing can be written, and nothing of it is lost."""
        shelf = Shelf(10)
        for n in range(1000):
            shelf.put(f"a{n}", (n,))
            changes = shelf.changes()
            self.assertLessEqual(len(changes), 31)
            shelf.undo(changes)
        written = {k: row for k, row in shelf.changes().items() if row is not None}
        self.assertEqual(shelf.rows, written)


class GreylistTests(SynchronousTestCase):
    """Who comes back is let in."""

    def setUp(self) -> None:
        """One that wants 300 s, and twice."""
        self.grey = Greylist(Shelf(100), delay=300.0, window=3600.0, kept=86400.0)

    def wait(self, now: float, sender: str = "a.example", network: str = NET) -> float:
        """Seconds that somebody is told to stay away."""
        return self.grey.wait(network, sender, "ann@home.example", now)

    def test_comes_back(self) -> None:
        """Too soon waits for the rest, in time passes, and goes on passing."""
        waits = [self.wait(now) for now in (1000, 1100, 1299, 1300, 1301, 80000)]
        self.assertEqual([300, 200, 1, 0, 0, 0], waits)
        self.assertEqual(300, self.wait(1301, "b.example"))

    def test_too_late(self) -> None:
        """Who comes back after the window comes for the first time."""
        self.assertEqual([300, 300, 0], [self.wait(n) for n in (1000, 4601, 4901)])

    def test_forgotten(self) -> None:
        """Who stayed away for long begins anew."""
        self.assertEqual(
            [300, 0, 300], [self.wait(n) for n in (1000, 1300, 1300 + 86401)]
        )

    def test_network(self) -> None:
        """Two that came back stand for their network, for a while."""
        for sender in ("a.example", "b.example"):
            self.assertFalse(self.grey.trusts(NET, 1000.0))
            self.wait(1000, sender)
            self.wait(1300, sender)
        self.assertTrue(self.grey.trusts(NET, 1400.0))
        self.assertFalse(self.grey.trusts(NET, 1400.0 + 86400))
        self.assertFalse(self.grey.trusts("203.0.113.0/24", 1400.0))
        self.assertEqual(3, self.grey.forget(NET))
        self.assertFalse(self.grey.trusts(NET, 1400.0))

    def test_full(self) -> None:
        """A table that is full lets nobody in."""
        self.wait(1000)
        for n in range(200):
            self.assertEqual(300, self.wait(1000, f"s{n}.example"))
        self.assertEqual(100, len(self.grey.shelf.rows))
        self.assertEqual(300, self.wait(1300))

    @given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1e7)), max_size=60))
    def test_never_at_once(self, visits: list[tuple[int, float]]) -> None:
        """Whatever the clock does, a first visit never passes."""
        grey, seen = Greylist(Shelf(50)), set()
        for who, now in visits:
            waited = grey.wait(NET, f"{who}.example", "ann@home.example", now)
            self.assertTrue(who in seen or waited)
            seen.add(who)


class FileTests(TestCase):
    """What is known outlives a restart."""

    def setUp(self) -> None:
        """A place for the file."""
        self.path = Path(self.mktemp())
        self.clock = Clock()

    async def open(self, most: int = 10) -> Shelf:
        """A shelf that is read, and kept."""
        shelf = Shelf(most)
        self.file = HistoryFile(self.path, reactor, self.clock, {"history": shelf})
        self.file.startService()
        await self.file.write()
        return shelf

    async def test_kept(self) -> None:
        """What was put, changed and dropped is so after a restart."""
        shelf = await self.open()
        for n in range(4):
            shelf.put(f"k{n}", (float(n), 0.5))
        self.clock.advance(ROUND)
        shelf.put("k1", (7.0,))
        shelf.drop("k2")
        await self.file.stopService()
        again = await self.open()
        self.assertEqual({"k0": (0.0, 0.5), "k1": (7.0,), "k3": (3.0, 0.5)}, again.rows)
        await self.file.stopService()

    async def test_smaller(self) -> None:
        """A smaller limit holds for what was kept, too."""
        shelf = await self.open()
        for n in range(10):
            shelf.put(f"k{n}", (1.0,))
        await self.file.stopService()
        self.assertEqual(4, len((await self.open(4)).rows))
        await self.file.stopService()
        self.assertEqual(4, len((await self.open(10)).rows))
        await self.file.stopService()

    async def test_broken(self) -> None:
        """With a file that is none, all goes on in memory (R27)."""
        self.path.write_bytes(b"this is no database" * 100)
        shelf = await self.open()
        shelf.put("k", (1.0,))
        await self.file.write()
        self.assertEqual({"k": (1.0,)}, shelf.rows)
        # It is written as soon as it can be.
        self.path.unlink()
        await self.file.stopService()
        self.assertEqual({"k": (1.0,)}, (await self.open()).rows)
        await self.file.stopService()
