"""
A message as DATA or BDAT carries it, made from pieces of any size.

Standards: RFC 5321 §4.5.2, §4.1.1.4, RFC 3030 §2.
"""

from typing import Protocol


class Framing(Protocol):
    """How the other side tells a message from what comes before and behind."""

    def begin(self) -> bytes:
        """What goes before it."""

    def more(self, piece: bytes) -> bytes:
        """The next octets for the wire."""

    def end(self) -> bytes:
        """What ends it."""


class Stuffing:
    """
    Doubles the dots that begin lines, and ends the message.

    How the message is cut into pieces makes no difference.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        # The CRLF of the DATA line: what follows begins a line.
        self._tail = b"\r\n"

    def begin(self) -> bytes:
        """Nothing: DATA was said and answered."""
        return b""

    def more(self, piece: bytes) -> bytes:
        """The next octets for the wire."""
        if not piece:
            return b""
        tail = self._tail
        octets = tail + piece
        if octets.endswith(b"\r\n"):
            self._tail = b"\r\n"
        else:
            self._tail = b"\r" if octets.endswith(b"\r") else b""
        return octets.replace(b"\r\n.", b"\r\n..")[len(tail) :]

    def end(self) -> bytes:
        """What ends the message; a last line without its end gets one."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"


class Chunk:
    """
    Says how long the message is, and sends it as it is.

    No octets in it can be taken for its end.
    """

    __slots__ = ("_left", "_size")

    def __init__(self, size: int) -> None:
        """
        @param size: octets of the message.
        """
        self._size = self._left = size

    def begin(self) -> bytes:
        """The command: it is the last chunk, and the only one."""
        return b"BDAT %d LAST\r\n" % self._size

    def more(self, piece: bytes) -> bytes:
        """
        The next octets for the wire.

        @raise ValueError: they would be taken for commands.
        """
        self._left -= len(piece)
        if self._left < 0:
            raise ValueError(f"the message is longer than {self._size} octets")
        return piece

    def end(self) -> bytes:
        """
        Nothing.

        @raise ValueError: some of it is missing.
        """
        if self._left:
            raise ValueError(f"the message is shorter than {self._size} octets")
        return b""
