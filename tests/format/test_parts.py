"""How a message is taken apart, whole or broken."""

import email
from collections.abc import Iterator
from pathlib import Path
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.format.parameters import read_parameters
from smfd.format.parts import Limits, Parts, read_parts
from smfd.format.transfer import from_base64, uuencoded

SHARED = Path(smfd.__file__).parents[1].parent / "shared"

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"

PIECES = st.sampled_from(
    [
        MIXED,
        b'Content-Type: multipart/alternative;\r\n boundary="b-1"\r\n\r\n',
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Type: text/plain; charset*0=utf; charset*1=-7\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"--b-1\r\n",
        b"--b-1--\r\n",
        b"--\r\n",
        b"begin 644 a.exe\r\n",
        b"\r\n",
        b"text\r\n",
        b"QUJD\r\n",
    ]
)


def samples() -> Iterator[tuple[str, bytes]]:
    """The messages of the MIME folders, as they would come over SMTP."""
    for path in sorted((SHARED / "conformance" / "mime").rglob("*")):
        if path.suffix in (".eml", ".msg", ".txt") and "decoded" not in path.name:
            data = path.read_bytes().replace(b"\r\n", b"\n")
            yield str(path), data.replace(b"\n", b"\r\n")


def squeezed(parts: Parts) -> bytes:
    """All that the leaves hold, as sent and decoded, without white space."""
    return b"\0".join(
        b"".join(octets.split())
        for part in parts.leaves()
        for octets in (part.raw(), part.decoded())
    )


class ReadTests(SynchronousTestCase):
    """Parts are found where RFC 2046 says they are."""

    def test_tree(self) -> None:
        """Parts come in order, with their depth, names and text."""
        data = (
            MIXED
            + b"preamble\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\nf=FCr\r\n--b\r\n"
            b"Content-Disposition: attachment; filename*0*=utf-8''b%C3%A4;\r\n"
            b" filename*1=.exe; filename=harmless.txt\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\nTVo=\r\n--b--\r\nepilogue"
        )
        parts = read_parts(data)
        self.assertEqual(parts.defects, ())
        self.assertEqual(
            [(p.type, p.depth, p.parent, p.leaf) for p in parts.parts],
            [
                ("multipart/mixed", 0, -1, False),
                ("text/plain", 1, 0, True),
                ("text/plain", 1, 0, True),
            ],
        )
        self.assertEqual(parts.parts[1].text(), "für")
        self.assertEqual(parts.parts[2].names, ("harmless.txt", "bä.exe"))
        self.assertEqual(parts.parts[2].decoded(), b"MZ")

    def test_nested_message(self) -> None:
        """A message in a message is read, also when it came as base64."""
        plain = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhello"
        coded = (
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n"
            b"\r\nU3ViamVjdDogaW4NCg0KaGVsbG8="
        )
        for data in (plain, coded):
            inner = read_parts(data).parts[1]
            self.assertEqual(inner.header.first("subject"), b" in")
            self.assertEqual((inner.raw(), inner.depth), (b"hello", 1))

    def test_outer_boundary_ends_inner(self) -> None:
        """A part that never ends is ended by the boundary around it."""
        data = (
            MIXED + b"--b\r\nContent-Type: multipart/mixed; boundary=b-1\r\n\r\n"
            b"--b-1\r\n\r\ninner\r\n--b\r\n\r\nouter\r\n--b--\r\n"
        )
        parts = read_parts(data)
        self.assertEqual([p.raw() for p in parts.leaves()], [b"inner", b"outer"])
        self.assertEqual(parts.defects, ("unended",))

    def test_after_the_end(self) -> None:
        """Parts behind the closing delimiter are seen: some readers show them."""
        data = MIXED + b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
        leaves = [p.raw() for p in read_parts(data).leaves()]
        self.assertEqual(leaves, [b"one", b"two"])

    def test_no_boundary(self) -> None:
        """A boundary nobody declared is guessed from the first line."""
        data = b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\none\r\n--x--\r\n"
        parts = read_parts(data)
        self.assertEqual([p.raw() for p in parts.leaves()], [b"one"])
        self.assertEqual(parts.defects, ("no-boundary",))

    def test_text_without_header(self) -> None:
        """Text where a header should be is still text."""
        data = MIXED + b"--b\r\nno header here\r\n--b--\r\n"
        leaves = [p.raw() for p in read_parts(data).leaves()]
        self.assertEqual(leaves, [b"no header here"])

    def test_encodings(self) -> None:
        """Badly made base64 and uuencode are decoded as far as they go."""
        self.assertEqual(from_base64(b"QUJ\r\nD!REVG="), b"ABCDEF")
        self.assertEqual(from_base64(b"QQ==QkM=\r\nRA"), b"ABCD")
        found = uuencoded(b"hi\r\nbegin 644 a.exe\r\n#0V%T\r\n`\r\nend\r\n")
        self.assertEqual(found, [(b"a.exe", b"Cat")])

    def test_declared_twice(self) -> None:
        """Of several types the one that holds others counts, and it is noted."""
        one, two = b"Content-Type: text/plain\r\n", b"CONTENT-TYPE: multipart/x\r\n"
        three = b"Content-Type: message/rfc822\r\n"
        for head, kind, defects in (
            (one, "text/plain", set()),
            (one + two, "multipart/x", {"ambiguous"}),
            (one + one + three + two, "message/rfc822", {"ambiguous"}),
            (one + one, "text/plain", {"ambiguous"}),
            (one * 10 + two, "text/plain", {"ambiguous"}),
        ):
            read = read_parts(head + b"\r\nx")
            self.assertEqual(kind, read.parts[0].type)
            self.assertEqual(defects, {"ambiguous"}.intersection(read.defects))
        code = b"Content-Transfer-Encoding: %s\r\n"
        read = read_parts(code % b" Base64 " + code % b"quoted-printable" + b"\r\neA==")
        self.assertEqual(("ambiguous",), read.defects)
        self.assertEqual(b"x", read.parts[0].decoded())

    def test_fields(self) -> None:
        """Values are found by name, in order, whatever the case."""
        read = read_parts(b"A: 1\r\nb: 2\r\na: 3\r\n\r\n")
        self.assertEqual({"a": [b" 1", b" 3"], "b": [b" 2"]}, read.parts[0].fields)

    def test_parameters(self) -> None:
        """Comments, quotes and spaces around parameters do not hide them."""
        found = read_parameters(
            b' text/html (c) ; charset = "utf\\-8" ; name=a b.exe;name="c;d"'
        )
        self.assertEqual(found.word, "text/html")
        self.assertEqual(found.values["charset"], "utf-8")
        self.assertEqual(found.names, ("a b.exe", "c;d"))


