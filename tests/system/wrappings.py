"""The test virus, wrapped as mail programs and those who hide things do (R22)."""

import base64
import binascii
import bz2
import gzip
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO

from smfd.content.specimen import test_virus as eicar

HEAD = b"From: a@sender.test\r\nSubject: wrapped\r\nMIME-Version: 1.0\r\n"
FILE = b"Content-Type: application/octet-stream; name=a.com\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n"
RFC822 = b"Content-Type: message/rfc822\r\n"
HI = b"--b\r\n\r\nhi\r\n"

Pack = Callable[[bytes], bytes]


def base64ed(data: bytes, width: int = 76) -> bytes:
    """Lines of base64."""
    text = base64.b64encode(data)
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return b"\r\n".join(lines) + b"\r\n"


def quoted(data: bytes) -> bytes:
    """Quoted-printable, every octet of it."""
    octets = [b"=%02X" % octet for octet in data]
    lines = [b"".join(octets[at : at + 25]) for at in range(0, len(octets), 25)]
    return b"=\r\n".join(lines) + b"\r\n"


def uuencoded(data: bytes) -> bytes:
    """A uuencoded file."""
    lines = [data[at : at + 45] for at in range(0, len(data), 45)]
    body = b"".join(binascii.b2a_uu(line) for line in lines)
    return b"begin 644 a.com\r\n" + body.replace(b"\n", b"\r\n") + b"`\r\nend\r\n"


def zipped(data: bytes, name: str = "a.com", method: int = 8) -> bytes:
    """A zip archive."""
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        archive.writestr(name, data)
    return whole.getvalue()


def tarred(data: bytes) -> bytes:
    """A tar archive."""
    whole = BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        entry = tarfile.TarInfo("a.com")
        entry.size = len(data)
        archive.addfile(entry, BytesIO(data))
    return whole.getvalue()


def tnef(data: bytes) -> bytes:
    """A TNEF stream with one attachment."""
    whole = struct.pack("<IH", 0x223E9F78, 1)
    for level, name, value in (
        (1, 0x00089006, struct.pack("<I", 0x10000)),  # attTnefVersion
        (2, 0x00069002, bytes(14)),  # attAttachRenddata
        (2, 0x00018010, b"a.com\0"),  # attAttachTitle
        (2, 0x0006800F, data),  # attAttachData
    ):
        whole += struct.pack("<BII", level, name, len(value)) + value
        whole += struct.pack("<H", sum(value) & 0xFFFF)
    return whole


def five_deep(data: bytes) -> bytes:
    """Five archives in each other."""
    return zipped(gzip.compress(tarred(bz2.compress(zipped(data)))))


def coded(name: bytes, body: bytes) -> bytes:
    """The last field of a part, and its body."""
    return b"Content-Transfer-Encoding: " + name + b"\r\n\r\n" + body


ENCODINGS: dict[str, Pack] = {
    "base64": lambda d: coded(b"base64", base64ed(d)),
    "short lines": lambda d: coded(b"base64", base64ed(d, 5)),
    "one line": lambda d: coded(b"base64", base64ed(d, 900)),
    "upper case": lambda d: coded(b"BASE64", base64ed(d)),
    "quoted-printable": lambda d: coded(b"quoted-printable", quoted(d)),
    "x-uuencode": lambda d: coded(b"x-uuencode", uuencoded(d)),
    "uuencode in text": lambda d: b"\r\nsee\r\n\r\n" + uuencoded(d),
}

ARCHIVES: dict[str, Pack] = {
    "zip": zipped,
    "stored zip": lambda d: zipped(d, method=0),
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "tar": tarred,
    "tar.gz": lambda d: gzip.compress(tarred(d)),
    "tar.bz2": lambda d: bz2.compress(tarred(d)),
    "tar.xz": lambda d: lzma.compress(tarred(d)),
    "zip in zip": lambda d: zipped(zipped(d)),
    "gzip in zip": lambda d: zipped(gzip.compress(d)),
    "behind a program": lambda d: b"MZ" + b"x" * 500 + zipped(d),
    "five deep": five_deep,
    "wrong extension": lambda d: zipped(zipped(d), "a.jpg"),
}


