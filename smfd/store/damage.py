"""
Bodies that are not what they were when they were acknowledged.

Disks rot, and people tidy: a body that is read again after a start is looked
at before it is delivered.  What is left of a damaged one is kept aside.
"""

import os
import stat
from collections.abc import Iterator
from zlib import crc32

from attrs import define, field

from smfd.model.entry import Consignment
from smfd.model.transaction import Body
from smfd.store.atomic import Disk, make_folders

#: The folder of the home for what is left of damaged messages.
FOLDER = "corrupt"

#: Octets read at once.
_SLICE = 1 << 20

#: Whatever lies there, we neither wait for it nor follow it.
_WARILY = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW


@define(eq=False)
class Examination:
    """
    Looks at consignments, at each body once.  Blocks: for threads.

    Only at those that the ledger gave us: what comes from the door is as it
    came.

    @ivar home: the folder that has a folder for what is left of damaged ones.
    """

    disk: Disk
    home: str
    _known: dict[str, str] = field(factory=dict, init=False)

    def fault(self, consignment: Consignment) -> str:
        """
        What is wrong with one and where the rest of it is kept, or "".

        @raise OSError: it cannot be looked at, or kept, just now.
        """
        c = consignment
        if not c.attempts:
            return ""
        if c.entry_id not in self._known:
            self._known[c.entry_id] = damage(c.body)
        why = self._known[c.entry_id]
        if not why:
            return ""
        path = set_aside(self.disk, self.home, c)
        return f"damaged: {why}; what is left of it is {path}"


def damage(body: Body) -> str:
    """
    What is wrong with a body, in words, or the empty string.

    @raise OSError: it cannot be looked at just now.
    """
    if body.data is not None:
        return _differs(body, len(body.data), iter([body.data]))
    try:
        kind = os.lstat(body.path)
    except (FileNotFoundError, NotADirectoryError):
        return "its file is missing"
    if not stat.S_ISREG(kind.st_mode):
        return "its file is no file"
    return _differs(body, kind.st_size, _slices(body.path))


def set_aside(disk: Disk, home: str, consignment: Consignment) -> str:
    """
    Keep what is left of a message, with our header lines on top.

    Doing it again is harmless.

    @return: where, relative to the home.
    @raise OSError: it is not kept.
    """
    c = consignment
    path = os.path.join(home, FOLDER, c.entry_id)
    if not os.path.exists(path):
        make_folders(disk, os.path.dirname(path))
        # Its recipients may be told of it in two threads at once.
        part = f"{path}.{c.recipient.number}.part"
        _write(disk, part, c)
        disk.rename(part, path)
        disk.sync_folder(os.path.dirname(path))
    return os.path.relpath(path, home)


def _differs(body: Body, size: int, slices: Iterator[bytes]) -> str:
    if size != body.size:
        return f"it has {size} octets and had {body.size}"
    if body.crc is None:
        return ""
    crc = 0
    for octets in slices:
        crc = crc32(octets, crc)
    return "" if crc == body.crc else "its octets are not those it had"


def _slices(path: str) -> Iterator[bytes]:
    with open(os.open(path, _WARILY), "rb", buffering=0) as file:
        while octets := file.read(_SLICE):
            yield octets


def _write(disk: Disk, part: str, consignment: Consignment) -> None:
    fd = disk.create(part, over=True)
    try:
        disk.write(fd, [consignment.top])
        for octets in _left(consignment.body):
            disk.write(fd, [octets])
        disk.sync(fd)
    except OSError:
        disk.unlink(part)
        raise
    finally:
        os.close(fd)


def _left(body: Body) -> Iterator[bytes]:
    """What can still be read of it."""
    if body.data is not None:
        yield body.data
    elif os.path.isfile(body.path) and not os.path.islink(body.path):
        yield from _slices(body.path)
