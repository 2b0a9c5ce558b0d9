"""Messages built to keep a reader busy (R26)."""

import base64
from collections.abc import Iterator
from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from smfd.content.features import read_features
from smfd.content.shape import measure
from smfd.format.parts import read_parts

MIXED = b"From: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"


def shapes(size: int) -> Iterator[tuple[str, bytes]]:
    """Messages of about so many octets, each bad in one way."""
    yield "headers", b"a: b\r\n" * (size // 6) + b"\r\n"
    yield "folds", b"a: b\r\n" + b" x\r\n" * (size // 4)
    yield "no colons", b"abc\r\n" * (size // 5)
    yield "addresses", b"To: " + b"a@b, " * (size // 5) + b"\r\n\r\n"
    yield "groups", b"To: " + b"a:b@c;" * (size // 6) + b"\r\n\r\n"
    yield "angles", b"From: " + b"<" * size + b"\r\n\r\n"
    yield "words", b"Subject: " + b"=?utf-8?q?a?= " * (size // 14) + b"\r\n\r\n"
    yield "unended words", b"Subject: " + b"=?utf-8?q?" * (size // 10) + b"\r\n\r\n"
    yield "parameters", b"Content-Type: a/b" + b"; a=b" * (size // 5) + b"\r\n\r\n"
    sections = b"".join(b"; filename*%d*=x" % n for n in range(size // 18))
    yield "sections", b"Content-Disposition: attachment" + sections + b"\r\n\r\n"
    yield "comments", b"Content-Type: " + b"(" * size + b"\r\n\r\n"
    yield "quotes", b"Content-Type: a/b" + b';a="' * (size // 4) + b"\r\n\r\n"
    yield "escapes", b'Content-Type: a/b;a="' + b'\\"' * (size // 2) + b"\r\n\r\n"
    yield "parts", MIXED + b"--b\r\n\r\nx\r\n" * (size // 11)
    yield "near boundaries", MIXED + b"--c\r\n" * (size // 5)
    yield "dashes", MIXED + b"\n--" * (size // 3)
    yield "one boundary", (MIXED + b"--b\r\n") * (size // 60)
    yield "messages", b"Content-Type: message/rfc822\r\n\r\n" * (size // 32)
    head = b"Content-Transfer-Encoding: "
    yield "padding", head + b"base64\r\n\r\n" + b"QQ==\r\n" * (size // 6)
    yield "quoted-printable", head + b"quoted-printable\r\n\r\n" + b"=4" * (size // 2)
    yield (
        "uuencode",
        head + b"x-uuencode\r\n\r\n" + b"begin 644 a\r\nM\r\n" * (size // 17),
    )
    yield "text", b"\r\n" + b"a" * size
    yield "links", b"\r\n" + b"http://a.b " * (size // 11)
    yield "money", b"\r\n" + b"$1,111" * (size // 6)
    yield "tags", b"Content-Type: text/html\r\n\r\n" + b"<a" * (size // 2)
    nested = b"Content-Type: text/plain\r\n\r\nhi"
    while len(nested) < size:
        coded = base64.encodebytes(nested)
        nested = head + b"base64\r\nContent-Type: message/rfc822\r\n\r\n" + coded
    yield "nested base64", nested


class ShapeTests(SynchronousTestCase):
    """A megabyte takes no second, whatever it is made of."""

    def test_shapes(self) -> None:
        """Each shape is read, decoded and measured in time."""
        for name, data in shapes(1 << 20):
            before = process_time()
            for part in read_parts(data).leaves():
                part.text()
            self.assertLess(process_time() - before, 1, name)

    def test_features(self) -> None:
        """And so is all that rules see of it."""
        for name, data in shapes(1 << 19):
            before = process_time()
            measure(read_features(data))
            self.assertLess(process_time() - before, 2, name)
