"""
The octets of a message as they arrive, by DATA or by BDAT.

Whole chunks are searched, never lines.  What is bare CR, bare LF, NUL or too
much is never repaired: the rest is swallowed up to its true end, and one reply
says why.

Standards: RFC 5321 §2.3.8, §4.1.1.4, §4.5.2, RFC 3030 §2, RFC 1870 §6.3.
"""

from io import IncrementalNewlineDecoder

from smfd.proto.line import LineBuffer
from smfd.proto.reply import Reply, reply

BARE = reply(550, "5.5.2", "Bare CR or bare LF in the message is refused")
NUL = reply(550, "5.5.2", "NUL in the message is refused")
NO_CRLF = reply(550, "5.5.2", "The message does not end with CRLF")
TOO_BIG = reply(552, "5.3.4", "The message is too big")

_DOT = b"\r\n."
_END = b"\r\n.\r\n"

#: The kinds of line ends that octets may have: none at all, or this.
_GOOD_ENDS = (None, "\r\n")


class Scrutiny:
    """
    What a body must be.

    @param limit: octets a message may have.
    @ivar size: octets so far.
    """

    __slots__ = ("size", "_limit", "_bare", "_nul", "_spoilt")

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._bare = self._nul = False
        self._spoilt: Reply | None = None

    def look(self, octets: bytes) -> None:
        """Look at some that neither begin nor end inside a CRLF."""
        self.size += len(octets)
        # One pass, and four times as fast as counting CRLF, CR and LF.
        ends = IncrementalNewlineDecoder(None, translate=False)
        ends.decode(octets.decode("latin-1"), final=True)
        if ends.newlines not in _GOOD_ENDS:
            self._bare = True
        if b"\0" in octets:
            self._nul = True

    def spoil(self, answer: Reply) -> None:
        """Take the message no further: this will be the answer."""
        self._spoilt = answer

    @property
    def sound(self) -> bool:
        """Whether it can still become a message."""
        return self.flaw() is None

    def flaw(self) -> Reply | None:
        """
        What is wrong, the worst first.

        How the octets were cut on their way makes no difference.
        """
        if self._bare:
            return BARE
        if self._nul:
            return NUL
        if self.size > self._limit:
            return TOO_BIG
        return self._spoilt


class DataReader:
    """
    Reads what follows 354 up to C{CRLF . CRLF}.

    @ivar done: the end was seen.
    @ivar scrutiny: what is thought of it.
    """

    __slots__ = ("done", "scrutiny", "_held", "_skip")

    def __init__(self, limit: int) -> None:
        self.done = False
        self.scrutiny = Scrutiny(limit)
        # RFC 5321 §4.1.1.4: the CRLF of the DATA line begins the end of an
        # empty message.  It is no part of it.
        self._held = b"\r\n"
        self._skip = 2

    def read(self, source: LineBuffer) -> bytes:
        """
        Take what waits, leave what follows the end.

        @return: clear octets, or none when there are none, or when the
            message cannot become one any more.
        """
        octets = source.take()
        if not octets:
            return b""
        if self._held:
            octets = self._held + octets
        end, dots = _end(octets)
        if end >= 0:
            self.done = True
            self._held = b""
            source.put_back(octets[end + 5 :])
            return self._clear(octets[: end + 2], dots)
        cut = len(octets) - _begun(octets)
        self._held = octets[cut:]
        return self._clear(octets[:cut], dots)

    def _clear(self, octets: bytes, dots: bool) -> bytes:
        if dots:
            # RFC 5321 §4.5.2: the dot that was put before a dot goes.
            octets = octets.replace(_DOT, b"\r\n")
        if self._skip and octets:
            octets, self._skip = octets[self._skip :], 0
        self.scrutiny.look(octets)
        return octets if self.scrutiny.sound else b""


class ChunkReader:
    """
    Reads the chunks that follow BDAT.  Dots mean nothing in them.

    @ivar done: the chunk is complete.
    @ivar scrutiny: what is thought of the message.
    """

    __slots__ = ("done", "scrutiny", "_left", "_last", "_held", "_end")

    def __init__(self, limit: int) -> None:
        self.done = True
        self.scrutiny = Scrutiny(limit)
        self._left = 0
        self._last = False
        self._held = b""
        self._end = b"\r\n"

    def expect(self, size: int, last: bool) -> None:
        """A chunk of so many octets follows."""
        self._left = size
        self._last = last
        self.done = False

    def read(self, source: LineBuffer) -> bytes:
        """Take what waits of the chunk; see L{DataReader.read}."""
        octets = source.take(self._left)
        self._left -= len(octets)
        self.done = not self._left
        octets = self._held + octets
        # A CR may find its LF in the next read, or in the next chunk.
        whole = self.done and self._last
        self._held = b"\r" if octets.endswith(b"\r") and not whole else b""
        if self._held:
            octets = octets[:-1]
        if octets:
            self._end = octets[-2:] if len(octets) > 1 else self._end[-1:] + octets
        self.scrutiny.look(octets)
        if whole and self._end != b"\r\n":
            self.scrutiny.spoil(NO_CRLF)
        return octets if self.scrutiny.sound else b""


class Swallow:
    """
    Takes a chunk that nobody wants, so that it is not read as commands.

    @ivar done: all of it is gone.
    @ivar answer: what to say then.
    """

    __slots__ = ("done", "answer", "_left")

    def __init__(self, size: int, answer: Reply) -> None:
        self.done = not size
        self.answer = answer
        self._left = size

    def read(self, source: LineBuffer) -> bytes:
        """Take what waits, and keep nothing."""
        self._left -= len(source.take(self._left))
        self.done = not self._left
        return b""


def _end(octets: bytes) -> tuple[int, bool]:
    """Where the end begins, or -1; whether a dot begins a line of the rest."""
    # From the right: CPython finds it three times as fast there, and it is
    # the only such line of most messages.
    last = octets.rfind(_DOT)
    if last < 0:
        return -1, False
    if octets.startswith(_END, last) and octets.rfind(_DOT, 0, last) < 0:
        return last, False
    return octets.find(_END), True


def _begun(octets: bytes) -> int:
    """How many octets at the end may be the beginning of the end."""
    for length in (4, 3, 2, 1):
        if octets.endswith(_END[:length]):
            return length
    return 0
