"""
The job "virus" of a box without an antivirus: it knows one string.

EICAR's test string is looked for in the message as it is, in every part
decoded, and in archives within archives.  What cannot be looked into is not
called clean.
"""

import binascii
import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any

from attrs import Factory, define

from smfd.content.attachments import CONTAINERS, extension
from smfd.content.encryption import encryption
from smfd.format.parts import Part, Parts, read_parts
from smfd.format.transfer import uuencoded

#: In pieces, so that no file of ours contains it.
SIGNATURE = b"".join((b"$EICAR-", b"STANDARD-", b"ANTIVIRUS-", b"TEST-FILE!$"))

#: Its name, as others call it.
NAME = "Eicar-Test-Signature"

#: Archives within archives, files in all, octets unpacked in all.
_DEPTH = 8
_FILES = 2000
_OCTETS = 128 << 20

#: What may stand between the pieces of a string that was broken into lines.
_BETWEEN = b" \t\r\n\v\f>|"

#: What may hide parts from us that a reader shows.
_DOUBTFUL = (
    *("too-deep", "too-many-parts", "too-much", "unknown-encoding", "no-parts"),
    "ambiguous",
)

#: RFC 2046 §5.2.2 and §5.2.3: the rest of it is elsewhere.
_PIECES = ("message/partial", "message/external-body")

#: Beginnings of what only other programs can open.
_CLOSED = {
    b"Rar!": "a rar archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"MSCF": "a cabinet",
    b"**ACE**": "an ace archive",
    b"\x78\x9f\x3e\x22": "a TNEF attachment",
}
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error),
    *(OSError, EOFError, ValueError, NotImplementedError, RuntimeError, KeyError),
    MemoryError,
)


def _needles() -> tuple[bytes, ...]:
    """The string as it looks within base64, at each of three offsets."""
    found = []
    for offset in range(3):
        coded = binascii.b2a_base64(b"\0" * offset + SIGNATURE, newline=False)
        # The first and the last quad also depend on the neighbours.
        found.append(coded[4 if offset else 0 : -4])
    return tuple(found)


_NEEDLES = _needles()


class _Found(Exception):
    """It is there."""


class _Unknown(Exception):
    """It cannot be looked into; says why."""


class _TooMuch(_Unknown):
    """It would be more than is unpacked of one message."""


class _Locked(_Unknown):
    """Not without a password."""


def examine(
    message: bytes, arguments: Mapping[str, Any], parts: Parts | None = None
) -> dict[str, str]:
    """
    Look for the test string.

    @param parts: of the message, where they are known.
    @return: C{{"answer": "clean"}}, C{{"answer": "found", "name": ...}},
        C{{"answer": "unknown", "why": ...}}, or C{{"answer": "encrypted",
        "why": ...}} when it is a password that is missing and nothing else.
        C{"encrypted"} says what is locked, whatever the answer.
    """
    search = _Search()
    try:
        search.message(message, parts)
    except _Found:
        return {"answer": "found", "name": NAME}
    locked = "; ".join(sorted(set(search.locked)))[:300]
    more = {"encrypted": locked} if locked else {}
    if search.doubts:
        return {"answer": "unknown", "why": "; ".join(search.doubts)[:300], **more}
    if locked:
        return {"answer": "encrypted", "why": locked, **more}
    return {"answer": "clean"}


