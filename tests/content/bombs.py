"""Files that are small and become large, many, or deep (R24)."""

import bz2
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

_ZEROS = bytes(64 << 20)


def _zip(*files: tuple[str, bytes]) -> bytes:
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return whole.getvalue()


def _overlapping(count: int, quoted: bool) -> bytes:
    """A zip archive all of whose entries are the same octets."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = packer.compress(bytes(8 << 20)) + packer.flush()
    crc = zlib.crc32(bytes(8 << 20))
    fixed = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(kernel), 8 << 20, 1, 0)
    local = b"PK\x03\x04" + fixed + b"a"
    listed = b""
    for n in range(count):
        at = n * 31 if quoted else 0
        listed += b"PK\x01\x02" + struct.pack("<H", 20) + fixed
        listed += struct.pack("<HHHII", 0, 0, 0, 0, at) + b"a"
    head = local * (count if quoted else 1)
    end = struct.pack(
        "<HHHHIIH", 0, 0, count, count, len(listed), len(head + kernel), 0
    )
    return head + kernel + listed + b"PK\x05\x06" + end


def _nested(levels: int, width: int, seed: bytes) -> bytes:
    for level in range(levels):
        seed = _zip(*((f"{level}-{n}.zip", seed) for n in range(width)))
    return seed


def _tar(size: int, sparse: bool = False) -> bytes:
    entry = tarfile.TarInfo("huge")
    entry.size = size
    if sparse:
        entry.type = tarfile.GNUTYPE_SPARSE
    return entry.tobuf(tarfile.GNU_FORMAT) + bytes(10240)


def _chain(count: int) -> bytes:
    data = b"x" * 100
    for _ in range(count):
        data = gzip.compress(data)
    return data


def bombs() -> Iterator[tuple[str, bytes]]:
    """Twenty of them, by name."""
    small = _zip(("a", _ZEROS))
    yield "zip 1000:1", small
    yield "zip of 20 of them", _zip(*((f"{n}.zip", small) for n in range(20)))
    yield "zip overlapping", _overlapping(1900, False)
    yield "zip quoted", _overlapping(1900, True)
    yield "zip, 60,000 entries", _zip(*((f"{n}", b"") for n in range(60_000)))
    yield "zip, 100 levels", _nested(100, 1, b"x" * 100)
    yield "zip, 10 wide, 4 deep", _nested(4, 10, _zip(("a", _ZEROS[: 1 << 20])))
    yield "zip of long names", _zip(*((f"{n:060000}", b"x") for n in range(60)))
    yield "gzip 1000:1", gzip.compress(_ZEROS * 3)
    yield "gzip of gzip", gzip.compress(gzip.compress(_ZEROS * 3))
    yield "gzip, many members", gzip.compress(_ZEROS[: 1 << 16]) * 20_000
    yield "gzip, 100 levels", _chain(100)
    yield "bzip2 1000:1", bz2.compress(_ZEROS * 3)
    yield "bzip2, many streams", bz2.compress(_ZEROS[: 1 << 20]) * 3_000
    yield "xz 1000:1", lzma.compress(_ZEROS * 3)
    yield "xz, many streams", lzma.compress(_ZEROS[: 1 << 20]) * 3_000
    yield "xz with a huge dictionary", _dictionary()
    yield "tar, 8 GB promised", _tar(8 << 30)
    yield "tar, sparse", _tar(8 << 30, True)
    yield (
        "tar.gz, 40,000 files",
        gzip.compress(
            b"".join(tarfile.TarInfo(str(n)).tobuf() for n in range(40_000))
            + bytes(1024)
        ),
    )


def _dictionary() -> bytes:
    """1.5 GB of memory asked for, for a few octets."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    made = bytearray(lzma.compress(_ZEROS[: 1 << 16], filters=filters))
    # The properties octet of LZMA2 in the block header; then its checksum.
    at = 12
    size = (made[at] + 1) * 4
    where = made.index(b"\x21\x01", at, at + size)
    made[where + 2] = 40
    made[at + size - 4 : at + size] = struct.pack(
        "<I", zlib.crc32(bytes(made[at : at + size - 4]))
    )
    return bytes(made)
