"""What is old goes, and nothing else."""

import os
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from smfd.delivery.leftovers import Leftovers
from smfd.delivery.retention import Retention
from tests.store.making import REACTOR, SmallHouse, held, mailbox, make_entry, pause

DAY = 86400.0


class RetentionTests(TestCase):
    """Thirty days, then it is gone."""

    timeout = 30

    def setUp(self) -> None:
        self.house = SmallHouse(Path(self.mktemp()))
        self.house.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.house.stop()))
        self.retention = Retention(self.house.ledger, self.house.quarantine)
        self.before = REACTOR.seconds() - 30 * DAY

    async def test_old_and_young(self) -> None:
        """Old items and records go with their files, young ones stay."""
        now = REACTOR.seconds()
        for age in (32, 28):
            await self.house.accept(
                make_entry(recipients=[mailbox(1), held(2)], when=now - age * DAY)
            )
        await self.house.settled()
        await self.retention.prune(self.before)
        while len(self.house.files("quarantine")) != 1:
            await pause()
        counts = await self.house.reader.counts()
        self.assertEqual((1, 1), (counts["held"], counts["records"]))
        self.assertEqual(2, len(self.house.messages("mail")))

    async def test_garbage(self) -> None:
        """Files of old days that nobody knows go; other names are left."""
        for name in ("2001-01-01", "2999-01-01", "notes"):
            folder = self.house.home / "quarantine" / "d.example" / name
            os.makedirs(folder)
            (folder / "x").write_text("x")
        await self.retention.prune(self.before)
        left = {path.parent.name for path in self.house.files("quarantine")}
        self.assertEqual({"2999-01-01", "notes"}, left)

    async def test_still_needed(self) -> None:
        """An old file that is being released stays until it is delivered."""
        folder = self.house.home / "quarantine" / "d.example" / "2001-01-01"
        os.makedirs(folder)
        (folder / "x").write_text("x" * 5)
        body = type(make_entry().body)(5, path=os.path.abspath(folder / "x"))
        await self.house.ledger.commit(make_entry(body))
        await self.retention.prune(self.before)
        self.assertTrue((folder / "x").exists())

    async def test_freed_at_the_end(self) -> None:
        """A file that is freed while we stop is left, and nobody is alarmed."""
        folder = self.house.home / "quarantine" / "d.example" / "2001-01-01"
        os.makedirs(folder)
        (folder / "x").write_text("x")
        leftovers = Leftovers(self.house.spool, self.house.quarantine)
        self.house.hands.stop()
        leftovers([os.path.abspath(folder / "x")])
        self.assertEqual([], self.flushLoggedErrors())
        self.assertTrue((folder / "x").exists())
