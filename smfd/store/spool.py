"""
Message bodies from the wire until they are settled.

Small ones stay in memory and ride in the ledger's commit.  Large ones are
files, C{spool/AB/ID}, synced before the ledger names them; a file that no row
names was never acknowledged.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.interfaces import IIncoming
from smfd.model.transaction import Body
from smfd.store.atomic import Disk, NoSpace, is_full, make_folders
from smfd.store.room import Room
from smfd.store.spool_file import SpoolFile
from smfd.store.threads import Threads

__all__ = ["NoSpace", "Spool", "SpoolTrouble"]

#: Seconds that a file without a row is kept, for people to look at.
GRACE = 86400.0


class SpoolTrouble(Exception):
    """A body could not be kept."""


class Spool(Service):
    """
    Takes bodies in, keeps them, lets them go.

    @ivar root: the folder, absolute.
    @ivar inline: bodies up to so many octets stay in memory.
    @ivar minimum_free: octets of the disk that stay free of new mail.
    """

    _log = Logger()

    def __init__(
        self,
        root: Path,
        reactor: IReactorFromThreads,
        clock: IReactorTime,
        disk: Disk | None = None,
        inline: int = 131_072,
        minimum_free: int = 268_435_456,
        threads: int = 3,
    ) -> None:
        self.root = os.path.abspath(root)
        self.inline = inline
        self.minimum_free = minimum_free
        self._reactor = reactor
        self._clock = clock
        self._disk = disk or Disk()
        self._threads = Threads(reactor, "spool", threads)
        self._unsynced: dict[str, SpoolFile] = {}
        self._room = Room(self.root, self.run, clock)

    def startService(self) -> None:
        """Make the folder and start the threads."""
        make_folders(self._disk, self.root)
        self._threads.start()
        self._room.start()
        super().startService()

    def stopService(self) -> None:
        """Finish the writes in hand; what was never synced is not ours."""
        super().stopService()
        self._threads.stop()

    def receive(self, message_id: str) -> IIncoming:
        """Where a body goes while it arrives."""
        return Incoming(self, message_id)

    def sync(self, body: Body) -> "Deferred[None]":
        """
        Fires when a body that L{receive} gave survives a power cut.

        Nothing to do for one in memory.  Once only: after a failure the file
        is gone, and asking again fails again.
        """
        if body.data is not None or not self._ours(body.path):
            return succeed(None)
        file = self._unsynced.pop(body.path, None)
        if file is None:
            return fail(SpoolTrouble("the body is not there to be synced"))
        d = file.sync()
        d.addErrback(self._drop, file)
        return d

    def discard(self, body: Body) -> None:
        """A body is not needed any more, whatever became of it."""
        if body.data is None and self._ours(body.path):
            file = self._unsynced.pop(body.path, None)
            gone = file.remove() if file else self.run(self._disk.unlink, body.path)
            self._forget(gone)

    def discard_file(self, path: str) -> None:
        """As L{discard}, for a path; one that is not the spool's is left alone."""
        self.discard(Body(0, path=path))

    def head(self, body: Body, octets: int) -> "Deferred[bytes]":
        """The first octets of a body."""
        if body.data is not None:
            return succeed(body.data[:octets])
        return self.run(_head, body.path, octets)

    def adopt(self, message_id: str, path: str) -> "Deferred[Body]":
        """
        A body of our own from any file: in memory when it is small, else a
        copy, to be synced like one that arrived.
        """
        d: Deferred[Body] = self.run(self._adopt, message_id, path)
        return d.addErrback(as_trouble)

    def free(self) -> int:
        """
        Octets that new mail may take, as a thread was told last.

        0 when there are no names left (inodes), or the disk does not answer.
        """
        return self._room.free()

    def has_room(self, size: int) -> bool:
        """Whether a message of that size leaves the minimum free."""
        return self.free() - size >= self.minimum_free

    def sweep(self, wanted: set[str]) -> "Deferred[int]":
        """
        Remove files older than a day that are not wanted.

        @param wanted: absolute paths; only right while nothing arrives.
        @return: how many went.
        """
        d: Deferred[int] = self.run(self._sweep, wanted)
        return d

    def run(self, function: Callable[..., Any], *args: Any) -> "Deferred[Any]":
        """Call a function in one of the spool's threads."""
        return self._threads.run(function, *args)

    def path(self, message_id: str) -> str:
        """Where the body of a message goes; the ends of ids are random."""
        return os.path.join(self.root, message_id[-2:], message_id)

    def file(self, message_id: str) -> SpoolFile:
        """A file for a body; nothing is on the disk yet."""
        return SpoolFile(self.path(message_id), self._disk, self.run)

    def finished(self, file: SpoolFile) -> None:
        """A file is whole, and waits to be synced."""
        self._unsynced[file.path] = file

    def _ours(self, path: str) -> bool:
        return path.startswith(self.root + os.sep)

    def _drop(self, failure: Failure, file: SpoolFile) -> Failure:
        self._log.failure("{path}: sync failed", failure=failure, path=file.path)
        self._forget(file.remove())
        return as_trouble(failure)

    def _forget(self, gone: "Deferred[None]") -> None:
        gone.addErrback(lambda f: self._log.failure("cannot remove a body", failure=f))

    def _adopt(self, message_id: str, path: str) -> Body:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(source).st_size
            if size <= self.inline:
                return Body(size, os.read(source, size))
            file = self.file(message_id)
            file.copy(source, size)
        finally:
            os.close(source)
        self._reactor.callFromThread(self.finished, file)
        return Body(size, path=file.path)

    def _sweep(self, wanted: set[str]) -> int:
        gone, oldest = 0, self._clock.seconds() - GRACE
        for folder in os.scandir(self.root):
            if not folder.is_dir(follow_symlinks=False):
                continue
            for found in os.scandir(folder.path):
                # Meanwhile what is wanted may be delivered, and gone.
                if found.path in wanted or found.is_dir(follow_symlinks=False):
                    continue
                if _changed(found) < oldest:
                    self._disk.unlink(found.path)
                    gone += 1
        return gone


