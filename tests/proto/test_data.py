"""Tests of smfd.proto.data and smfd.proto.line."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.data import BARE, NO_CRLF, NUL, TOO_BIG, ChunkReader, DataReader
from smfd.proto.line import LineBuffer
from smfd.proto.reply import Reply

#: Octets that matter, and one that does not.
HOT = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"x", b"\r\n.\r\n", b"\0", b"\r\n."]),
    max_size=30,
).map(b"".join)


def naive(octets: bytes, limit: int) -> tuple[bytes, Reply | None, bytes] | None:
    """Read a message line by line; the message, its flaw, what follows."""
    lines: list[bytes] = []
    rest = octets
    while True:
        line, crlf, rest = rest.partition(b"\r\n")
        if not crlf:
            return None
        if line == b".":
            break
        lines.append(line[1:] if line.startswith(b".") else line)
    message = b"".join(line + b"\r\n" for line in lines)
    return message, flaw(message, limit), rest


def flaw(message: bytes, limit: int) -> Reply | None:
    """What is wrong with it."""
    stray = message.replace(b"\r\n", b"")
    if b"\r" in stray or b"\n" in stray:
        return BARE
    if b"\0" in message:
        return NUL
    return TOO_BIG if len(message) > limit else None


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    """Cut octets at some places."""
    marks = sorted({place % (len(octets) + 1) for place in places} | {0, len(octets)})
    return [octets[a:b] for a, b in zip(marks, marks[1:], strict=False)]


def read(reader: DataReader, chunks: list[bytes]) -> tuple[bytes, bytes]:
    """Give a reader these chunks; what it took, and what it left."""
    source, taken = LineBuffer(2048), b""
    for chunk in chunks:
        source.append(chunk)
        if not reader.done:
            taken += reader.read(source)
    return taken, source.take()


class DataTests(SynchronousTestCase):
    """The octets after 354."""

    @settings(max_examples=600, deadline=None)
    @given(HOT, st.lists(st.integers(0, 300), max_size=6), st.integers(0, 30))
    def test_like_a_naive_reader(
        self, octets: bytes, places: list[int], limit: int
    ) -> None:
        """
        However the octets are cut, the end, the dots and the refusals are
        those of a reader that takes one line at a time.
        """
        reader = DataReader(limit)
        taken, left = read(reader, cut(octets, places))
        expected = naive(octets, limit)
        if expected is None:
            self.assertFalse(reader.done)
            return
        message, wrong, rest = expected
        self.assertTrue(reader.done)
        self.assertEqual(rest, left)
        self.assertEqual(wrong, reader.scrutiny.flaw())
        if wrong is None:
            self.assertEqual(message, taken)
            self.assertEqual(len(message), reader.scrutiny.size)

    def test_every_octet(self) -> None:
        """Every octet but CR, LF and NUL arrives as it was sent."""
        body = bytes(set(range(1, 256)) - {10, 13}) * 40 + b"\r\n"
        for size in (1, 7, 4096, 65536):
            reader = DataReader(10**6)
            sent = body + b".\r\n"
            chunks = [sent[n : n + size] for n in range(0, len(sent), size)]
            self.assertEqual((body, b""), read(reader, chunks))
            self.assertIsNone(reader.scrutiny.flaw())

    def test_long_lines(self) -> None:
        """Lines of any length are part of the message (R43)."""
        for length in (999, 1001, 16385, 70000, 300000):
            body = b"x" * length + b"\r\nMAIL FROM:<a@b.example>\r\n"
            sent = body + b".\r\nNOOP\r\n"
            reader = DataReader(10**6)
            chunks = [sent[n : n + 16384] for n in range(0, len(sent), 16384)]
            self.assertEqual((body, b"NOOP\r\n"), read(reader, chunks))

    def test_dots_at_every_border(self) -> None:
        """A dot line is unstuffed wherever a chunk ends."""
        sent = b"a\r\n..\r\n...b\r\n.c\r\n.\r\n"
        for place in range(len(sent)):
            reader = DataReader(100)
            taken, _ = read(reader, [sent[:place], sent[place:]])
            self.assertEqual(b"a\r\n.\r\n..b\r\nc\r\n", taken, place)

    def test_nothing_is_kept(self) -> None:
        """Without an end, only the beginning of one is held back (R49)."""
        source, reader = LineBuffer(2048), DataReader(10**9)
        for _ in range(16):
            source.append(b"x" * 2**20)
            self.assertEqual(2**20, len(reader.read(source)))
            self.assertEqual(0, len(source))

    def test_refused_keeps_nothing(self) -> None:
        """What cannot become a message any more is not handed on."""
        source, reader = LineBuffer(2048), DataReader(10)
        source.append(b"x" * 11)
        self.assertEqual(b"", reader.read(source))
        source.append(b"\r\n.\r\n")
        self.assertEqual(b"", reader.read(source))
        self.assertEqual(TOO_BIG, reader.scrutiny.flaw())


class ChunkTests(SynchronousTestCase):
    """The octets after BDAT."""

    @settings(max_examples=300, deadline=None)
    @given(
        HOT,
        st.lists(st.integers(0, 300), max_size=4),
        st.lists(st.integers(0, 300), max_size=4),
        st.integers(0, 60),
    )
    def test_chunks(
        self, octets: bytes, chunks: list[int], reads: list[int], limit: int
    ) -> None:
        """
        However a message is cut into chunks and reads, it is the same, and
        has the same flaws.
        """
        reader, taken = ChunkReader(limit), b""
        parts = cut(octets, chunks)
        for number, part in enumerate(parts, 1):
            reader.expect(len(part), number == len(parts))
            source = LineBuffer(2048)
            for piece in [*cut(part, reads), b"NOOP\r\n"]:
                source.append(piece)
                if not reader.done:
                    taken += reader.read(source)
            self.assertTrue(reader.done)
            self.assertEqual(b"NOOP\r\n", source.take())
        if not parts:
            return
        wrong = flaw(octets, limit)
        if wrong is None and not octets.endswith(b"\r\n"):
            wrong = NO_CRLF
        self.assertEqual(wrong, reader.scrutiny.flaw())
        if wrong is None:
            self.assertEqual(octets, taken)


class LineBufferTests(SynchronousTestCase):
    """Command lines."""

    def lines(self, chunks: list[bytes], limit: int) -> list[object]:
        """What comes out of it."""
        found: list[object] = []
        buffer = LineBuffer(limit)
        for chunk in chunks:
            buffer.append(chunk)
            while (line := buffer.line()) is not None:
                found.append(line)
        return found

    @settings(max_examples=300, deadline=None)
    @given(HOT, st.lists(st.integers(0, 300), max_size=6), st.integers(3, 12))
    def test_cut_anywhere(self, octets: bytes, places: list[int], limit: int) -> None:
        """However the octets come, the lines and the refusals are the same."""
        whole = self.lines([octets], limit)
        self.assertEqual(whole, self.lines(cut(octets, places), limit))
        self.assertEqual(whole, self.lines([bytes([octet]) for octet in octets], limit))

    def test_endless_line(self) -> None:
        """16 MiB without CRLF are answered once, and not kept (R49)."""
        buffer, answers = LineBuffer(2048), 0
        for _ in range(256):
            buffer.append(b"x" * 65536)
            answers += buffer.line() is not None
            self.assertLess(len(buffer), 2)
        self.assertEqual(1, answers)
        buffer.append(b"\r\nNOOP\r\n")
        self.assertEqual(b"NOOP", buffer.line())