def structures(part: bytes) -> Iterator[tuple[str, bytes]]:
    """Messages around an encoded part: its own fields, then its body."""
    file = FILE + part
    mixed = HEAD + MIXED + b"\r\n"
    yield "alone", HEAD + file
    yield "attached", mixed + HI + b"--b\r\n" + file + b"--b--\r\n"
    yield "first", mixed + b"--b\r\n" + file + HI + b"--b--\r\n"
    yield "unended", mixed + b"--b\r\n" + file
    yield "after the end", mixed + HI + b"--b--\r\n--b\r\n" + file + b"--b--\r\n"
    yield "in a message", mixed + b"--b\r\n" + RFC822 + b"\r\n" + HEAD + file
    yield (
        "in an encoded message",
        mixed + b"--b\r\n" + RFC822 + coded(b"base64", base64ed(HEAD + file)),
    )
    yield (
        "in a digest",
        mixed.replace(b"mixed", b"digest")
        + b"--b\r\n\r\n"
        + (HEAD + file + b"--b--\r\n"),
    )
    yield "two types", HEAD + FILE + MIXED + b"\r\n--b\r\n" + file + b"--b--\r\n"
    yield (
        "two types, otherwise",
        (HEAD + MIXED + FILE + b"\r\n--b\r\n" + file + b"--b--\r\n"),
    )
    yield "two encodings", HEAD + b"Content-Transfer-Encoding: 7bit\r\n" + file
    yield (
        "no boundary",
        (HEAD + b"Content-Type: multipart/mixed\r\n\r\n--b\r\n" + file + b"--b--\r\n"),
    )
    yield "wrong boundary", mixed.replace(b"=b", b"=c") + b"--b\r\n" + file
    yield (
        "boundary in pieces",
        (
            HEAD + b"Content-Type: multipart/mixed; boundary*0=b; boundary*1=b\r\n\r\n"
            b"--bb\r\n" + file + b"--bb--\r\n"
        ),
    )
    yield "quoted boundary", mixed.replace(b"=b", b'="b"') + HI + b"--b\r\n" + file
    yield (
        "folded type",
        (
            HEAD + b"Content-Type:\r\n\tmultipart/mixed;\r\n\tboundary=b\r\n\r\n"
            b"--b\r\n" + file + b"--b--\r\n"
        ),
    )
    yield (
        "no MIME-Version",
        mixed.replace(b"MIME-Version: 1.0\r\n", b"")
        + HI
        + (b"--b\r\n" + file + b"--b--\r\n"),
    )
    yield "a picture", HEAD + b"Content-Type: image/png; name=a.png\r\n" + part
    yield "text", HEAD + b"Content-Type: text/plain\r\n" + part
    yield (
        "partial",
        HEAD
        + (
            b"Content-Type: message/partial; id=x; number=1; total=1\r\n\r\n"
            + HEAD
            + file
        ),
    )
    yield (
        "elsewhere",
        HEAD
        + (
            b"Content-Type: message/external-body; access-type=mail-server\r\n\r\n"
            + file
        ),
    )
    yield "related", mixed.replace(b"mixed", b"related") + HI + b"--b\r\n" + file
    deep = HEAD + b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n"
    for level in range(1, 8):
        deep += b"--b%d\r\nContent-Type: multipart/mixed;" % (level - 1)
        deep += b" boundary=b%d\r\n\r\n" % level
    yield "eight deep", deep + b"--b7\r\n" + file


def wrapped() -> Iterator[tuple[str, bytes]]:
    """Every wrapping, by its name."""
    virus = eicar()
    plain = virus + b"\r\n"
    yield "the body", HEAD + b"\r\n" + plain
    yield "no header", b"\r\n" + plain
    yield "a field", HEAD + b"X-Test: " + plain + b"\r\nhi\r\n"
    yield "a subject", b"From: a@sender.test\r\nSubject: " + plain + b"\r\nhi\r\n"
    mixed = HEAD + MIXED + b"\r\n"
    yield "preamble", mixed + plain + HI + b"--b--\r\n"
    yield "epilogue", mixed + HI + b"--b--\r\n" + plain
    for name, pack in ARCHIVES.items():
        for code in ("base64", "quoted-printable"):
            yield f"{name}, {code}", HEAD + FILE + ENCODINGS[code](pack(virus))
    for code, encode in ENCODINGS.items():
        for name, message in structures(encode(virus)):
            yield f"{name}, {code}", message
    for name, message in structures(ENCODINGS["base64"](zipped(virus))):
        yield f"{name}, zip", message
    yield (
        "TNEF",
        HEAD
        + b"Content-Type: application/ms-tnef; name=winmail.dat\r\n"
        + coded(b"base64", base64ed(tnef(virus))),
    )
    yield "unknown encoding", HEAD + FILE + coded(b"base46", base64ed(virus))
    yield (
        "comment in the encoding",
        HEAD + FILE + coded(b"base64 (really)", base64ed(virus)),
    )
    yield "quoted encoding", HEAD + FILE + coded(b'"base64"', base64ed(virus))
    yield (
        "junk in base64",
        HEAD + FILE + coded(b"base64", base64ed(virus, 20).replace(b"\r\n", b"*\r\n")),
    )
    yield (
        "padded within",
        HEAD + FILE + coded(b"base64", base64ed(virus[:31]) + base64ed(virus[31:])),
    )
