"""What nobody can look into without a password is never called clean (R23)."""

import gzip
import lzma
import struct
import zipfile
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.eicar import examine
from smfd.content.encryption import encryption
from tests.content.test_eicar import HEAD, VIRUS, coded, locked, tarred, zipped

LZMA = {"id": lzma.FILTER_LZMA1, "dict_size": 65536, "lc": 3, "lp": 0, "pb": 2}
AES = b"\x24\x06\xf1\x07\x01\x0a\x53\x07" + b"s" * 16
RAR4, RAR5 = b"Rar!\x1a\x07\0", b"Rar!\x1a\x07\x01\0"


def with_aes() -> bytes:
    """A zip archive of WinZip's AES: method 99."""
    archive = bytearray(locked(b"x" * 100))
    archive[archive.rindex(b"PK\x01\x02") + 10] = 99
    return bytes(archive)


def open_document(word: bytes = b"encryption-data") -> bytes:
    """An OpenDocument text, its manifest as given."""
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", b"\x93\x12" * 50)
        archive.writestr("META-INF/manifest.xml", b"<x><manifest:%s/></x>" % word)
    return whole.getvalue()


def compound(stream: str) -> bytes:
    """An OLE compound file whose directory names a stream."""
    directory = "Root Entry".encode("utf-16-le") + bytes(44)
    name = stream.encode("utf-16-le")
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + directory + name


def rar4(flags: int = 0, main: int = 0) -> bytes:
    """RAR 4: main header, a clear file with its data, and one with flags."""
    head = RAR4 + struct.pack("<HBHH6x", 0, 0x73, main, 13)
    clear = struct.pack("<HBHHI", 0, 0x74, 0x8000, 40, 100) + bytes(29 + 100)
    last = struct.pack("<HBHHI", 0, 0x74, 0x8000 | flags, 40, 20) + bytes(29 + 20)
    return head + clear + last


def rar5(kind: int = 2, record: int = 3) -> bytes:
    """RAR 5: main header, a file with data, and a block with one extra record."""
    extra = bytes((3, record, 0, 0))
    clear = bytes((2, 2, 100)) + b"file"
    last = bytes((kind, 1, len(extra))) + b"name" + extra
    blocks = ((bytes((1, 0, 0)), b""), (clear, bytes(100)), (last, b""))
    return RAR5 + b"".join(
        b"CRC." + bytes((len(head),)) + head + data for head, data in blocks
    )


def seven(listed: bytes, packed: bytes = b"") -> bytes:
    """7z: its start header, what is packed, and the list."""
    size = struct.pack("<QQ", len(packed), len(listed))
    return b"7z\xbc\xaf\x27\x1c\0\x04" + b"CRC." + size + b"CRC." + packed + listed


def seven_packed(inner: bytes) -> bytes:
    """7z with its list packed, as the program makes it."""
    content = b"\x5a" * 300
    small = lzma.compress(inner, lzma.FORMAT_RAW, filters=[LZMA])
    properties = b"\x5d" + struct.pack("<I", 65536)
    # kEncodedHeader, kPackInfo at 300 (two octets), one stream.
    outer = b"\x17\x06\x81\x2c\x01\x09" + bytes((len(small),)) + b"\0\x07\x0b\x01\0\x01"
    return seven(
        outer + b"\x23\x03\x01\x01\x05" + properties + b"\x0c\x20\0\0", content + small
    )


LOCKED = {
    "zip": locked(b"x" * 100),
    "zip with AES": with_aes(),
    "7z": seven_packed(b"\x01\x04\x06\0\x01\x09\x40\0\x07\x0b\x01\0\x01" + AES),
    "7z, list too": seven(b"\x17\x06\0\x01\x09\x40\0\x07\x0b\x01\0\x02" + AES),
    "rar 4": rar4(0x04),
    "rar 4, list too": rar4(0, 0x80),
    "rar 5": rar5(2, 1),
    "rar 5, list too": rar5(4),
    "PDF": b"%PDF-1.7\n1 0 obj\n<<>>\ntrailer << /Encrypt 12 0 R /Size 3 >>\n%%EOF",
    "PDF with a stream": b"%PDF-1.7\n<< /Type /XRef /Encrypt<</V 5>> >>\n%%EOF",
    "OOXML": compound("EncryptedPackage"),
    "Office 97": compound("EncryptedSummary"),
    "OpenDocument": open_document(),
    "zip in a zip": zipped(locked(b"x" * 100), "a.zip"),
    "rar in a tar.gz": gzip.compress(tarred(rar5(2, 1))),
    "PDF in a zip": zipped(b"%PDF-1.4 trailer <</Encrypt 1 0 R>>", "a.pdf"),
    "behind a program": b"MZ" + bytes(500) + locked(b"x" * 100),
}

CLEAR = {
    "zip": zipped(b"hello"),
    "7z": seven_packed(b"\x01\x04\x06\0\x01\x09\x40\0\x07\x0b\x01\0\x01\x21\x21\x01"),
    "rar 4": rar4(),
    "rar 5": rar5(),
    "PDF": b"%PDF-1.7\n(/Encrypt is a word) /Encryptions 1 0 R\n%%EOF",
    "OLE": compound("WordDocument"),
    "OpenDocument": open_document(b"file-entry"),
    "text": b"hello",
    "nothing": b"",
}


class EncryptionTests(SynchronousTestCase):
    """R23: at least 12 kinds, none of them clean."""

    def test_locked(self) -> None:
        """Each is told to be locked, in words."""
        self.assertGreaterEqual(len(LOCKED), 12)
        for name, data in LOCKED.items():
            message = HEAD + b"Content-Type: a/b\r\n" + coded(data)
            said = examine(message, {})
            self.assertEqual("encrypted", said["answer"], name)
            self.assertIn("encrypted", said["why"], name)
            self.assertEqual(said["why"], said["encrypted"], name)
            if " in a " not in name:
                self.assertEqual(said["why"], encryption(data), name)

    def test_clear(self) -> None:
        """What is not locked is not said to be."""
        for name, data in CLEAR.items():
            self.assertEqual("", encryption(data), name)

    def test_beside_a_virus(self) -> None:
        """What is found is found, and what cannot be opened says both."""
        body = coded(zipped(VIRUS)) + b"\r\n--b\r\nContent-Type: a/b\r\n"
        mixed = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        said = examine(HEAD + mixed + body + coded(LOCKED["zip"]), {})
        self.assertEqual("found", said["answer"])
        said = examine(
            HEAD + mixed + coded(rar4()) + b"\r\n--b\r\n" + coded(rar5(4)), {}
        )
        self.assertEqual("unknown", said["answer"])
        self.assertEqual("an encrypted rar archive", said["encrypted"])

    def test_cut(self) -> None:
        """Cut anywhere, or with any octet changed, there is an answer in time."""
        for data in (*LOCKED.values(), *CLEAR.values()):
            for at in range(0, len(data), max(1, len(data) // 40)):
                encryption(data[:at])
                encryption(data[:at] + b"\xff" + data[at + 1 :])

    @given(
        st.sampled_from([RAR4, RAR5, b"7z\xbc\xaf\x27\x1c", b"PK\x05\x06", b"%PDF-"]),
        st.binary(max_size=300),
    )
    def test_any(self, beginning: bytes, rest: bytes) -> None:
        """Whatever comes behind a known beginning, there is an answer."""
        self.assertIn(encryption(beginning + rest)[:12], ("", "an encrypted"))
