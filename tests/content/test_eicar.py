"""The engine of a box without an antivirus: one string, however wrapped (R22)."""

import base64
import binascii
import bz2
import gzip
import lzma
import quopri
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.eicar import NAME, SIGNATURE, examine

VIRUS = b"".join((b"X5O!P%@AP[4\\PZX54(P^)7CC)7}", SIGNATURE, b"H+H*"))

HEAD = b"From: a@b\r\nTo: c@d\r\nSubject: x\r\nMIME-Version: 1.0\r\n"


def zipped(data: bytes, name: str = "a.com") -> bytes:
    """In a zip archive, compressed."""
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dir/", b"")
        archive.writestr(name, data)
    return whole.getvalue()


def tarred(data: bytes) -> bytes:
    """In a tar archive."""
    whole = BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        entry = tarfile.TarInfo("a.com")
        entry.size = len(data)
        archive.addfile(entry, BytesIO(data))
    return whole.getvalue()


def locked(data: bytes) -> bytes:
    """In a zip archive that says it is encrypted."""
    archive = bytearray(zipped(data))
    archive[archive.rindex(b"PK\x03\x04") + 6] |= 1
    archive[archive.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(archive)


def five_deep(data: bytes) -> bytes:
    """Archives of all kinds in each other."""
    return zipped(gzip.compress(tarred(bz2.compress(lzma.compress(zipped(data))))))


def coded(data: bytes, encoding: str = "base64") -> bytes:
    """A part's last fields and its body."""
    line = f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    if encoding == "quoted-printable":
        return line + quopri.encodestring(data).replace(b"\n", b"\r\n")
    if encoding.startswith("x-uu"):
        lines = [data[at : at + 45] for at in range(0, len(data), 45)]
        body = b"".join(binascii.b2a_uu(line) for line in lines)
        return (
            line + b"begin 644 a.com\r\n" + body.replace(b"\n", b"\r\n") + b"`\r\nend"
        )
    if encoding == "base64":
        return line + base64.encodebytes(data).replace(b"\n", b"\r\n")
    return line + data


ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "zip": zipped,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "tar": tarred,
    "tar.gz": lambda data: gzip.compress(tarred(data)),
    "zip.zip": lambda data: zipped(zipped(data)),
    "behind a program": lambda data: b"MZ" + b"x" * 500 + zipped(data),
    "five deep": five_deep,
    "wrong name": lambda data: zipped(zipped(data, "a.com"), "a.jpg"),
}


def structures(body: bytes, plain: bytes) -> Iterator[tuple[str, bytes]]:
    """Messages around a coded body; C{plain} is the string itself."""
    mixed = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    kind = b"Content-Type: application/octet-stream; name=a.com\r\n"
    part = kind + body
    yield "alone", HEAD + kind + body
    yield "attached", mixed + b"--b\r\n\r\nhi\r\n--b\r\n" + part + b"\r\n--b--\r\n"
    yield "unended", mixed + b"--b\r\n" + part
    yield "after the end", mixed + b"--b--\r\n--b\r\n" + part + b"\r\n--b--\r\n"
    yield "epilogue", mixed + b"--b\r\n\r\nhi\r\n--b--\r\n" + plain
    yield "preamble", mixed + plain + b"\r\n--b\r\n\r\nhi\r\n--b--\r\n"
    yield "nested", mixed + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + HEAD + part
    yield (
        "nested in base64",
        mixed + b"--b\r\nContent-Type: message/rfc822\r\n" + coded(HEAD + part),
    )
    yield (
        "two types",
        HEAD + b"Content-Type: text/plain\r\nContent-Type: multipart/mixed;"
        b" boundary=b\r\n\r\n--b\r\n" + part + b"\r\n--b--\r\n",
    )
    yield (
        "no boundary",
        HEAD + b"Content-Type: multipart/mixed\r\n\r\n--b\r\n" + part + b"\r\n--b--",
    )
    yield (
        "wrong boundary",
        HEAD + b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--b\r\n" + part,
    )
    yield (
        "split boundary",
        HEAD + b"Content-Type: multipart/mixed; boundary*0=b; boundary*1=b\r\n\r\n"
        b"--bb\r\n" + part + b"\r\n--bb--",
    )
    yield "header only", HEAD + b"X-Test: " + plain + b"\r\n\r\nhi"
    yield "no header", b"\r\n" + plain
    yield "text", HEAD + b"Content-Type: text/plain; charset=utf-7\r\n" + body
    yield "odd encoding", HEAD + kind + body.replace(b"base64", b"BASE64 (c)")
    yield "quoted encoding", HEAD + kind + body.replace(b"base64", b'"base64"')
    yield "unknown encoding", HEAD + kind + body.replace(b"base64", b"base46")
    yield "junk in base64", HEAD + kind + body.replace(b"\r\n", b"\r\n*\r\n")
    yield "quoted mail", HEAD + b"\r\n" + body.replace(b"\r\n", b"\r\n> ")