@define
class _Search:
    """One search, with all its limits."""

    doubts: list[str] = Factory(list)
    locked: list[str] = Factory(list)
    files: int = 0
    octets: int = 0

    def message(self, data: bytes, known: Parts | None = None) -> None:
        """Look through a message, however broken its structure is."""
        self._look(data)
        packed = data.translate(None, _BETWEEN)
        if any(needle in packed for needle in _NEEDLES):
            raise _Found
        del packed  # the message may be large, and we are not
        if b"=" in data and SIGNATURE in binascii.a2b_qp(data):
            raise _Found
        parts = known or read_parts(data)
        self.doubts += [f"MIME: {w}" for w in _DOUBTFUL if w in parts.defects]
        if any(part.type in _PIECES for part in parts.parts):
            self.doubts.append("it is not all of a message")
        for part in parts.leaves():
            self._part(part)

    def _part(self, part: Part) -> None:
        """Look into a part."""
        data = part.decoded()
        self._file(data, part.names, 0)
        if b"begin " in data:
            for _, content in uuencoded(data):
                self._file(content, (), 0)

    def _look(self, data: bytes) -> None:
        if SIGNATURE in data:
            raise _Found

    def _file(self, data: bytes, names: tuple[str, ...], depth: int) -> None:
        """Look into a file, and what it holds if it holds something."""
        self._look(data)
        try:
            for content, name in self._contents(data, names, depth):
                self._count(content)
                self._file(content, (name,), depth + 1)
        except _Locked as why:
            self.locked.append(str(why))
        except _TooMuch as why:
            # What was unpacked in vain counts: the next one begins with nothing.
            self.octets = _OCTETS + 1
            self.doubts.append(str(why))
        except _Unknown as why:
            self.doubts.append(str(why))
        except _BROKEN as failure:
            self.doubts.append(f"a broken archive ({type(failure).__name__})")

    def _count(self, content: bytes) -> None:
        """Spend what may be spent."""
        self.files += 1
        self.octets += len(content)
        if self.files > _FILES or self.octets > _OCTETS:
            raise _TooMuch("too much to unpack")

    def _contents(
        self, data: bytes, names: tuple[str, ...], depth: int
    ) -> Iterator[tuple[bytes, str]]:
        """The files within a file."""
        locked = encryption(data)
        if locked:
            raise _Locked(locked)
        for magic, what in _CLOSED.items():
            if data.startswith(magic):
                raise _Unknown(f"{what} cannot be opened")
        opener = _opener(data)
        if opener is None:
            if any(extension(name) in CONTAINERS for name in names) and data:
                raise _Unknown("an archive of an unknown kind")
            return
        if depth >= _DEPTH:
            raise _Unknown("archives are nested too deeply")
        yield from opener(data, _OCTETS - self.octets)


Opener = Callable[[bytes, int], Iterator[tuple[bytes, str]]]


def _opener(data: bytes) -> Opener | None:
    """Who can open a file, by what is in it and not by its name."""
    if data[:2] == b"\x1f\x8b":
        return _gzip
    if data[:3] == b"BZh":
        return _bzip2
    if data[:6] == b"\xfd7zXZ\0":
        return _xz
    if data[257:262] == b"ustar":
        return _tar
    # A zip archive is found from its end; something may stand before it.
    if data[:2] == b"PK" or b"PK\x05\x06" in data[-66000:]:
        return _zip
    return None


def _zip(data: bytes, room: int) -> Iterator[tuple[bytes, str]]:
    end = data.rfind(b"PK\x05\x06")
    if end < 0 or int.from_bytes(data[end + 10 : end + 12], "little") > _FILES:
        raise _Unknown("a zip archive without end, or of too many files")
    with zipfile.ZipFile(BytesIO(data)) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            if entry.flag_bits & 1:
                raise _Locked("an encrypted zip archive")
            with archive.open(entry) as file:
                yield _whole(file.read, room), entry.filename


def _tar(data: bytes, room: int) -> Iterator[tuple[bytes, str]]:
    with tarfile.open(fileobj=BytesIO(data), mode="r:") as archive:
        for count, entry in enumerate(archive):
            if count > _FILES:
                raise _Unknown("too many files")
            file = archive.extractfile(entry) if entry.isfile() else None
            if file is not None:
                yield _whole(file.read, room), entry.name


def _gzip(data: bytes, room: int) -> Iterator[tuple[bytes, str]]:
    with gzip.GzipFile(fileobj=BytesIO(data)) as file:
        yield _whole(file.read, room), ""


def _bzip2(data: bytes, room: int) -> Iterator[tuple[bytes, str]]:
    with bz2.BZ2File(BytesIO(data)) as file:
        yield _whole(file.read, room), ""


def _xz(data: bytes, room: int) -> Iterator[tuple[bytes, str]]:
    with lzma.LZMAFile(BytesIO(data)) as file:
        yield _whole(file.read, room), ""


def _whole(read: Callable[[int], bytes], room: int) -> bytes:
    """All of a file, unless it is more than there is room for."""
    most = min(room, _OCTETS // 2)
    # Nothing is left when it is negative, and to read so much would read all.
    data = read(most + 1) if most >= 0 else b""
    if len(data) > most:
        raise _TooMuch("too much to unpack")
    return data
