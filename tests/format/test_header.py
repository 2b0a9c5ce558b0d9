"""What a header is read as, and what is cut out of it."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.header import authserv, cuts, read_header

OURS = ("return-path", "x-smfd-*", "delivered-to")

#: Pieces that headers are attacked with, mixed with plain ones.
PIECES = st.sampled_from(
    [
        b"X-Smfd-Score: 0",
        b"x-smfd-flag :no",
        b"RETURN-PATH:<>",
        b"Return-Path",
        b"Delivered-To:\ta@b",
        b"Authentication-Results: mx.example.org; spf=pass",
        b'authentication-results:\r\n (c(o)m) "mx.Example.org." /1; x=y',
        b"Authentication-Results: other.example; spf=pass",
        b"Authentication-Results: ; spf=pass",
        b"Subject: hi\x0bX-Smfd-Score: 1",
        b"Subject: \x0c\x1c\x1d\x1e\x85\xe2\x80\xa8X-Smfd-Flag: 1",
        b"A: b\rX-Smfd-Flag: 1",
        b" folded: more",
        b"\t",
        b"\xff\xfe: 8bit",
        b"no colon here",
        b":",
        b"From: a@b",
        b"\r\n",
        b"\n",
        b"\r",
    ]
)
HEADERS = st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=20).map(
    b"\r\n".join
)


def without(data: bytes, ranges: tuple[tuple[int, int], ...]) -> bytes:
    """The octets that are in none of the ranges."""
    kept, at = [], 0
    for start, end in ranges:
        kept.append(data[at:start])
        at = end
    return b"".join(kept) + data[at:]


class ReadTests(SynchronousTestCase):
    """A header is read as RFC 5322 says, and survives what does not comply."""

    def test_fields(self) -> None:
        """Names, values and folds come out as they went in, with offsets."""
        data = b"From: a@b\r\nSubject: one\r\n\ttwo\r\nDate:x\r\n\r\nbody: no\r\n"
        header = read_header(data)
        self.assertEqual(
            [(f.name, f.value) for f in header.fields],
            [("From", b" a@b"), ("Subject", b" one\r\n\ttwo"), ("Date", b"x")],
        )
        self.assertEqual(data[header.size :], b"body: no\r\n")
        self.assertEqual(header.defects, ())
        subject = header.fields[1]
        self.assertEqual(
            data[subject.start : subject.end], b"Subject: one\r\n\ttwo\r\n"
        )

    def test_no_header(self) -> None:
        """A message that begins with an empty line has no fields."""
        for data in (b"\r\nA: b\r\n", b"\nA: b\r\n"):
            header = read_header(data)
            self.assertEqual(header.fields, ())
            self.assertEqual(data[header.size :], b"A: b\r\n")

    def test_empty(self) -> None:
        """Nothing at all is a header without fields."""
        self.assertEqual(
            read_header(b"").defects, ("unended", "missing-from", "missing-date")
        )

    def test_defects(self) -> None:
        """Each thing that is wrong is called by its word."""
        good = b"From: a@b\r\nDate: x\r\n"
        for data, defects in [
            (good, ("unended",)),
            (good + b"From: c@d\r\n\r\n", ("duplicate-from",)),
            (good + b"nothing\r\n\r\n", ("no-colon",)),
            (good + b"A B: c\r\n\r\n", ("bad-name",)),
            (good + b": c\r\n\r\n", ("bad-name",)),
            (good + b"\xc3\xa4: c\r\n\r\n", ("8bit-name",)),
            (b" x: y\r\n" + good + b"\r\n", ("leading-fold",)),
            (b"Date: x\r\n\r\n", ("missing-from",)),
            (b"From: x\r\n\r\n", ("missing-date",)),
        ]:
            self.assertEqual(read_header(data).defects, defects, data)

    def test_limits(self) -> None:
        """Too long a header, and too many fields, are cut short and said so."""
        good = b"From: a@b\r\nDate: x\r\n"
        long = read_header(good + b"A: " + b"x" * 5000 + b"\r\n\r\n", limit=1000)
        self.assertEqual((long.size, long.defects), (1000, ("oversized",)))
        many = read_header(good + b"A: b\r\n" * 50 + b"\r\n", fields=10)
        self.assertEqual(len(many.fields), 10)
        self.assertIn("too-many-fields", many.defects)

    def test_space_before_colon(self) -> None:
        """A space before the colon does not hide a field (RFC 5322 §4.5.8)."""
        self.assertEqual(read_header(b"Subject \t: x\r\n\r\n").first("subject"), b" x")

    @given(HEADERS)
    def test_any(self, data: bytes) -> None:
        """Whatever the octets, fields are ordered, disjoint and in the header."""
        header = read_header(data)
        at = 0
        for field in header.fields:
            self.assertLessEqual(at, field.start)
            self.assertLess(field.start, field.end)
            self.assertIn(field.value, data[field.start : field.end])
            at = field.end
        self.assertLessEqual(at, header.size)

    def test_author(self) -> None:
        """The author is read from all From fields, once for all who ask."""
        header = read_header(b"FROM: Ann <ann@A.example>\r\nTo: b@c.example\r\n\r\n")
        self.assertEqual("ann@a.example", header.author)
        self.assertIs(header.author, header.author)
        two = read_header(b"From: a@b.example\r\nfrom: a@b.example\r\n\r\n")
        self.assertIs(None, two.author)


class CutTests(SynchronousTestCase):
    """What only we may write is cut out, and nothing else changes."""

    def test_forged(self) -> None:
        """Forged fields go, their folds with them, and neighbours stay."""
        data = (
            b"X-SMFD-Score: -5\r\n 3\r\nReturn-Path: <x@y>\r\nFrom: a@b\r\n"
            b"Authentication-Results: (hi) MX.example.org 1; dkim=pass\r\n"
            b"Authentication-Results: elsewhere.example; dkim=pass\r\n\r\nbody"
        )
        ranges = cuts(read_header(data), OURS, "mx.example.org")
        self.assertEqual(len(ranges), 2)
        self.assertEqual(
            without(data, ranges),
            b"From: a@b\r\n"
            b"Authentication-Results: elsewhere.example; dkim=pass\r\n\r\nbody",
        )

    def test_leading_fold(self) -> None:
        """A first line that would continue our trace field is cut."""
        data = b" ; dkim=pass\r\n\tmore\r\nFrom: a@b\r\n\r\n"
        ranges = cuts(read_header(data), OURS, "mx.example.org")
        self.assertEqual(without(data, ranges), b"From: a@b\r\n\r\n")

    def test_nameless(self) -> None:
        """A first line that is a colon is odd, but nobody's trace: it stays."""
        odd = b": x\r\nFrom: a@b\r\n\r\n"
        for data in (odd, b"X-Smfd-Score: 0\r\n" + odd):
            ranges = cuts(read_header(data), OURS, "mx.example.org")
            self.assertEqual(odd, without(data, ranges))

    def test_authserv(self) -> None:
        """The authserv-id is found behind comments, quotes and folds."""
        for value, name in [
            (b" mx.example.org; none", b"mx.example.org"),
            (b"\r\n\t(a (b) \\) c) mx.Example.ORG.\r\n (x) 1; none", b"mx.example.org"),
            (b'"mx.example.org";', b"mx.example.org"),
            (b'"mx.\\example.org" x', b"mx.example.org"),
            (b"mx.(x)example.org;", b"mx.example.org"),
            (b"mx.example.org/1", b"mx.example.org"),
            (b" (never closed mx.example.org; none", b""),
            (b"", b""),
        ]:
            self.assertEqual(authserv(value), name, value)

    @given(HEADERS, st.binary(max_size=20))
    def test_none_left(self, head: bytes, body: bytes) -> None:
        """Reading again what is left finds nothing of ours, and nothing new."""
        data = head + b"\r\n\r\n" + body
        before = read_header(data)
        ranges = cuts(before, OURS, "mx.example.org")
        rest = without(data, ranges)
        after = read_header(rest)
        self.assertEqual(cuts(after, OURS, "mx.example.org"), ())
        for field in after.fields:
            name = field.name.lower()
            self.assertFalse(name in OURS or name.startswith("x-smfd-"), name)
        gone = {start for start, _ in ranges}
        kept = [
            data[f.start : f.end]
            for f in before.fields
            if not any(start <= f.start < end for start, end in ranges)
        ]
        self.assertEqual([rest[f.start : f.end] for f in after.fields], kept)
        self.assertEqual(len(gone), len(ranges))
        self.assertEqual(rest[after.size :], data[before.size :])

    @given(HEADERS)
    def test_top(self, head: bytes) -> None:
        """Put below a field of ours, what is left adds nothing to that field."""
        data = head + b"\r\n\r\n"
        ranges = cuts(read_header(data), OURS, "mx.example.org")
        whole = read_header(b"X-Smfd-Score: 1\r\n" + without(data, ranges))
        self.assertEqual(whole.fields[0].value, b" 1")
        self.assertEqual(
            [f.name for f in whole.fields].count("X-Smfd-Score"),
            1,
        )
