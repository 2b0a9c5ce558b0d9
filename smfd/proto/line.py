"""
Octets as they come, cut into command lines or taken raw.

Only CRLF ends a line.  A bare LF or a line too long is answered once, at the
octet that makes it so, and the rest up to the next CRLF is thrown away.

Standards: RFC 5321 §2.3.8, §4.5.3.1.4.
"""

from smfd.proto.reply import Reply, reply

BARE = reply(500, "5.5.2", "A command line ends with CRLF; bare LF is refused")
TOO_LONG = reply(500, "5.5.2", "The command line is too long")
NOT_SMTP = reply(554, "5.5.1", "This is an SMTP server; goodbye", closes=True)

#: RFC 8446 §5.1: the record type of a TLS handshake.
_HANDSHAKE = 0x16


class LineBuffer:
    """
    What was received and not yet understood.

    @param limit: octets of a command line, with its CRLF.
    @ivar octets: what waits, behind some that was taken perhaps; none when
        nothing waits.
    """

    __slots__ = ("octets", "_start", "_limit", "_skipping")

    def __init__(self, limit: int) -> None:
        self.octets = b""
        self._start = 0
        self._limit = limit - 2
        self._skipping = False

    def __len__(self) -> int:
        """How many octets wait."""
        return len(self.octets) - self._start

    def append(self, octets: bytes) -> None:
        """Put what was received behind the rest."""
        if self._start or self.octets:
            octets = self.octets[self._start :] + octets
            self._start = 0
        self.octets = octets

    def take(self, most: int = -1) -> bytes:
        """Take what waits as it is; at most so many octets."""
        octets, start = self.octets, self._start
        if 0 <= most < len(octets) - start:
            self._start = start + most
            return octets[start : start + most]
        self.clear()
        return octets[start:] if start else octets

    def put_back(self, octets: bytes) -> None:
        """Undo a part of L{take}; nothing else waits."""
        self.octets, self._start = octets, 0

    def clear(self) -> None:
        """Forget all of it."""
        self.octets, self._start = b"", 0

    def line(self) -> bytes | Reply | None:
        """
        Take one line.

        @return: the line without its CRLF, or the answer to what cannot be
            one, or None when more must come.
        """
        while octets := self.octets:
            end = octets.find(b"\r\n", self._start)
            if end < 0:
                return self._begun()
            line = octets[self._start : end]
            self._start = end + 2
            if self._start == len(octets):
                self.clear()
            if self._skipping:
                self._skipping = False
                continue
            return self._flaw(line) or line
        return None

    def _begun(self) -> Reply | None:
        # No CRLF yet.  A CR at the end may be half of one.
        rest = self.octets[self._start :]
        half = rest.endswith(b"\r")
        flaw = None
        if not self._skipping:
            flaw = self._flaw(rest[:-1] if half else rest)
            self._skipping = flaw is not None
        if self._skipping:
            self.put_back(b"\r" if half else b"")
        return flaw

    def _flaw(self, line: bytes) -> Reply | None:
        if line and line[0] == _HANDSHAKE:
            return NOT_SMTP
        if b"\n" in line and line.index(b"\n") < self._limit:
            return BARE
        return TOO_LONG if len(line) > self._limit else None
