"""The disk is full, really; benchmarks/full_disk.py tries every point."""

import os
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.store.full_disk import FILES, PLACES, POINTS, FullDisk

#: One of so many points.
STEP = 29


class FullDiskTests(TestCase):
    """452, or delivered; nothing lost, nothing half; room again, mail again (R7)."""

    timeout = 60

    async def fill(self, place: str) -> None:
        """Some points in one place."""
        root = Path(os.path.abspath(self.mktemp()))
        full = FullDisk(root, place)
        begin = PLACES.index(place)
        for pages in range(begin, POINTS, STEP):
            await full.point(pages)
        self.flushLoggedErrors()
        self.assertEqual([], full.tally.wrong)
        self.assertGreater(full.tally.answers["accepted"], full.tally.points)
        if place in ("ledger", "spool"):
            self.assertGreater(full.tally.answers["NoSpace"], 0)

    async def run_out(self, place: str) -> None:
        """Each number of files in one place."""
        full = FullDisk(Path(os.path.abspath(self.mktemp())), place, inodes=True)
        for files in range(FILES):
            await full.point(files)
        self.flushLoggedErrors()
        self.assertEqual([], full.tally.wrong)
        self.assertGreater(full.tally.answers["accepted"], full.tally.points)
        if place == "spool":
            self.assertGreater(full.tally.answers["NoSpace"], 0)

    async def test_inodes_of_the_ledger(self) -> None:
        """No name is left beside the ledger: it needs none."""
        await self.run_out("ledger")

    async def test_inodes_of_the_spool(self) -> None:
        """No name is left for a large body: it is refused for now."""
        await self.run_out("spool")

    async def test_inodes_of_the_mailboxes(self) -> None:
        """No name is left for mail: it waits in the ledger."""
        await self.run_out("mail")

    async def test_inodes_of_the_quarantine(self) -> None:
        """No name is left for what is held: it waits in the ledger."""
        await self.run_out("quarantine")

    async def test_ledger(self) -> None:
        """No room for the ledger: refused for now."""
        await self.fill("ledger")

    async def test_spool(self) -> None:
        """No room for large bodies: they are refused for now."""
        await self.fill("spool")

    async def test_mail(self) -> None:
        """No room for mailboxes: it waits in the ledger."""
        await self.fill("mail")

    async def test_quarantine(self) -> None:
        """No room for what is held: it waits in the ledger."""
        await self.fill("quarantine")