@implementer(IIncoming)
class Incoming:
    """
    A body while it arrives.

    L{write} never fails: trouble with the disk is told by L{finish}, as
    L{NoSpace} or L{SpoolTrouble}, when the sender has said all.
    """

    def __init__(self, spool: Spool, message_id: str) -> None:
        self._spool = spool
        self._id = message_id
        self._chunks: list[bytes] = []
        self._size = 0
        self._file: SpoolFile | None = None

    def write(self, chunk: bytes) -> "Deferred[None] | None":
        """Take some of the body; fires when more may come, None at once."""
        self._size += len(chunk)
        if self._file is not None:
            return self._file.append(chunk)
        self._chunks.append(chunk)
        if self._size <= self._spool.inline:
            return None
        self._file = self._spool.file(self._id)
        chunks, self._chunks = self._chunks, []
        return self._file.append(b"".join(chunks))

    def finish(self) -> "Body | Deferred[Body]":
        """All of it has come; the body, not synced yet."""
        file = self._file
        if file is None:
            return Body(self._size, b"".join(self._chunks))
        d = file.done()

        def whole(_: None) -> Body:
            self._spool.finished(file)
            return Body(self._size, path=file.path, crc=file.crc)

        def broke(failure: Failure) -> Failure:
            file.remove().addErrback(lambda _: None)
            return as_trouble(failure)

        return d.addCallbacks(whole, broke)

    def abandon(self) -> None:
        """It will never be complete: leave nothing behind."""
        self._chunks.clear()
        if self._file is not None:
            self._file.remove().addErrback(lambda _: None)


def as_trouble(failure: Failure) -> Failure:
    """The disk's error as ours."""
    error = failure.value
    if isinstance(error, OSError):
        kind = NoSpace if is_full(error) else SpoolTrouble
        return Failure(kind(str(error)))
    return failure


def _changed(found: "os.DirEntry[str]") -> float:
    """When a file was changed last; now, in effect, when it is gone."""
    try:
        return found.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return float("inf")


def _head(path: str, octets: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(octets)
