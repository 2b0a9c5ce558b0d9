"""
One body on its way through a conversation: by DATA, or in chunks by BDAT.

Standards: RFC 5321 §4.1.1.4, RFC 3030 §2.
"""

from smfd.proto.command import Bdat
from smfd.proto.data import ChunkReader, DataReader, Swallow
from smfd.proto.line import LineBuffer
from smfd.proto.reply import Reply


class Transfer:
    """
    What is read that is no command.

    @ivar reading: a body, or what must be swallowed, comes next.
    @ivar last: no more of the body follows what is read now, or was.
    @ivar said: what was swallowed is answered by this; None when a body came.
    @ivar flaw: what is wrong with the body that came, or None.
    """

    __slots__ = (
        "reading",
        "last",
        "said",
        "flaw",
        "_limit",
        "_reader",
        "_chunks",
    )

    def __init__(self, limit: int) -> None:
        """
        @param limit: octets a message may have.
        """
        self.reading = False
        self.last = True
        self.said: Reply | None = None
        self.flaw: Reply | None = None
        self._limit = limit
        self._reader: DataReader | ChunkReader | Swallow | None = None
        self._chunks: ChunkReader | None = None

    @property
    def size(self) -> int:
        """Octets of the chunks so far."""
        return self._chunks.scrutiny.size if self._chunks is not None else 0

    def begin(self) -> None:
        """A body comes by DATA."""
        self.last = True
        self._expect(DataReader(self._limit))

    def chunk(self, bdat: Bdat) -> None:
        """A chunk comes, the first or a later one."""
        if self._chunks is None:
            self._chunks = ChunkReader(self._limit)
        self._chunks.expect(bdat.size, bdat.last)
        self.last = bdat.last
        self._expect(self._chunks)

    def swallow(self, bdat: Bdat, answer: Reply) -> None:
        """A chunk comes that nobody wants: it is answered when it is gone."""
        self.last = bdat.last
        self._expect(Swallow(bdat.size, answer))

    def spoil(self, answer: Reply) -> None:
        """The body cannot be kept: swallow the rest of it, then say this."""
        if isinstance(self._reader, DataReader | ChunkReader):
            self._reader.scrutiny.spoil(answer)

    def end(self) -> None:
        """There is no body any more; what must be swallowed still comes."""
        if type(self._reader) is not Swallow:
            self._reader = None
            self.reading = False
        self._chunks = None

    def read(self, source: LineBuffer) -> bytes:
        """
        Take what waits.

        @return: a piece of the body; or nothing, when more must come or, with
            L{reading} off, when all of it came.
        """
        reader = self._reader
        assert reader is not None
        if not reader.done:
            octets = reader.read(source)
            if octets or not reader.done:
                return octets
        self._reader = None
        self.reading = False
        if isinstance(reader, Swallow):
            self.said = reader.answer
        else:
            self.said, self.flaw = None, reader.scrutiny.flaw()
        return b""

    def _expect(self, reader: DataReader | ChunkReader | Swallow) -> None:
        self._reader = reader
        self.reading = True
