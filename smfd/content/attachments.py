"""
What is attached: names, types, and what an archive says it holds.

Nothing is unpacked here; lists are read, with ends to their length.
"""

import re
import zipfile
from io import BytesIO

from attrs import frozen

from smfd.format.parts import Part

#: Octets of an attachment that are decoded to look into it.
_LOOK = 32 << 20

#: Files listed of one archive.
_FILES = 1000

#: Names that a double click runs.
PROGRAMS = frozenset(
    [
        *("exe", "scr", "pif", "com", "bat", "cmd", "vbs", "vbe", "js", "jse", "wsf"),
        *("wsh", "hta", "cpl", "msi", "msp", "jar", "ps1", "lnk", "reg", "chm", "scf"),
        *("dll", "ocx", "sys", "gadget", "application", "msc", "inf", "url", "xll"),
        *("library-ms", "search-ms", "settingcontent-ms", "appx", "msix", "apk"),
    ]
)

#: Names of things that hold others.
CONTAINERS = frozenset(
    ["zip", "rar", "7z", "ace", "arj", "cab", "iso", "img", "vhd", "vhdx", "gz", "xz"]
    + ["tar", "tgz", "bz2", "lzh", "uue", "z", "one", "wim", "udf"]
)

_MAGIC = (
    (b"MZ", "program"),
    (b"\x7fELF", "program"),
    (b"PK\x03\x04", "zip"),
    (b"Rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf'\x1c", "7z"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"%PDF-", "pdf"),
    (b"L\0\0\0\x01\x14\x02\0", "lnk"),
    (b"{\\rtf", "rtf"),
    (b"\x1f\x8b", "gzip"),
    (b"MSCF", "cab"),
)

_MACRO = re.compile(rb"V\0B\0A\0|_VBA_PROJECT|vbaProject\.bin", re.IGNORECASE)
_ACTIVE = re.compile(rb"/(?:JavaScript|Launch|EmbeddedFile)\b")
_EXTENSION = re.compile(r"\.([A-Za-z0-9-]{1,20})[\s.]*$")
_INNOCENT = r"\.(?:pdf|docx?|xlsx?|pptx?|txt|jpe?g|png|gif|html?|mp[34]|avi|zip|rtf)"
_DOUBLE = re.compile(_INNOCENT + r"[\s._-]{0,200}\.[A-Za-z0-9-]{1,20}\s*$", re.I)


@frozen
class Attachment:
    """
    One attachment, or anything else that is not plain text.

    @ivar names: all it goes by.
    @ivar type: what it is declared to be.
    @ivar magic: what its first octets say: "program", "zip", "rar", "7z",
        "ole", "pdf", "lnk", "rtf", "gzip", "cab" or "".
    @ivar files: what an archive lists.
    @ivar marks: words: "program", "double", "container", "program-inside",
        "encrypted", "macro", "active", "hidden-program", "long-list", "broken".
    """

    names: tuple[str, ...]
    type: str  # noqa: A003
    size: int
    magic: str
    files: tuple[str, ...]
    marks: frozenset[str]


def extension(name: str) -> str:
    """The extension that decides what a double click does, lower case."""
    match = _EXTENSION.search(name[-300:])
    return "" if match is None else match[1].lower()


def read_attachment(part: Part) -> Attachment:
    """Look at a part."""
    magic = _magic(part.decoded(64))
    files: tuple[str, ...] = ()
    marks = {mark for name in part.names for mark in _name_marks(name)}
    if magic == "program" and "program" not in marks:
        marks.add("hidden-program")
    if magic in ("zip", "ole", "pdf"):
        data = part.decoded(_LOOK)
        if magic == "zip":
            files, found = _listed(data)
            marks |= found
        elif magic == "ole" and _MACRO.search(data):
            marks.add("macro")
        elif magic == "pdf" and _ACTIVE.search(data):
            marks.add("active")
    size = part.end - part.start
    return Attachment(part.names, part.type, size, magic, files, frozenset(marks))


def _magic(first: bytes) -> str:
    """What the first octets say."""
    return next((word for magic, word in _MAGIC if first.startswith(magic)), "")


def _name_marks(name: str) -> set[str]:
    """What a name says of the thing it names."""
    kind = extension(name)
    marks = set()
    if kind in CONTAINERS:
        marks.add("container")
    if kind in PROGRAMS:
        marks.add("program")
        if _DOUBLE.search(name[-300:]):
            marks.add("double")
    return marks


def _listed(data: bytes) -> tuple[tuple[str, ...], set[str]]:
    """The files a zip archive says it holds."""
    # The end record counts them; a longer list is not read.
    end = data.rfind(b"PK\x05\x06")
    if end >= 0 and int.from_bytes(data[end + 10 : end + 12], "little") > _FILES:
        return (), {"long-list"}
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()[:_FILES]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError):
        return (), {"broken"}
    # The end of a name is what a double click goes by.
    names = tuple(entry.filename[-300:] for entry in entries)
    marks = set()
    if any(entry.flag_bits & 1 for entry in entries):
        marks.add("encrypted")
    if any("program" in _name_marks(name) for name in names):
        marks.add("program-inside")
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        marks.add("macro")
    return names, marks
