"""
A message as DATA carries it, made from pieces of any size.

Standards: RFC 5321 §4.5.2, §4.1.1.4.
"""


class Stuffing:
    """
    Doubles the dots that begin lines, and ends the message.

    How the message is cut into pieces makes no difference.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        # The CRLF of the DATA line: what follows begins a line.
        self._tail = b"\r\n"

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
