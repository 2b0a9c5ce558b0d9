"""Bodies on their way in."""

import errno
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.model.transaction import Body
from smfd.store.atomic import Disk, NoSpace
from smfd.store.room import Room, measure
from smfd.store.spool import GRACE, Spool, SpoolTrouble
from tests.sample import come
from tests.store.making import REACTOR, pause

NAME = "0123456789abcdef"


class SlowDisk(Disk):
    """Writes nothing before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def write(self, fd: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Wait."""
        self.go.wait(10)
        return super().write(fd, pieces)


class BrokenDisk(Disk):
    """Fails where it is told to."""

    def __init__(self, step: str, error: int) -> None:
        super().__init__()
        self.step = step
        self.error = error
        self.tries = 0

    def _fail(self, step: str) -> None:
        if step == self.step:
            self.tries += 1
            raise OSError(self.error, os.strerror(self.error))

    def write(self, fd: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Write half, then fail."""
        if self.step == "write":
            os.write(fd, pieces[0][:10])
        self._fail("write")
        return super().write(fd, pieces)

    def sync(self, fd: int) -> None:
        """Fail or not."""
        self._fail("sync")
        super().sync(fd)

    def sync_folder(self, path: str) -> None:
        """Fail or not, but for the root."""
        if not path.endswith("spool"):
            self._fail("sync_folder")
        super().sync_folder(path)


class SharedDisk(Disk):
    """Somebody else takes every file away but the one that we do."""

    def unlink(self, path: str) -> None:
        """Take it away, and all others in its folder."""
        folder = os.path.dirname(path)
        for name in os.listdir(folder):
            super().unlink(os.path.join(folder, name))


class SpoolTests(TestCase):
    """Small bodies in memory, large ones in files, none half."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.home.mkdir()
        self.spool = self.make()

    def make(self, disk: Disk | None = None) -> Spool:
        """A spool that keeps ten octets in memory."""
        spool = Spool(
            self.home / "spool", REACTOR, REACTOR, disk, inline=10, minimum_free=100
        )
        spool.startService()
        self.addCleanup(spool.stopService)
        return spool

    def files(self) -> list[Path]:
        """All files there are."""
        return [p for p in (self.home / "spool").rglob("*") if p.is_file()]

    async def put(self, spool: Spool, *chunks: bytes) -> Body:
        """A body from the wire."""
        incoming = spool.receive(NAME)
        for chunk in chunks:
            turn = incoming.write(chunk)
            if turn is not None:
                await turn
        return await come(incoming.finish())

    async def test_small(self) -> None:
        """A small body touches no disk."""
        body = await self.put(self.spool, b"01234", b"56789")
        await self.spool.sync(body)
        self.assertEqual(Body(10, b"0123456789"), body)
        self.assertEqual([], self.files())
        self.assertEqual(b"012", await self.spool.head(body, 3))

    async def test_large(self) -> None:
        """A large body is a file, named by the message, byte for byte."""
        chunks = [b"0123456", b"789abc", b"x" * 100_000, b"y"]
        body = await self.put(self.spool, *chunks)
        await self.spool.sync(body)
        path = self.home / "spool" / "ef" / NAME
        self.assertEqual(Body(100_014, path=os.path.abspath(path)), body)
        self.assertEqual(b"".join(chunks), path.read_bytes())
        self.assertEqual(b"0123456789", await self.spool.head(body, 10))

    async def test_backpressure(self) -> None:
        """Who sends faster than the disk writes has to wait."""
        disk = SlowDisk()
        incoming = self.make(disk).receive(NAME)
        self.assertIsNone(incoming.write(b"x" * 600_000))
        turn = incoming.write(b"y" * 600_000)
        assert turn is not None
        self.assertNoResult(turn)
        disk.go.set()
        await turn
        body = await come(incoming.finish())
        self.assertEqual(1_200_000, Path(body.path).stat().st_size)

    async def test_abandoned(self) -> None:
        """A client that hangs up leaves nothing behind, whenever it does."""
        disk = SlowDisk()
        spool = self.make(disk)
        incoming = spool.receive(NAME)
        incoming.write(b"x" * 20)
        turn = incoming.write(b"y" * 2_000_000)
        assert turn is not None
        incoming.abandon()
        await turn
        disk.go.set()
        spool.receive("other").abandon()
        while self.files():
            await pause()

    async def test_discarded(self) -> None:
        """A body that was refused goes, synced or not."""
        for sync in (True, False):
            body = await self.put(self.spool, b"x" * 20)
            if sync:
                await self.spool.sync(body)
            self.spool.discard(body)
            while self.files():
                await pause()

    async def test_full_while_writing(self) -> None:
        """A disk that fills up is told at the end of data, and heals (R7)."""
        spool = self.make(BrokenDisk("write", errno.ENOSPC))
        incoming = spool.receive(NAME)
        incoming.write(b"x" * 20)
        # Nothing more is kept once it is known, and nobody waits for the disk.
        while (room := incoming.write(b"y" * 5_000_000)) is not None:
            await room
        await self.assertFailure(maybeDeferred(incoming.finish), NoSpace)
        while self.files():
            await pause()

    async def test_sync_fails_once(self) -> None:
        """A sync that failed is not asked again, and not believed (R5)."""
        for step in ("sync", "sync_folder"):
            disk = BrokenDisk(step, errno.EIO)
            spool = self.make(disk)
            body = await self.put(spool, b"x" * 20)
            await self.assertFailure(spool.sync(body), SpoolTrouble)
            await self.assertFailure(spool.sync(body), SpoolTrouble)
            self.assertEqual(1, disk.tries)
            while self.files():
                await pause()
            self.flushLoggedErrors(OSError)

    async def test_name_taken(self) -> None:
        """A name that is taken is refused, and its owner's file is left alone."""
        first = await self.put(self.spool, b"mine" * 10)
        incoming = self.spool.receive(NAME)
        incoming.write(b"x" * 20)
        await self.assertFailure(maybeDeferred(incoming.finish), SpoolTrouble)
        await pause()
        self.assertEqual(b"mine" * 10, Path(first.path).read_bytes())

    async def test_adopted(self) -> None:
        """A held message becomes a body of its own."""
        for size in (10, 3_000):
            (self.home / "held").write_bytes(b"z" * size)
            body = await self.spool.adopt(NAME, str(self.home / "held"))
            await self.spool.sync(body)
            self.assertEqual(b"z" * size, await self.spool.head(body, size + 1))
            self.assertEqual(size, body.size)
        await self.assertFailure(
            self.spool.adopt("other", str(self.home / "none")), SpoolTrouble
        )

    async def test_foreign_path(self) -> None:
        """Files that are not the spool's are never removed by it."""
        (self.home / "held").write_bytes(b"z")
        self.spool.discard_file(os.path.abspath(self.home / "held"))
        await self.spool.run(lambda: None)
        await self.spool.sync(Body(1, path=os.path.abspath(self.home / "held")))
        self.assertTrue((self.home / "held").exists())

    async def test_sweep(self) -> None:
        """Bodies that were never ours go when they are a day old."""
        folder = self.home / "spool" / "ab"
        folder.mkdir()
        (self.home / "spool" / "stray").write_text("")
        for name in ("old", "wanted", "young"):
            (folder / name).write_text("x")
        past = REACTOR.seconds() - GRACE - 10
        for name in ("old", "wanted"):
            os.utime(folder / name, (past, past))
        gone = await self.spool.sweep({os.path.abspath(folder / "wanted")})
        self.assertEqual(1, gone)
        self.assertEqual({"wanted", "young"}, set(os.listdir(folder)))

    async def test_sweep_while_others_deliver(self) -> None:
        """A file that goes while we look is no reason to stop looking."""
        spool = self.make(SharedDisk())
        past = REACTOR.seconds() - GRACE - 10
        for folder in "ab", "cd":
            (self.home / "spool" / folder).mkdir()
            for name in "123":
                path = self.home / "spool" / folder / name
                path.write_text("x")
                os.utime(path, (past, past))
        self.assertEqual(2, await spool.sweep(set()))


class RoomTests(SynchronousTestCase):
    """452 before the disk is full."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.waiting: list[Deferred[int]] = []
        self.free = 5000

    def run_later(self, function: Callable[[str], int], path: str) -> Deferred[int]:
        """A thread that is not done yet."""
        self.waiting.append(Deferred())
        return self.waiting[-1].addCallback(lambda _: function(path))

    def room(self) -> Room:
        """On a disk that we say the size of."""

        def statvfs(path: str) -> os.statvfs_result:
            return os.statvfs_result((1, 1, 9, 9, self.free, 0, 0, 0, 0, 255))

        self.patch(os, "statvfs", statvfs)
        room = Room("/", self.run_later, self.clock)
        room.start()
        return room

    def test_minimum_free(self) -> None:
        """What would leave less than the minimum free has no room."""
        self.patch(Spool, "free", lambda _: 5000)
        spool = Spool(Path(self.mktemp()), REACTOR, self.clock, minimum_free=1000)
        self.assertTrue(spool.has_room(0))
        self.assertTrue(spool.has_room(4000))
        self.assertFalse(spool.has_room(4001))

    def test_fresh(self) -> None:
        """The disk is asked once a second, whatever the load, and not waited for."""
        room = self.room()
        self.free = 3000
        for advance, free in ((0, 5000), (0.9, 5000), (0.2, 5000), (0.1, 5000)):
            self.clock.advance(advance)
            self.assertEqual(free, room.free())
        self.assertEqual(1, len(self.waiting))
        self.waiting[0].callback(0)
        self.assertEqual(3000, room.free())
        self.clock.advance(-500)
        self.assertEqual(3000, room.free())
        self.assertEqual(2, len(self.waiting))

    def test_hangs(self) -> None:
        """A disk that does not answer has no room, until it does."""
        room = self.room()
        self.clock.advance(3600)
        self.assertEqual(5000, room.free())
        self.clock.advance(9.9)
        self.assertEqual(5000, room.free())
        self.clock.advance(0.2)
        self.assertEqual(0, room.free())
        self.assertEqual(1, len(self.waiting))
        self.waiting[0].callback(0)
        self.assertEqual(5000, room.free())

    def test_fails(self) -> None:
        """A disk that cannot say has no room; it is asked again."""
        room = self.room()
        self.clock.advance(2)
        room.free()
        self.waiting[0].errback(OSError("gone"))
        self.assertEqual(0, room.free())
        self.clock.advance(2)
        room.free()
        self.waiting[1].callback(0)
        self.assertEqual(5000, room.free())

    def test_no_inodes(self) -> None:
        """A disk without free inodes is full (R7)."""
        nameless = os.statvfs_result((4096, 4096, 9, 9, 9, 1000, 5, 5, 0, 255))
        self.patch(os, "statvfs", lambda path: nameless)
        self.assertEqual(0, measure("/"))
