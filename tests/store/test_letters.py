"""Tests for L{smfd.store.letters} and L{smfd.store.dmarc_reports}."""

import os
from pathlib import Path

from attrs import evolve

from smfd.format.dmarc_report import Report, Row
from smfd.store import reputation_file
from smfd.store.dmarc_reports import DMARCReports
from smfd.store.letters import LONGEST, Letters
from smfd.store.threads import Threads
from tests.store.test_deliveries import FileTestCase, reactor

ROWS = (
    Row("192.0.2.25", 9, "none", True, False, "a.example", "dkim=pass a.example"),
    Row("198.51.100.7", 4, "reject", False, False, "a.example", "spf=fail x"),
    Row("198.51.100.7", 1, "none", False, True, "a.example", "spf=pass a.example"),
)
REPORT = Report("a.example", "Them", "n1", 100, 200, "p=none", ROWS)


class LettersTests(FileTestCase):
    """A mailbox that is looked into now and then."""

    def setUp(self) -> None:
        super().setUp()
        hands = Threads(reactor, "test")
        hands.start()
        self.addCleanup(hands.stop)
        root = Path(self.mktemp())
        self.box = root / "a.example" / "dmarc"
        for folder in ("new", "cur", "tmp"):
            (self.box / folder).mkdir(parents=True)
        self.letters = Letters(self.file, hands, str(root), "dmarc@a.example")

    def put(self, name: str, data: bytes = b"x", folder: str = "new") -> None:
        """A letter comes."""
        (self.box / folder / name).write_bytes(data)

    async def stems(self) -> list[str]:
        """What was not read."""
        return [stem for stem, _ in await self.letters.unread()]

    async def test_read(self) -> None:
        """Each is told of until it is read, the oldest first, wherever it lies."""
        self.put("2.b,S=1", b"two")
        self.put("1.a,S=1:2,S", b"one", "cur")
        self.put("0.tmp", folder="tmp")
        self.assertEqual(["1.a,S=1", "2.b,S=1"], await self.stems())
        paths = [path for _, path in await self.letters.unread()]
        self.assertEqual(b"one", await self.letters.read(paths[0]))
        await self.letters.done("2.b,S=1")
        os.rename(self.box / "new" / "2.b,S=1", self.box / "cur" / "2.b,S=1:2,FS")
        self.assertEqual(["1.a,S=1"], await self.stems())

    async def test_gone(self) -> None:
        """One that was thrown away is forgotten; one that moves is found again."""
        self.put("1.a")
        await self.letters.done("1.a")
        (self.box / "new" / "1.a").unlink()
        self.assertEqual([], await self.stems())
        self.put("1.a")
        ((_, path),) = await self.letters.unread()
        (self.box / "new" / "1.a").unlink()
        self.assertIsNone(await self.letters.read(path))

    async def test_odd(self) -> None:
        """A mailbox that is not there is empty; what is too long is not read."""
        self.put("1.a", b"x" * (LONGEST + 1))
        ((_, path),) = await self.letters.unread()
        self.assertEqual(b"", await self.letters.read(path))
        nobody = evolve(self.letters, address="nobody@a.example")
        self.assertEqual([], list(await nobody.unread()))

    async def test_first(self) -> None:
        """What letters tell of is told once, by each mailbox."""
        found = [await self.letters.first(what) for what in ("a", "b", "a")]
        self.assertEqual([True, True, False], found)
        other = evolve(self.letters, address="fbl@a.example")
        self.assertTrue(await other.first("a"))
        self.assertEqual([], await self.stems())
        self.assertFalse(await self.letters.first("a"))

    async def test_many(self) -> None:
        """A thousand letters are told of fifty at a time."""
        for n in range(120):
            self.put(f"{n:04}.x")
        self.assertEqual(50, len(await self.stems()))


class ReportsTests(FileTestCase):
    """DMARC reports that are kept."""

    def setUp(self) -> None:
        super().setUp()
        self.reports = DMARCReports(self.file)

    async def test_summary(self) -> None:
        """Who sends in a domain's name, what passes, and who says so."""
        self.assertTrue(await self.reports.put(REPORT, "them.example", 1000.0))
        later = evolve(REPORT, name="n2", ends=400, rows=ROWS[:1])
        await self.reports.put(later, "", 1001.0)
        await self.reports.put(evolve(REPORT, domain="b.example"), "", 1001.0)
        found = await self.reports.summary("a.example", 0)
        self.assertEqual((23, 19, 2), (found.number, found.passed, found.total))
        self.assertEqual(
            [("198.51.100.7", 5, 1, 0, 1, 4), ("192.0.2.25", 18, 18, 18, 0, 0)],
            [
                (s.address, s.number, s.passed, s.dkim, s.spf, s.kept)
                for s in found.sources
            ],
        )
        self.assertEqual(
            [("n2", "", 9, 9), ("n1", "them.example", 14, 10)],
            [(r.name, r.sender, r.number, r.passed) for r in found.reports],
        )
        found = await self.reports.summary("a.example", 300, limit=0)
        self.assertEqual((9, 1, ()), (found.number, found.total, found.reports))

    async def test_twice(self) -> None:
        """The same report counts once; a stranger's of the same name is another."""
        for sender, new in (("", True), ("", False), ("x.example", True)):
            self.assertEqual(new, await self.reports.put(REPORT, sender, 1.0))
        self.assertEqual(2, (await self.reports.summary("a.example", 0)).total)

    async def test_bounded(self) -> None:
        """The oldest reports go, and their rows with them."""
        self.patch(reputation_file, "OF_DOMAIN", 3)
        for n in range(6):
            await self.reports.put(evolve(REPORT, name=f"n{n}"), "", float(n))
        found = await self.reports.summary("a.example", 0)
        self.assertEqual(["n5", "n4", "n3"], [r.name for r in found.reports])
        count = "SELECT count(*) FROM report_rows"
        rows = await self.file.run(lambda c: c.execute(count).fetchone())
        self.assertEqual((9,), rows)
