"""
Every call that changes the disk, one method each.

Nothing in the store writes past this module, so a test can count the steps,
fail the n-th, and look at what is left after it.  All of it blocks: it is
called from threads only.
"""

import contextlib
import ctypes
import errno
import os
import sqlite3
from collections.abc import Sequence

#: Asked of the kernel at once when a file is copied; between two slices other
#: threads and a stopping service have their turn.
SLICE = 8 * 1024 * 1024

#: The most buffers one writev takes, on every system we know.
_PIECES = 1000

#: The file systems differ, or the kernel cannot: copy by hand.
_BY_HAND = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


_SYNCFS = ctypes.CDLL(None, use_errno=True).syncfs


class NoSpace(Exception):
    """The disk is full, for now: nothing of it was kept, come back later."""


def is_full(error: OSError) -> bool:
    """Whether room is what is missing: space, inodes, quota or file size."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Disk:
    """
    The real disk.

    Every method raises L{OSError}, and then the thing was not done, or only
    in part: the caller drops the file and never asks a second time for the
    same sync, for the kernel may forget a failure once it was told.
    """

    def create(self, path: str, over: bool = False) -> int:
        """
        A new file, only ours to read.

        @param over: one of that name may be there and is emptied.
        @return: its descriptor, for writing.
        """
        how = os.O_TRUNC if over else os.O_EXCL
        flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | how
        return os.open(path, flags, 0o600)

    def write(self, fd: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Append all of it; the number of octets."""
        total = 0
        for start in range(0, len(pieces), _PIECES):
            total += _write_all(fd, pieces[start : start + _PIECES])
        return total

    def copy(self, source: int, target: int, start: int, count: int) -> None:
        """Append C{count} octets of another file, from C{start} on."""
        while count:
            done = _copy_some(source, target, start, min(count, SLICE))
            if not done:
                raise OSError(errno.ENODATA, "the file is shorter than it was")
            start += done
            count -= done

    def sync(self, fd: int) -> None:
        """What is in the file survives a power cut."""
        os.fdatasync(fd)

    def sync_everything(self, fd: int) -> None:
        """
        All that was written to the file system of C{fd} survives.

        @param fd: opened before the writing began: only then do we hear of
            all that went wrong since.
        """
        if _SYNCFS(fd):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def sync_folder(self, path: str) -> None:
        """The names in a folder survive a power cut."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name; one that had it is gone."""
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        """Take a file away; it may be gone already."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return

    def make_folder(self, path: str) -> None:
        """A new folder, only ours to enter."""
        os.mkdir(path, 0o700)

    def remove_folder(self, path: str) -> None:
        """Take an empty folder away."""
        os.rmdir(path)

    def commit(self, connection: sqlite3.Connection) -> None:
        """Commit what is open in a database, synced."""
        connection.execute("COMMIT")


def make_folders(disk: Disk, path: str) -> None:
    """
    Make a folder and those above it that are missing.

    Each new name is synced, else a power cut takes all that was put below it.
    """
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    make_folders(disk, above)
    # Another thread may make it, and not have come to its sync yet.
    with contextlib.suppress(FileExistsError):
        disk.make_folder(path)
    disk.sync_folder(above)


def _write_all(fd: int, pieces: Sequence[bytes | memoryview]) -> int:
    total = sum(map(len, pieces))
    done = os.writev(fd, pieces)
    if done < total:
        rest = memoryview(b"".join(pieces))
        while done < total:
            done += os.write(fd, rest[done:])
    return total


def _copy_some(source: int, target: int, start: int, count: int) -> int:
    try:
        return os.copy_file_range(source, target, count, start)
    except OSError as error:
        if error.errno not in _BY_HAND:
            raise
    return os.write(target, os.pread(source, min(count, 1 << 20), start))
