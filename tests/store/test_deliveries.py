"""Tests for L{smfd.store.deliveries} and the file it is kept in."""

import sqlite3
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from smfd.model.cause import About, Cause, Kind
from smfd.policy.diagnosis import SENT
from smfd.policy.suppression import Suppressed
from smfd.store import deliveries
from smfd.store.deliveries import Deliveries, Way, redacted
from smfd.store.reputation_file import FILE, ReputationFile
from smfd.store.suppressions import Suppressions
from smfd.store.threads import Closed

reactor: Any = installed

NOW = 1_800_000_000.0
DAY = 86_400.0
TODAY = int(NOW // DAY)
WAY = Way("example.org", "ann@example.org", "google", "192.0.2.25")
RATE = Cause(Kind.RATE, About.US, False, "Wait.", slow_down=True)
UNKNOWN = Cause(Kind.UNKNOWN_RECIPIENT, About.RECIPIENT, True, "Correct it.")


def _wait(connection: sqlite3.Connection, patience: int) -> None:
    """Wait so long for others."""
    connection.execute(f"PRAGMA busy_timeout={patience}")


class FileTestCase(TestCase):
    """With a file in a folder of its own."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / FILE
        self.open()

    async def close(self) -> None:
        """Close it, if it is open."""
        if self.file.running:
            await self.file.stopService()

    def open(self) -> None:
        """Open it, and close it at the end."""
        self.file = ReputationFile(self.path, reactor)
        self.file.startService()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))
        self.deliveries = Deliveries(self.file)

    async def lock(self, patience: int = 20) -> None:
        """
        Somebody else writes to it, and takes his time.

        @param patience: milliseconds that we wait for him.
        """
        await self.file.run(_wait, patience)
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        self.other = other
        self.addCleanup(other.close)

    def unlock(self) -> None:
        """He is done."""
        self.other.execute("ROLLBACK")


class DeliveriesTests(FileTestCase):
    """What became of the mail that left."""

    async def test_counted(self) -> None:
        """What was sent and rejected is there by provider, day and account."""
        other = Way("example.net", "bob@example.net", "yahoo", "192.0.2.26")
        for _ in range(3):
            self.deliveries.count(NOW, WAY, SENT)
        self.deliveries.count(NOW, other, SENT)
        await self.deliveries.write(NOW)
        self.deliveries.count(NOW - DAY, WAY, SENT)
        self.deliveries.failed(NOW, WAY, UNKNOWN, "mx.google.com", "550 no")
        await self.deliveries.write(NOW)
        report = await self.deliveries.report(TODAY)
        self.assertEqual(
            [
                ("google", "sent", False, 3),
                ("google", "unknown_recipient", True, 1),
                ("yahoo", "sent", False, 1),
            ],
            sorted(report.providers),
        )
        self.assertIn(("192.0.2.26", "sent", False, 1), report.sources)
        self.assertEqual({"ann@example.org"}, {row[0] for row in report.accounts})
        one = await self.deliveries.report(TODAY - 1, "example.org")
        self.assertIn((TODAY - 1, "sent", False, 1), one.days)
        self.assertEqual({"google"}, {row[0] for row in one.providers})

    async def test_samples(self) -> None:
        """The last five words of each cause are kept, the latest first."""
        for n in range(9):
            said = f"421 <ann{n}@example.net>: too much, {n}"
            self.deliveries.failed(NOW + n, WAY, RATE, "mx.google.com", said)
            await self.deliveries.write(NOW + n)
        report = await self.deliveries.report(TODAY)
        self.assertEqual(
            [f"421 [address] too much, {n}" for n in (8, 7, 6, 5, 4)],
            [sample.said for sample in report.samples],
        )
        self.assertEqual("Wait.", report.samples[0].advice)

    async def test_few_samples(self) -> None:
        """Of ever so many domains the latest words are kept, and no more."""
        self.patch(deliveries, "_SAMPLED", 3)
        for n in range(5):
            way = Way(f"{n}.example", "", "google", "")
            self.deliveries.failed(NOW + n, way, RATE, "mx.google.com", f"421 {n}")
        await self.deliveries.write(NOW)
        report = await self.deliveries.report(TODAY)
        self.assertEqual(["421 4", "421 3", "421 2"], [s.said for s in report.samples])

    async def test_forgotten(self) -> None:
        """After thirty days nothing is left of it."""
        self.deliveries.failed(NOW, WAY, RATE, "mx.google.com", "421 slower")
        await self.deliveries.write(NOW)
        await self.deliveries.write(NOW + 31 * DAY)
        report = await self.deliveries.report(0)
        self.assertEqual(((), ()), (tuple(report.providers), tuple(report.samples)))

    async def test_today(self) -> None:
        """What a new address sent today is known after a restart."""
        for _ in range(7):
            self.deliveries.count(NOW, WAY, SENT)
        self.deliveries.count(NOW - DAY, WAY, SENT)
        await self.deliveries.write(NOW)
        await self.close()
        self.open()
        today = await self.deliveries.today(NOW)
        self.assertEqual({("192.0.2.25", "google"): 7}, today)

    async def test_bounded(self) -> None:
        """A day of more ways than there is room for is counted without their names."""
        self.patch(deliveries, "_ROWS", 20)
        for n in range(15):
            way = Way("example.org", f"u{n}@example.org", f"p{n}", "")
            self.deliveries.count(NOW, way, SENT)
        await self.deliveries.write(NOW)
        for n in range(15, 60):
            way = Way("example.org", f"u{n}@example.org", f"p{n}", "")
            self.deliveries.count(NOW, way, SENT)
        await self.deliveries.write(NOW)
        report = await self.deliveries.report(TODAY)
        self.assertEqual(16, len(report.providers))
        self.assertIn(("", "sent", False, 45), report.providers)

    async def test_flood(self) -> None:
        """What waits to be written is bounded, too."""
        self.patch(deliveries, "_WAITING", 40)
        for n in range(100):
            way = Way("example.org", "", f"p{n}", "")
            self.deliveries.failed(NOW, way, RATE, "mx.example", "421 slower")
        await self.deliveries.write(NOW)
        report = await self.deliveries.report(TODAY)
        self.assertEqual((40, 2), (len(report.providers), len(report.samples)))

    async def test_unwritten(self) -> None:
        """What cannot be written is counted, and written when it can be."""
        await self.lock()
        for number in range(3):
            for _ in range(2):
                self.deliveries.failed(
                    NOW, WAY, RATE, "mx.example", f"421 no. {number}"
                )
            writing = self.deliveries.write(NOW)
            self.deliveries.count(NOW, WAY, SENT)
            await self.assertFailure(writing, sqlite3.OperationalError)
        self.unlock()
        await self.deliveries.write(NOW)
        report = await self.deliveries.report(TODAY)
        self.assertEqual(
            [("google", "rate", False, 6), ("google", "sent", False, 3)],
            sorted(report.providers),
        )
        said = [sample.said for sample in report.samples]
        self.assertCountEqual([f"421 no. {n}" for n in (0, 1, 1, 2, 2)], said)

    async def test_long_unwritten(self) -> None:
        """However long it cannot be, what waits is bounded."""
        self.patch(deliveries, "_WAITING", 40)
        await self.lock()
        for number in range(200):
            way = Way("example.org", "", f"p{number}", "")
            self.deliveries.failed(NOW, way, RATE, "mx.example", "421 slower")
            if number % 90 == 30:
                writing = self.deliveries.write(NOW)
                self.deliveries.failed(NOW, way, RATE, "mx.example", "421 slower")
                await self.assertFailure(writing, sqlite3.OperationalError)
        self.unlock()
        await self.deliveries.write(NOW)
        report = await self.deliveries.report(TODAY)
        self.assertEqual((40, 2), (len(report.providers), len(report.samples)))


class RedactedTests(TestCase):
    """Whose mail it was is not for every reader of a report."""

    @given(st.text(max_size=2000))
    def test_anything(self, said: str) -> None:
        """No address, no control character, and never long."""
        text = redacted(said)
        self.assertNotIn("@", text)
        self.assertTrue(len(text) <= 300 and (not text or text.isprintable()))


class SuppressionsTests(FileTestCase):
    """Addresses that do not exist."""

    def setUp(self) -> None:
        super().setUp()
        self.known = Suppressions(self.file, most=3)

    def put(self, name: str, ends: float = NOW + DAY) -> None:
        """One is unknown."""
        what = Suppressed(1, NOW, ends, "550 5.1.1 no")
        self.known.put("example.org", f"{name}@example.net", what)

    async def test_kept(self) -> None:
        """What is known is known after a restart, in the order it was learned."""
        for name in ("Ann", "bob", "cid"):
            self.put(name)
        await self.known.write()
        self.assertTrue(self.known.drop("example.org", "BOB@example.net"))
        await self.known.write()
        again = Suppressions(self.file)
        await again.load()
        page = await again.page(NOW)
        self.assertEqual(
            {"cid@example.net", "ann@example.net"}, {key[1] for key, _ in page.items}
        )
        self.assertEqual(2, page.total)

    async def test_ends(self) -> None:
        """It counts as long as was said, and for the domain that learned it."""
        self.put("ann")
        await self.known.write()
        for domain, now, known in (
            ("Example.ORG", NOW, True),
            ("example.org", NOW + DAY, False),
            ("example.com", NOW, False),
        ):
            found = self.known.active(domain, "Ann@Example.net", now)
            self.assertEqual(known, found is not None, domain)
        self.assertEqual(0, (await self.known.page(NOW + DAY)).total)

    async def test_bounded(self) -> None:
        """The fourth of three pushes the first out, on the disk as well."""
        for name in "abcd":
            self.put(name)
            await self.known.write()
        again = Suppressions(self.file)
        await again.load()
        self.assertIsNone(again.get("example.org", "a@example.net"))
        self.assertEqual(3, (await again.page(NOW)).total)

    async def test_forgotten(self) -> None:
        """What ended is forgotten a month after it was said, on the disk as well."""
        self.put("ann", ends=0.0)
        await self.known.write()
        self.known.forget(NOW + 29 * DAY)
        self.assertIsNotNone(self.known.get("example.org", "ann@example.net"))
        self.known.forget(NOW + 31 * DAY)
        self.assertIsNone(self.known.get("example.org", "ann@example.net"))
        await self.known.write()
        again = Suppressions(self.file)
        await again.load()
        self.assertIsNone(again.get("example.org", "ann@example.net"))

    async def test_page(self) -> None:
        """Some of them, by domain and by a part of the name."""
        for name in "abc":
            self.put(name)
        await self.known.write()
        for total, domain, search in (
            (1, "", "B@"),
            (3, "", "org "),
            (0, "", "%"),
            (3, "example.org", ""),
            (0, "example.com", ""),
        ):
            found = await self.known.page(NOW, domain, search)
            self.assertEqual(total, found.total, (domain, search))
        page = await self.known.page(NOW, limit=1, offset=1)
        self.assertEqual(
            (("example.org", "b@example.net"), 3), (page.items[0][0], page.total)
        )

    async def again(self) -> Suppressions:
        """As the next start finds it."""
        again = Suppressions(self.file, most=3)
        await again.load()
        return again

    async def test_unwritten(self) -> None:
        """What cannot be written waits, as it is by then, and is written later."""
        for name in "ab":
            self.put(name)
        await self.known.write()
        await self.lock()
        self.put("c")
        self.known.drop("example.org", "a@example.net")
        writing = self.known.write()
        self.known.drop("example.org", "c@example.net")
        self.known.drop("example.org", "b@example.net")
        self.put("b", ends=NOW + 2 * DAY)
        await self.assertFailure(writing, sqlite3.OperationalError)
        self.unlock()
        await self.known.write()
        again = await self.again()
        found = again.get("example.org", "b@example.net")
        assert found is not None
        self.assertEqual(NOW + 2 * DAY, found.ends)
        self.assertEqual(1, (await again.page(NOW)).total)

    async def test_long_unwritten(self) -> None:
        """However long it cannot be, what waits is bounded and nothing comes back."""
        for name in "ab":
            self.put(name)
        await self.known.write()
        await self.lock()
        self.known.drop("example.org", "a@example.net")
        for number in range(20):
            self.put(f"u{number}")
            if number % 6 == 0:
                await self.assertFailure(self.known.write(), sqlite3.OperationalError)
            self.assertLessEqual(len(self.known._changed), 6)
        self.unlock()
        await self.known.write()
        page = await (await self.again()).page(NOW)
        self.assertEqual(
            {f"u{number}@example.net" for number in (17, 18, 19)},
            {key[1] for key, _ in page.items},
        )

    async def test_unread(self) -> None:
        """What cannot be read at the start is read before anything is written."""
        self.put("ann")
        await self.known.write()
        again = Suppressions(self.file, most=3)
        await self.close()
        await self.assertFailure(again.load(), Closed)
        self.file.startService()
        again.put("example.org", "bob@example.net", Suppressed(1, NOW, NOW + DAY, ""))
        await again.write()
        self.assertEqual(2, (await again.page(NOW)).total)
        self.assertIsNotNone(again.get("example.org", "ann@example.net"))
