"""
What is locked: files whose content nobody sees without a password.

It is told from the beginnings, lists and ends of files alone; nothing is
unpacked but the list of a 7z archive.  What is locked hides a virus from every
scanner, so it is never called clean.
"""

import lzma
import re
import struct
import zipfile
from collections.abc import Iterator
from io import BytesIO

#: Entries of an archive, and blocks, that are looked at.
_ENTRIES = 2000

#: Octets of a list, or of a manifest, that are read.
_LIST = 1 << 20

_TROUBLE = (
    *(zipfile.BadZipFile, lzma.LZMAError, struct.error, IndexError, OSError),
    *(ValueError, NotImplementedError, EOFError, RuntimeError, KeyError),
)

_MANIFEST = "META-INF/manifest.xml"

#: A trailer, or the dictionary of a stream, that says how it is encrypted.
_PDF = re.compile(rb"/Encrypt\s*(?:<<|\d{1,10}\s+\d{1,5}\s+R)")

#: Streams of a compound file, as its directory spells them.
_OLE = tuple(
    name.encode("utf-16-le") for name in ("EncryptedPackage", "EncryptedSummary")
)

#: 7-Zip's number for AES-256, and for LZMA, each with its length before it.
_AES = b"\x06\xf1\x07\x01"
_LZMA = b"\x23\x03\x01\x01\x05"


def encryption(data: bytes) -> str:
    """Why nobody can look into a file without a password; "" when one can."""
    try:
        return _told(data)
    except _TROUBLE:
        return ""


def _told(data: bytes) -> str:
    for beginning, what in _KINDS:
        if data.startswith(beginning):
            return what(data)
    if b"PK\x05\x06" in data[-66000:]:
        return _zip(data)
    if b"%PDF-" in data[:1024]:
        return _pdf(data)
    return ""


def _zip(data: bytes) -> str:
    end = data.rfind(b"PK\x05\x06")
    if int.from_bytes(data[end + 10 : end + 12], "little") > _ENTRIES:
        return ""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        entries = archive.infolist()[:_ENTRIES]
        # Bit 0 is an encrypted file, bit 13 a masked list.
        if any(entry.flag_bits & 0x2001 for entry in entries):
            return "an encrypted zip archive"
        # An encrypted OpenDocument says so in its manifest.
        if any(entry.filename == _MANIFEST for entry in entries):
            with archive.open(_MANIFEST) as file:
                if b"encryption-data" in file.read(_LIST):
                    return "an encrypted OpenDocument file"
    return ""


def _pdf(data: bytes) -> str:
    return "an encrypted PDF file" if _PDF.search(data) else ""


def _ole(data: bytes) -> str:
    if any(name in data for name in _OLE):
        return "an encrypted Office document"
    return ""


def _rar4(data: bytes) -> str:
    """Blocks of RAR 1.5 to 4: a main header, then files."""
    at = 7
    for _ in range(_ENTRIES):
        if at + 7 > len(data):
            break
        kind, flags, size = struct.unpack_from("<xxBHH", data, at)
        if (kind == 0x73 and flags & 0x80) or (kind == 0x74 and flags & 0x04):
            return "an encrypted rar archive"
        if flags & 0x8000 or kind == 0x74:
            size += struct.unpack_from("<I", data, at + 7)[0] if kind else 0
        if size < 7:
            break
        at += size
    return ""


def _rar5(data: bytes) -> str:
    """Blocks of RAR 5: each a checksum, its size, its kind and flags."""
    at = 8
    for _ in range(_ENTRIES):
        if at + 7 > len(data):
            break
        size, head = _vint(data, at + 4)
        kind, inside = _vint(data, head)
        flags, inside = _vint(data, inside)
        extra, inside = _vint(data, inside) if flags & 1 else (0, inside)
        packed, inside = _vint(data, inside) if flags & 2 else (0, inside)
        end = head + size
        if kind == 4 or (kind == 2 and 1 in _records(data[end - extra : end])):
            return "an encrypted rar archive"
        at = end + packed
    return ""


def _records(extra: bytes) -> Iterator[int]:
    """The kinds of the records of a block; 1 is encryption."""
    at = 0
    while at < len(extra):
        size, at = _vint(extra, at)
        yield _vint(extra, at)[0]
        at += max(1, size)


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits an octet, and where it ends."""
    value = 0
    for n in range(10):
        octet = data[at + n]
        value |= (octet & 0x7F) << (7 * n)
        if not octet & 0x80:
            return value, at + n + 1
    raise ValueError("a number without end")


def _seven(data: bytes) -> str:
    """The list of a 7z archive: in the clear, packed or locked itself."""
    offset, size = struct.unpack_from("<QQ", data, 12)
    listed = data[32 + offset : 32 + offset + min(size, _LIST)]
    if _AES in listed:
        return "an encrypted 7z archive"
    at = listed.find(_LZMA)
    if listed[:1] == b"\x17" and at >= 0:
        # Where the packed list begins: kPackInfo is the second octet.
        begin = 32 + _number(listed, 2)
        properties = listed[at + len(_LZMA) : at + len(_LZMA) + 5]
        if _AES in _unpacked(data[begin : 32 + offset], properties):
            return "an encrypted 7z archive"
    return ""


def _number(data: bytes, at: int) -> int:
    """A number as 7-Zip writes it: leading ones say how many octets follow."""
    first, more = data[at], 0
    while more < 8 and first & (0x80 >> more):
        more += 1
    low = int.from_bytes(data[at + 1 : at + 1 + more], "little")
    return low | (first & (0x7F >> more)) << (8 * more)


def _unpacked(data: bytes, properties: bytes) -> bytes:
    """The list itself, as far as it is read."""
    lc_lp_pb, size = properties[0], int.from_bytes(properties[1:5], "little")
    lzma1 = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": min(max(size, 4096), 1 << 24),
        "lc": lc_lp_pb % 9,
        "lp": lc_lp_pb // 9 % 5,
        "pb": lc_lp_pb // 45,
    }
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma1])
    return unpacker.decompress(data, _LIST)


_KINDS = (
    (b"Rar!\x1a\x07\0", _rar4),
    (b"Rar!\x1a\x07\x01\0", _rar5),
    (b"7z\xbc\xaf\x27\x1c", _seven),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _ole),
)
