"""A message on its way out, piece by piece: never all of a large one in memory."""

import os
from collections.abc import Sequence

from attrs import frozen
from twisted.internet.defer import Deferred

from smfd.interfaces import IHands
from smfd.model.transaction import Body
from smfd.net.smtp_client import Pieces
from smfd.store.assembly import kept, length

#: Octets in a piece.
PIECE = 65_536


@frozen
class Pages:
    """
    A message as it is stored, and as it is sent.

    @ivar top: our header lines.
    @ivar cuts: ranges of the body that are left out.
    """

    top: bytes
    body: Body
    cuts: Sequence[tuple[int, int]]

    @property
    def size(self) -> int:
        """Octets of the whole."""
        return length(self.top, self.body, self.cuts)

    def reader(self, hands: IHands) -> Pieces:
        """
        Gives one piece after the other, then nothing.

        @param hands: read the disk.
        """
        spans = [
            (at, min(at + PIECE, end))
            for start, end in kept(self.body.size, self.cuts)
            for at in range(start, end, PIECE)
        ]
        waiting = iter(spans)
        first = [self.top]

        async def piece() -> bytes:
            # Together, so that a small message leaves in one go.
            front = first.pop() if first else b""
            span = next(waiting, None)
            return front if span is None else front + await self._read(hands, *span)

        return piece

    async def _read(self, hands: IHands, start: int, end: int) -> bytes:
        if self.body.data is not None:
            return self.body.data[start:end]
        done: Deferred[bytes] = hands.run(read, self.body.path, start, end)
        return await done


def read(path: str, start: int, end: int) -> bytes:
    """
    A piece of a file; blocks.

    @raise OSError: it cannot be read, or is shorter than it was.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        octets = os.pread(fd, end - start, start)
    finally:
        os.close(fd)
    if len(octets) != end - start:
        raise OSError(f"{path} is shorter than it was")
    return octets
