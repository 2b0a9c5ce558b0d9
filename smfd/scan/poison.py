"""Messages that the scanner fails on each time, although it works (R14)."""

from zlib import crc32

from attrs import define, field

from smfd.model.transaction import Body, Transaction

#: A message that comes again: size, CRC-32 and sender.
_Face = tuple[int, int, str]


@define(eq=False)
class Poison:
    """
    Remembers which messages failed, until we are started anew.

    @ivar tries: so many failures make a message one to give up.
    @ivar most: how many messages are remembered; those that failed first are
        forgotten first.
    """

    tries: int = 3
    most: int = 1000
    _failures: dict[_Face, int] = field(factory=dict, init=False)

    def failed(self, transaction: Transaction) -> None:
        """It failed once more, and nobody else did."""
        face = _face(transaction)
        if face is not None:
            # Put in anew: it is the youngest now.
            self._failures[face] = self._failures.pop(face, 0) + 1
        if len(self._failures) > self.most:
            del self._failures[next(iter(self._failures))]

    def hopeless(self, transaction: Transaction) -> bool:
        """Whether it failed so often that one more try is of no use."""
        if not self._failures:
            return False
        face = _face(transaction)
        return face is not None and self._failures.get(face, 0) >= self.tries


def _face(transaction: Transaction) -> _Face | None:
    crc = _crc(transaction.body)
    if crc is None:
        return None
    return transaction.body.size, crc, str(transaction.envelope.sender or "")


def _crc(body: Body) -> int | None:
    return body.crc if body.data is None else crc32(body.data)
