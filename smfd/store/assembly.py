"""
A message as it is stored: our header lines on top, then what was received.

Byte for byte, but for the ranges that only we may write.
"""

import os
from collections.abc import Iterator, Sequence

from smfd.model.transaction import Body
from smfd.store.atomic import Disk

Cuts = Sequence[tuple[int, int]]


def kept(size: int, cuts: Cuts) -> Iterator[tuple[int, int]]:
    """The ranges (start, end) of a body that stay, in order."""
    at = 0
    for start, end in cuts:
        start, end = min(start, size), min(end, size)
        if start > at:
            yield at, start
        at = max(at, end)
    if at < size:
        yield at, size


def length(top: bytes, body: Body, cuts: Cuts) -> int:
    """How many octets the stored message has."""
    if not cuts:
        return len(top) + body.size
    return len(top) + sum(end - start for start, end in kept(body.size, cuts))


def write_message(disk: Disk, fd: int, top: bytes, body: Body, cuts: Cuts) -> None:
    """
    Write a whole message to an empty file; not synced yet.

    A large body is copied in slices and is never in memory.

    @raise OSError: it could not be written, or its body is damaged.
    """
    if body.data is not None:
        pieces: list[bytes | memoryview] = [top]
        if cuts:
            view = memoryview(body.data)
            pieces += [view[start:end] for start, end in kept(body.size, cuts)]
        else:
            pieces.append(body.data)
        disk.write(fd, pieces)
        return
    source = os.open(body.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        disk.write(fd, [top])
        for start, end in kept(body.size, cuts):
            disk.copy(source, fd, start, end - start)
    finally:
        os.close(source)