class FoundTests(SynchronousTestCase):
    """The string is found, or it is said that nobody can know."""

    def test_archives(self) -> None:
        """In every kind of archive, attached."""
        for name, pack in ARCHIVES.items():
            part = b"Content-Type: application/x\r\n" + coded(pack(VIRUS))
            answer = examine(HEAD + part, {})
            self.assertEqual(answer, {"answer": "found", "name": NAME}, name)

    def test_structures(self) -> None:
        """In every structure: plain in all encodings, and in an archive."""
        count = 0
        for pack in (bytes, zipped):
            for encoding in ("base64", "quoted-printable", "x-uuencode"):
                for name, message in structures(coded(pack(VIRUS), encoding), VIRUS):
                    if name in ("junk in base64", "quoted mail") and (
                        pack is zipped or encoding != "base64"
                    ):
                        continue  # that makes another body of it
                    answer = examine(message, {})["answer"]
                    count += 1
                    allowed = ("found",) if pack is bytes else ("found", "unknown")
                    self.assertIn(answer, allowed, (name, encoding, pack))
        self.assertGreaterEqual(count, 100)

    def test_not_known(self) -> None:
        """What cannot be opened is not called clean."""
        bomb = zipped(b"\0" * (80 << 20))
        deep = VIRUS
        for _ in range(12):
            deep = zipped(deep)
        for name, data in [
            ("too much", bomb),
            ("too deeply", deep),
            ("rar", b"Rar!\x1a\x07\0xxxx"),
            ("7z", b"7z\xbc\xaf'\x1cxxxx"),
            ("TNEF", b"\x78\x9f\x3e\x22xxxx"),
            ("broken", zipped(b"x" * 1000)[:-10]),
            ("broken", gzip.compress(b"x" * 1000)[:-12]),
        ]:
            answer = examine(HEAD + b"Content-Type: a/b\r\n" + coded(data), {})
            self.assertEqual(answer["answer"], "unknown", name)
            self.assertIn(name, answer["why"])
        named = b"Content-Type: a/b; name=a.rar\r\n" + coded(b"what is this")
        self.assertEqual(examine(HEAD + named, {})["answer"], "unknown")
        piece = b"Content-Type: message/partial; id=a; number=1\r\n\r\nx"
        self.assertEqual(examine(HEAD + piece, {})["answer"], "unknown")

    def test_clean(self) -> None:
        """Ordinary mail is clean."""
        for message in (
            HEAD + b"\r\nhello\r\n",
            HEAD + b"Content-Type: a/b\r\n" + coded(zipped(b"hello", "a.txt")),
            HEAD + b"Content-Type: a/b; name=a.pdf\r\n" + coded(b"%PDF-1.4 x"),
        ):
            self.assertEqual(examine(message, {}), {"answer": "clean"})

    def test_time(self) -> None:
        """Nothing takes long: bombs are left alone."""
        many = BytesIO()
        with zipfile.ZipFile(many, "w") as archive:
            for number in range(1900):
                archive.writestr(f"{number}.zip", zipped(b"x" * 1000))
        began = process_time()
        examine(HEAD + coded(many.getvalue()), {})
        self.assertLess(process_time() - began, 5)

    @given(st.binary(max_size=200), st.sampled_from([b"PK", b"\x1f\x8b", b"BZh", b""]))
    def test_any(self, data: bytes, magic: bytes) -> None:
        """Whatever the octets, there is an answer."""
        end = b"PK\x05\x06" + data[:18].ljust(18, b"\0")
        for body in (magic + data, magic + data + end):
            self.assertIn("answer", examine(HEAD + coded(body), {}))
