"""The search index, filled from a real ledger in a process of its own."""

import os
import signal
from pathlib import Path

from twisted.trial.unittest import TestCase

from smfd.store.annex import Annex, AnnexEnded
from smfd.store.ledger import FILE, Ledger
from smfd.store.ledger_schema import LedgerTrouble
from smfd.store.search import Search
from smfd.store.search_criteria import Criteria
from smfd.store.search_index import Filled, Index, LedgerRecords
from tests.store.making import REACTOR, make_entry, pause


class LedgerCase(TestCase):
    """A ledger, and its records."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.ledger = Ledger(self.home, REACTOR, REACTOR)
        self.ledger.startService()
        self.addCleanup(self.ledger.stopService)
        self.records = LedgerRecords(self.home / FILE)

    async def fill(self, *subjects: str) -> None:
        """Commit messages."""
        for subject in subjects:
            await self.ledger.commit(make_entry(subject=subject))


class RecordsTests(LedgerCase):
    """Records read beside the ledger's writer."""

    async def test_in_order(self) -> None:
        """A search that fills itself sees every record once, in order."""
        await self.fill(*"01234")
        first = self.records.after(0, 3)
        second = self.records.after(first[-1][0], 3)
        self.assertEqual(
            ["0", "1", "2", "3", "4"], [r["subject"] for _, r in (*first, *second)]
        )

    async def test_damaged_ledger(self) -> None:
        """A ledger that cannot be read is no reason to throw the index away."""
        await self.fill("a")
        index = Index(self.home, self.records)
        self.assertEqual(Filled(1, 5.0), index.catch_up(5.0))
        broken = self.home / "broken.db"
        broken.write_bytes(b"no database" * 1000)
        for path in (broken, self.home / "missing.db"):
            other = Index(self.home, LedgerRecords(path))
            self.assertRaises(LedgerTrouble, other.catch_up, 6.0)
        self.assertEqual(1, len(list(self.home.glob("search-*.db"))))


class AnnexTests(LedgerCase):
    """A search whose work is done in the annex."""

    def setUp(self) -> None:
        super().setUp()
        self.annex = Annex(REACTOR, self.home / "annex.lock")
        self.annex.startService()
        self.addCleanup(self.annex.stopService)
        self.search = Search(
            self.home, self.records, self.annex.desk("search"), REACTOR, every=3600.0
        )
        self.search.startService()
        self.addCleanup(self.search.stopService)

    async def subjects(self) -> list[str]:
        """What a search for everything finds."""
        found = await self.search.search(Criteria())
        return [item["subject"] for item in found.items]

    async def test_search(self) -> None:
        """What was committed is found, and old months are dropped there."""
        await self.fill("one", "two")
        self.assertEqual(["two", "one"], await self.subjects())
        self.assertEqual([], await self.search.drop(0.0))

    async def test_killed(self) -> None:
        """When the annex dies a search fails, and filling goes on without a word."""
        await self.fill("one")
        self.assertEqual(["one"], await self.subjects())
        await self.fill("two")
        pid = self.annex.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        searched, filled = self.search.search(Criteria()), self.search.rounds.once()
        os.kill(pid, signal.SIGKILL)
        await self.assertFailure(searched, AnnexEnded)
        await filled
        # All that is said of it is that the annex ended.
        self.assertEqual([], self.flushLoggedErrors(AnnexEnded))
        while self.annex.pid is None:
            await pause()
        await self.search.rounds.once()
        self.assertEqual(["two", "one"], await self.subjects())
        self.flushLoggedErrors()
