"""Tests for L{smfd.store.reputation_file}: the file, whatever it is found as."""

import sqlite3
from contextlib import closing

from smfd.format.dmarc_report import Report, Row
from smfd.store.dmarc_reports import DMARCReports
from smfd.store.dmarc_tally import DMARCTally
from smfd.store.letters import Letters
from smfd.store.reputation_file import FILE
from smfd.store.schema import WrongVersion
from smfd.store.suppressions import Suppressions
from smfd.store.threads import Threads
from smfd.store.tls_received import TLSReceived
from tests.store.test_deliveries import NOW, TODAY, WAY, FileTestCase, reactor

_VERSION_1 = """
CREATE TABLE counts (
    day INTEGER NOT NULL,
    domain TEXT NOT NULL,
    account TEXT NOT NULL,
    provider TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    permanent INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (day, domain, account, provider, source, kind, permanent)
) WITHOUT ROWID;
CREATE TABLE samples (
    domain TEXT NOT NULL,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL,
    time REAL NOT NULL,
    host TEXT NOT NULL,
    said TEXT NOT NULL,
    advice TEXT NOT NULL
);
CREATE INDEX samples_of ON samples(provider, kind, domain, time);
CREATE INDEX samples_time ON samples(time);
CREATE TABLE suppressed (
    domain TEXT NOT NULL,
    recipient TEXT NOT NULL,
    times INTEGER NOT NULL,
    last REAL NOT NULL,
    ends REAL NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (domain, recipient)
) WITHOUT ROWID;
CREATE TABLE reports (
    id INTEGER PRIMARY KEY,
    domain TEXT NOT NULL,
    reporter TEXT NOT NULL,
    name TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    received REAL NOT NULL,
    policy TEXT NOT NULL,
    UNIQUE (domain, reporter, name)
);
CREATE INDEX reports_end ON reports(ends);
CREATE TABLE report_rows (
    report INTEGER NOT NULL REFERENCES reports(id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    number INTEGER NOT NULL,
    disposition TEXT NOT NULL,
    dkim INTEGER NOT NULL,
    spf INTEGER NOT NULL,
    author TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX report_rows_of ON report_rows(report);
INSERT INTO counts VALUES
    (20833, 'example.org', 'ann@example.org', 'google', '', 'sent', 0, 7);
INSERT INTO suppressed VALUES
    ('example.org', 'x@example.net', 1, 1.8e9, 1.9e9, '550 no');
INSERT INTO reports VALUES
    (5, 'example.org', 'them', 'n1', 1700000000, 1700086399, 1.7e9, 'p=none');
INSERT INTO report_rows VALUES (5, '192.0.2.1', 3, 'none', 1, 0, 'example.org', '');
PRAGMA user_version=1;
"""


def _noted(connection: sqlite3.Connection) -> int:
    """Write a line; how many there are."""
    connection.execute("INSERT INTO tally_through VALUES (1)")
    (many,) = connection.execute("SELECT count(*) FROM tally_through").fetchone()
    return int(many)


class OpeningTests(FileTestCase):
    """What becomes of the file at the start."""

    async def again(self, script: str = "") -> None:
        """Stop, do something to the file, and start."""
        await self.close()
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(script)
        self.open()

    async def test_version_1(self) -> None:
        """A file of the first smfd is taken over, with all that is in it."""
        await self.close()
        self.path.unlink()
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(_VERSION_1)
        for _ in range(2):  # the second start finds it done
            self.open()
            known = Suppressions(self.file)
            await known.load()
            self.assertIsNotNone(known.get("example.org", "x@example.net"))
            counted = await self.deliveries.report(TODAY)
            self.assertEqual([("google", "sent", False, 7)], counted.providers)
            reports = DMARCReports(self.file)
            found = await reports.summary("example.org", 0)
            self.assertEqual((3, "n1"), (found.number, found.reports[0].name))
            await self.close()
        self.open()
        row = Row("192.0.2.1", 4, "none", True, False, "example.org", "")
        again = Report("example.org", "them", "n1", 1, 2, "", (row,))
        reports = DMARCReports(self.file)
        # Version 1 knew one of each name, whoever had sent it.
        self.assertTrue(await reports.put(again, "them.example", NOW))
        self.assertEqual(7, (await reports.summary("example.org", 0)).number)
        self.assertEqual(0, await DMARCTally(self.file).through())
        self.assertEqual(0, (await TLSReceived(self.file).summary("x", 0)).total)
        letters = Letters(self.file, Threads(reactor, "test"), "", "r@example.org")
        await letters.done("1.a")

    async def test_broken(self) -> None:
        """A file that is damaged is put aside, and mail goes on."""
        await self.close()
        self.path.write_bytes(b"no database at all" * 100)
        self.open()
        self.deliveries.count(NOW, WAY, "sent")
        await self.deliveries.write(NOW)
        self.assertTrue(self.path.with_name(FILE + ".broken").exists())
        self.assertEqual(1, len((await self.deliveries.report(TODAY)).providers))

    async def test_newer(self) -> None:
        """A file of a later smfd stops the start, and stays as it is."""
        with self.assertRaisesRegex(WrongVersion, "newer"):
            await self.again("PRAGMA user_version=99")
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute("PRAGMA user_version").fetchone()
        self.assertEqual((99,), found)
        self.assertFalse(self.path.with_name(FILE + ".broken").exists())

    async def test_not_now(self) -> None:
        """One that cannot be opened just now is not thrown away for that."""
        await self.close()
        aside = self.path.rename(self.path.with_name("kept"))
        self.path.mkdir()
        self.assertRaises(sqlite3.OperationalError, self.open)
        self.path.rmdir()
        aside.rename(self.path)
        self.open()
        self.assertFalse(self.path.with_name(FILE + ".broken").exists())

    async def test_read(self) -> None:
        """Whoever asks has his answer while somebody else writes."""
        self.deliveries.count(NOW, WAY, "sent")
        await self.deliveries.write(NOW)
        await self.lock()
        self.assertEqual(1, len((await self.deliveries.report(TODAY)).providers))
        self.assertEqual(0, (await Suppressions(self.file).page(NOW)).total)
        self.assertEqual(0, (await DMARCReports(self.file).summary("x", 0)).total)
        self.assertEqual(0, (await TLSReceived(self.file).summary("x", 0)).total)
        self.assertEqual([], await DMARCTally(self.file).due(NOW, 9))

    async def test_end(self) -> None:
        """What was asked is done before the end; who locks it holds up nobody else."""
        await self.lock(patience=5000)
        done = self.file.run(_noted)
        end = self.file.stopService()
        self.assertNoResult(end)
        self.unlock()
        self.assertEqual(1, await done)
        await end
        self.open()
        self.assertEqual(2, await self.file.run(_noted))
