"""Work done in a process of its own."""

import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, gatherResults
from twisted.trial.unittest import TestCase

from smfd.delivery.shelving import Shelving
from smfd.model.entry import State
from smfd.model.transaction import Body
from smfd.net.clamd import Clamds, CouldNotScan, address
from smfd.store.annex import Annex, AnnexEnded
from smfd.store.atomic import Disk
from smfd.store.ledger_schema import open_writer
from smfd.store.maildir import Maildir
from smfd.store.quarantine import Quarantine
from smfd.store.search_criteria import Criteria, query
from smfd.store.search_index import Filled, Index, LedgerRecords
from smfd.store.shelf import Shelf
from tests.store.making import REACTOR, held, mailbox, make_entry, pause


def thread() -> str:
    """Whose thread it is."""
    return threading.current_thread().name


def nap(seconds: float, then: str) -> tuple[str, float]:
    """Something that takes long."""
    time.sleep(seconds)
    return then, time.monotonic()


def full() -> None:
    """A disk has no room."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Stubborn(Exception):
    """What cannot be pickled back."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def stubborn() -> None:
    """Fail with it."""
    raise Stubborn("so", "so")


class AnnexCase(TestCase):
    """An annex in a folder."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.annex = self.make()

    def make(self) -> Annex:
        """Another one of the same home, started."""
        annex = Annex(REACTOR, self.home / "annex.lock")
        annex.startService()
        self.addCleanup(lambda: annex.stopService() if annex.running else None)
        return annex

    async def running(self, then: Callable[[], bool]) -> None:
        """Wait until something is so."""
        for _ in range(1000):
            if then():
                return
            await pause()
        raise AssertionError("it does not come")


class WorkTests(AnnexCase):
    """Calls and answers."""

    async def test_answers(self) -> None:
        """A call's value comes back, and large ones whole."""
        desk = self.annex.desk("a")
        self.assertEqual(self.annex.pid, await desk.run(os.getpid))
        for size in (0, 1, 65_536, 3_000_000):
            self.assertEqual(size, await desk.run(len, b"x" * size))
            self.assertEqual(
                b"y" * size, await desk.run(bytes.replace, b"x" * size, b"x", b"y")
            )

    async def test_errors(self) -> None:
        """What a call raised comes back; what cannot be sent is told of."""
        desk: Any = self.annex.desk("a")
        error = await self.assertFailure(desk.run(full), OSError)
        self.assertEqual(errno.ENOSPC, error.errno)
        error = await self.assertFailure(desk.run(stubborn), RuntimeError)
        self.assertEqual("Stubborn: soso", str(error))
        self.assertEqual(2, await desk.run(len, b"go"))

    async def test_desks(self) -> None:
        """One desk's work is done in order, and waits for no other desk's."""
        slow, quick = self.annex.desk("slow"), self.annex.desk("quick")
        first, second, other = await gatherResults(
            [
                slow.run(nap, 0.3, "first"),
                slow.run(nap, 0.0, "second"),
                quick.run(nap, 0.0, "other"),
            ]
        )
        self.assertLess(other[1], first[1])
        self.assertLess(first[1], second[1])
        self.assertTrue((await quick.run(thread)).startswith("quick"))

    async def test_without_twisted(self) -> None:
        """What it does needs no Twisted, whose modules would be memory for nothing."""
        home = str(self.home)
        disk = Disk()
        desk: Any = self.annex.desk("a")
        mail = Maildir(f"{home}/mail", "mx", disk)
        quarantine = Quarantine(f"{home}/quarantine", disk)
        shelf: Shelf
        for shelf, state, recipient in (
            (mail, State.DELIVERED, mailbox(1, "a@d.example")),
            (quarantine, State.HELD, held(1, "a@d.example")),
        ):
            os.mkdir(shelf.root)
            shelving = Shelving(shelf, disk, home, state)
            entry = make_entry(recipients=[recipient])
            (outcome,) = await desk.run(shelving.deliver, entry.consignments())
            self.assertEqual(state, outcome.state)
            self.assertTrue((self.home / outcome.detail).is_file())
        clamds = Clamds((address("unix:/nonexistent"),))
        d = desk.run(clamds.scan, Body(1, b"x"), time.monotonic() + 9)
        await self.assertFailure(d, CouldNotScan)
        open_writer(self.home / "ledger.db").close()
        index = Index(self.home, LedgerRecords(self.home / "ledger.db"))
        found = await desk.run(index.search, query(Criteria()), 9, 5.0)
        self.assertEqual((Filled(0, 5.0), []), found)
        # Not a function of this module, which would bring Twisted along.
        loaded = "'{}' in __import__('sys').modules".format
        self.assertTrue(await desk.run(eval, loaded("smfd.store.maildir")))
        self.assertFalse(await desk.run(eval, loaded("twisted")))

    async def test_cancelled(self) -> None:
        """Whoever waits no longer is not told, and nothing else is lost."""
        desk = self.annex.desk("a")
        d = desk.run(nap, 0.1, "late")
        d.cancel()
        await self.assertFailure(d, CancelledError)
        self.assertEqual(2, await desk.run(len, b"go"))


class EndTests(AnnexCase):
    """How it ends, and how it begins again."""

    async def test_killed(self) -> None:
        """When it is killed its calls fail, and another one is started."""
        desk = self.annex.desk("a")
        before = await desk.run(os.getpid)
        d = desk.run(nap, 60.0, "never")
        os.kill(before, signal.SIGKILL)
        await self.assertFailure(d, AnnexEnded)
        await self.assertFailure(desk.run(os.getpid), AnnexEnded)
        await self.running(lambda: self.annex.pid is not None)
        self.assertNotEqual(before, await desk.run(os.getpid))
        self.flushLoggedErrors()

    async def test_stopped(self) -> None:
        """It ends when its work is done; then it takes no more."""
        desk = self.annex.desk("a")
        pid = await desk.run(os.getpid)
        d: Any = desk.run(nap, 0.2, "done")
        stopped = self.annex.stopService()
        await self.assertFailure(desk.run(os.getpid), AnnexEnded)
        self.assertEqual("done", (await d)[0])
        await stopped
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    async def test_one_at_a_time(self) -> None:
        """Nobody works in a home where an older one still does."""
        await self.annex.desk("a").run(os.getpid)
        next_one = self.make()
        d = next_one.desk("a").run(os.getpid)
        await pause(0.3)
        self.assertFalse(d.called)
        await self.annex.stopService()
        self.assertEqual(next_one.pid, await d)
