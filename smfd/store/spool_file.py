"""One message body on its way to the disk, written behind the network."""

import os
from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from smfd.store.atomic import Disk, make_folders

#: Runs a function in a thread.
Run = Callable[..., "Deferred[Any]"]

#: Octets that may wait to be written before the sender has to.
OUTSTANDING = 1024 * 1024


class SpoolFile:
    """
    A file that is appended to in a thread, one write at a time.

    What fails is kept and told once, by L{done}; what comes after a failure
    is thrown away, for the sender goes on talking whether we can or not.

    @ivar path: where it is.
    @ivar crc: the CRC-32 of what was appended.
    """

    def __init__(self, path: str, disk: Disk, run: Run) -> None:
        self.path = path
        self.crc = 0
        self._disk = disk
        self._run = run
        self._fd = -1
        self._made = False
        self._busy = False
        self._waiting: list[bytes] = []
        self._outstanding = 0
        self._failure: Failure | None = None
        self._turn: Deferred[None] | None = None
        self._idlers: list[Deferred[None]] = []

    def append(self, chunk: bytes) -> "Deferred[None] | None":
        """Take a chunk; fires when another may come, None at once."""
        if self._failure is not None:
            return None
        self._waiting.append(chunk)
        self._outstanding += len(chunk)
        self._pump()
        if self._outstanding <= OUTSTANDING:
            return None
        if self._turn is None:
            self._turn = Deferred()
        return self._turn

    def done(self) -> "Deferred[None]":
        """
        Fires when all of it is written; not synced.

        @raise OSError: something was not; the file has to be removed.
        """
        return self._idle().addCallback(lambda _: self._failure)

    def sync(self) -> "Deferred[None]":
        """
        Content and name survive a power cut; once only.

        A sync that failed is never asked again: the file is closed with it.
        """
        return self._run(self._sync)

    def remove(self) -> "Deferred[None]":
        """Leave nothing behind; fires when it is gone."""
        self._fail(Failure(OSError("removed")))
        return self._idle().addCallback(lambda _: self._run(self._remove))

    def copy(self, source: int, size: int) -> None:
        """Take all from another descriptor at once; blocks."""
        try:
            self._open()
            self._disk.copy(source, self._fd, 0, size)
        except OSError:
            self._remove()
            raise

    def _idle(self) -> "Deferred[None]":
        idler: Deferred[None] = Deferred()
        self._idlers.append(idler)
        self._pump()
        return idler

    def _pump(self) -> None:
        if self._busy:
            return
        if self._waiting:
            chunks, self._waiting = self._waiting, []
            self._busy = True
            self._run(self._write, chunks).addCallbacks(self._written, self._broke)
            return
        idlers, self._idlers = self._idlers, []
        for idler in idlers:
            idler.callback(None)

    def _written(self, octets: int) -> None:
        self._busy = False
        self._outstanding -= octets
        self._resume()
        self._pump()

    def _broke(self, failure: Failure) -> None:
        self._busy = False
        self._fail(failure)
        self._pump()

    def _fail(self, failure: Failure) -> None:
        self._failure = self._failure or failure
        self._waiting.clear()
        self._outstanding = 0
        self._resume()

    def _resume(self) -> None:
        if self._turn is not None and self._outstanding <= OUTSTANDING // 2:
            turn, self._turn = self._turn, None
            turn.callback(None)

    def _write(self, chunks: Sequence[bytes]) -> int:
        if self._fd < 0:
            self._open()
        for chunk in chunks:
            self.crc = crc32(chunk, self.crc)
        return self._disk.write(self._fd, chunks)

    def _open(self) -> None:
        make_folders(self._disk, os.path.dirname(self.path))
        self._fd = self._disk.create(self.path)
        self._made = True

    def _sync(self) -> None:
        # The descriptor stays open until here: a new one might not be told
        # of what went wrong on the way to the disk.
        fd, self._fd = self._fd, -1
        try:
            self._disk.sync(fd)
        finally:
            os.close(fd)
        self._disk.sync_folder(os.path.dirname(self.path))

    def _remove(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        # Another's file of the same name is not ours to remove.
        if self._made:
            self._disk.unlink(self.path)