class BoundTests(SynchronousTestCase):
    """No message makes the reader work without end."""

    def test_limits(self) -> None:
        """Depth, number and decoded size have ends, and say so."""
        deep = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
            for n in range(50)
        )
        parts = read_parts(deep, Limits(depth=10))
        self.assertLessEqual(max(p.depth for p in parts.parts), 10)
        self.assertIn("too-deep", parts.defects)
        many = read_parts(MIXED + b"--b\r\n\r\nx\r\n" * 50, Limits(parts=20))
        self.assertEqual(len(many.parts), 20)
        self.assertIn("too-many-parts", many.defects)
        coded = (
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n"
            b"\r\n" + b"QUJD" * 100
        )
        self.assertIn("too-much", read_parts(coded, Limits(decoded=100)).defects)

    @given(st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=30))
    def test_any(self, pieces: list[bytes]) -> None:
        """Whatever the octets, the tree is a tree and every part is in it."""
        parts = read_parts(b"".join(pieces))
        for number, part in enumerate(parts.parts):
            self.assertEqual(part.number, number)
            self.assertLess(part.parent, number)
            self.assertLessEqual(part.start, part.end)
            if number:
                self.assertEqual(part.depth, parts.parts[part.parent].depth + 1)
                self.assertFalse(
                    part.source is parts.parts[part.parent].source
                    and parts.parts[part.parent].leaf
                )
            part.text().encode("utf-8", "surrogatepass")


class SampleTests(SynchronousTestCase):
    """Other people's collections of odd messages."""

    def test_all(self) -> None:
        """No message crashes the reader or takes a second of work."""
        count = 0
        for name, data in samples():
            before = process_time()
            for part in read_parts(data).parts:
                part.text()
            self.assertLess(process_time() - before, 1, name)
            count += 1
        self.assertGreater(count, 300)

    def test_no_part_lost(self) -> None:
        """What another reader shows of a valid message is in ours as well."""
        lost = []
        for name, data in samples():
            if "/rfc/" not in name and "/cpython/" not in name:
                continue
            ours = squeezed(read_parts(data))
            for part in email.message_from_bytes(data).walk():
                if part.is_multipart():
                    continue
                shown = part.get_payload(decode=True)
                assert isinstance(shown, bytes)
                if b"".join(shown.split()) not in ours:
                    lost.append(Path(name).name)
        # That one closes multiparts that it never opens.
        self.assertEqual(set(lost) - {"msg_38.txt"}, set())
