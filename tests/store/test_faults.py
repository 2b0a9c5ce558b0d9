"""The disk fails, once or for good, at every place where it can."""

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.model.entry import Recipient
from smfd.store.atomic import Disk, NoSpace
from smfd.store.ids import new_id
from smfd.store.ledger import Ledger, LedgerTrouble
from smfd.store.ledger_schema import open_writer
from smfd.store.spool import SpoolTrouble
from tests.store.making import REACTOR, SmallHouse, held, mailbox, make_entry, pause

T = TypeVar("T")

#: What a door turns into 452 and 451; anything else would be a fault of ours.
TEMPORARY = (NoSpace, LedgerTrouble, SpoolTrouble)

SYNCS = {"sync", "sync_everything", "sync_folder", "commit"}
WRITES = {"create", "write", "copy", "rename", "make_folder"}

MESSAGES: Sequence[tuple[bytes, tuple[Recipient, ...]]] = (
    (b"#small#", (mailbox(1),)),
    (b"#large#" + b"x" * 2000, (mailbox(1), held(2))),
    (b"#again#", (mailbox(1), mailbox(2, "v@d.example"))),
)


class CountingFaults(Disk):
    """
    Fails the n-th step of some kinds, once or from then on.

    @ivar nth: 0 for never.
    """

    def __init__(self, kinds: set[str], nth: int, lasting: bool, error: int) -> None:
        super().__init__()
        self.kinds = kinds
        self.nth = nth
        self.lasting = lasting
        self.error = error
        self.count = 0
        self._lock = threading.Lock()

    @property
    def fired(self) -> bool:
        """Whether it came to the n-th."""
        return 0 < self.nth <= self.count

    def _try(self, kind: str, act: Callable[[], T]) -> T:
        if kind in self.kinds:
            with self._lock:
                self.count += 1
                late = self.count > self.nth and self.lasting
                if self.nth and (self.count == self.nth or late):
                    raise OSError(self.error, os.strerror(self.error))
        return act()

    def create(self, path: str, over: bool = False) -> int:
        """Fail or not."""
        return self._try("create", lambda: Disk.create(self, path, over))

    def write(self, fd: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Fail or not."""
        return self._try("write", lambda: Disk.write(self, fd, pieces))

    def copy(self, source: int, target: int, start: int, count: int) -> None:
        """Fail or not."""
        self._try("copy", lambda: Disk.copy(self, source, target, start, count))

    def sync(self, fd: int) -> None:
        """Fail or not."""
        self._try("sync", lambda: Disk.sync(self, fd))

    def sync_everything(self, fd: int) -> None:
        """Fail or not."""
        self._try("sync_everything", lambda: Disk.sync_everything(self, fd))

    def sync_folder(self, path: str) -> None:
        """Fail or not."""
        self._try("sync_folder", lambda: Disk.sync_folder(self, path))

    def rename(self, old: str, new: str) -> None:
        """Fail or not."""
        self._try("rename", lambda: Disk.rename(self, old, new))

    def make_folder(self, path: str) -> None:
        """Fail or not."""
        self._try("make_folder", lambda: Disk.make_folder(self, path))

    def commit(self, connection: sqlite3.Connection) -> None:
        """Fail or not."""
        self._try("commit", lambda: Disk.commit(self, connection))


class FaultTests(TestCase):
    """Acknowledged is kept, whatever fails; the rest is 4xx and leaves nothing."""

    timeout = 60

    async def accept(self, house: SmallHouse) -> dict[bytes, bool]:
        """Offer all messages; which of them were acknowledged."""
        answers = {}
        for data, recipients in MESSAGES:
            name = new_id(REACTOR.seconds())
            try:
                body = await house.receive(data, name)
                entry = make_entry(body, recipients, entry_id=name)
                await house.accept(entry)
                answers[data] = True
            except TEMPORARY:
                answers[data] = False
        return answers

    def check(self, house: SmallHouse, answers: dict[bytes, bool], what: str) -> None:
        """Each acknowledged recipient once; nobody else; nothing half."""
        found = house.messages("mail") + house.messages("quarantine")
        for data, recipients in MESSAGES:
            copies = [m for m in found if data[:7] in m]
            expected = len(recipients) if answers[data] else 0
            self.assertEqual(expected, len(copies), f"{what}: {data[:7]!r}")
            for copy in copies:
                self.assertTrue(copy.endswith(data), what)

    async def fail_each(self, kinds: set[str], error: int, lasting: bool) -> int:
        """Fail the first, the second... until there is none; how many."""
        nth = 0
        while True:
            nth += 1
            home = Path(self.mktemp())
            disk = CountingFaults(kinds, 0, lasting, error)
            house = SmallHouse(home, disk, pause=lambda attempts: 0.01)
            house.start()
            disk.count, disk.nth = 0, nth
            answers = await self.accept(house)
            await pause(0.03)
            fired = disk.fired
            # The disk is mended: what only wanted room heals by itself, what
            # may have lost something waits for a start.
            disk.nth = 0
            if error == errno.ENOSPC:
                self.assertEqual("", house.ledger.suspect)
                await house.settled()
                self.check(house, answers, f"{kinds} {nth}")
            await house.stop()
            again = SmallHouse(home)
            again.start()
            await self.until_settled(again)
            self.check(again, answers, f"{sorted(kinds)} {nth}")
            await again.stop()
            self.flushLoggedErrors()
            if not fired:
                return nth - 1

    async def until_settled(self, house: SmallHouse) -> None:
        """A moment was enough to be put off for."""
        await pause(0.02)
        await house.settled()

    async def test_sync_fails_once(self) -> None:
        """The n-th sync fails once (R5)."""
        self.assertGreater(await self.fail_each(SYNCS, errno.EIO, False), 15)

    async def test_sync_fails_for_good(self) -> None:
        """From the n-th on every sync fails (R5)."""
        self.assertGreater(await self.fail_each(SYNCS, errno.EIO, True), 8)

    async def test_full_once(self) -> None:
        """There is no room at the n-th write (R7)."""
        self.assertGreater(await self.fail_each(WRITES, errno.ENOSPC, False), 10)

    async def test_full_for_a_while(self) -> None:
        """There is no room from the n-th write on, until there is (R7)."""
        self.assertGreater(await self.fail_each(WRITES, errno.ENOSPC, True), 8)

    async def test_suspect(self) -> None:
        """After a disk error the ledger takes nothing more until a restart."""
        disk = CountingFaults({"commit"}, 1, False, errno.EIO)
        ledger = Ledger(Path(self.mktemp()), REACTOR, REACTOR, disk)
        ledger.startService()
        for _ in range(3):
            await self.assertFailure(ledger.commit(make_entry()), LedgerTrouble)
        self.assertIn("Input/output error", ledger.suspect)
        self.assertEqual(1, disk.count)
        await ledger.stopService()
        self.flushLoggedErrors()


DRIVER = """
import sys
from pathlib import Path
from twisted.internet import task
from twisted.internet.defer import Deferred
from smfd.store.ledger import Ledger
from tests.store.making import make_entry

async def main(reactor):
    ledger = Ledger(Path(sys.argv[1]), reactor, reactor)
    ledger.startService()
    for n in range(3):
        entry = make_entry()
        try:
            await ledger.commit(entry)
        except Exception as error:
            print("no", entry.id, type(error).__name__, flush=True)
        else:
            print("yes", entry.id, flush=True)
    await ledger.stopService()

task.react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


class SystemCallTests(SynchronousTestCase):
    """Faults that SQLite meets itself, put into its system calls."""

    def drive(self, *wrapper: str) -> tuple[Path, list[list[str]]]:
        """Commit three entries in a process of their own; its answers."""
        home = Path(os.path.abspath(self.mktemp()))
        home.mkdir()
        open_writer(home / "ledger.db").close()
        words = [w.replace("HOME", str(home)) for w in wrapper]
        done = subprocess.run(
            [*words, sys.executable, "-c", DRIVER, str(home)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        answers = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual(3, len(answers), done.stderr)
        return home, answers

    def check(self, home: Path, answers: list[list[str]]) -> None:
        """What was said to be kept is kept."""
        connection = sqlite3.connect(home / "ledger.db")
        kept = {row[0] for row in connection.execute("SELECT id FROM records")}
        connection.close()
        self.assertLessEqual({a[1] for a in answers if a[0] == "yes"}, kept)

    def test_sync_of_the_log(self) -> None:
        """When the log of the ledger cannot be synced nobody gets a yes (R5)."""
        for when in ("1", "2", "3+"):
            home, answers = self.drive(
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-P",
                "HOME/ledger.db-wal",
                "-e",
                f"inject=fdatasync,fsync:error=EIO:when={when}",
            )
            words = [a[0] for a in answers]
            # After the first failure there is never a yes.
            self.assertIn("no", words, when)
            self.assertEqual(sorted(words, reverse=True), words, when)
            self.assertIn("LedgerTrouble", {a[2] for a in answers if a[0] == "no"})
            self.check(home, answers)

    def test_order(self) -> None:
        """The log is synced before anybody is told (R6)."""
        trace = Path(os.path.abspath(self.mktemp()))
        home, answers = self.drive(
            "strace", "-f", "-qq", "-y", "-o", str(trace), "-e",
            "trace=fdatasync,fsync,write,pwrite64",
        )  # fmt: skip
        self.assertEqual(["yes"] * 3, [a[0] for a in answers])
        synced = False
        told = 0
        for line in trace.read_text(errors="replace").splitlines():
            if "ledger.db-wal" in line:
                synced = "sync(" in line
            if "write(1<" in line and '"yes' in line:
                told += 1
                self.assertTrue(synced, line)
        self.assertEqual(3, told)

    def test_file_size_limit(self) -> None:
        """A limit in the middle of the log refuses, and keeps what it said (R7)."""
        limited = 'ulimit -f $0; exec "$@"'
        refused: list[str] = []
        for blocks in ("160", "210", "280"):
            home, answers = self.drive("bash", "-c", limited, blocks)
            self.check(home, answers)
            refused += [a[2] for a in answers if a[0] == "no"]
        self.assertIn("LedgerTrouble", refused)
