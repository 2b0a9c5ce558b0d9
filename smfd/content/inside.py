"""The job "inside": what is attached to a message, by name and by type."""

from collections.abc import Mapping
from typing import Any

from smfd.content.attachments import read_attachment
from smfd.format.parts import Part, read_parts
from smfd.format.words import clean

#: Attachments that are looked into, and how many names and characters are told.
_ATTACHED = 100
_NAMES = 2000
_LONGEST = 300


def look_inside(message: bytes, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """
    Name what is attached, and what attached archives list.

    @return: C{files}: names; C{types}: as declared, as the first octets say,
        and the marks of L{Attachment <smfd.content.attachments.Attachment>}.
        Each once, in order.
    """
    files: dict[str, None] = {}
    types: dict[str, None] = {}
    attached = (part for part in read_parts(message).leaves() if is_attached(part))
    for _, part in zip(range(_ATTACHED), attached, strict=False):
        found = read_attachment(part)
        files.update(dict.fromkeys(map(saved_name, (*found.names, *found.files))))
        words = (found.type, found.magic, *sorted(found.marks))
        types.update(dict.fromkeys(filter(None, words)))
    names = [name for name in files if name][:_NAMES]
    return {"files": names, "types": [word[:_LONGEST] for word in types]}


def saved_name(written: str) -> str:
    """
    The name that a file has once it is saved: without folders, and without the
    dots and spaces behind it that some systems drop.
    """
    name = clean(written[-_LONGEST:]).rstrip(" .")
    return name.rpartition("/")[2].rpartition("\\")[2].strip()


def is_attached(part: Part) -> bool:
    """Whether it has a name, or is nothing that is shown as text."""
    return bool(part.names) or not part.type.startswith(("text/", "multipart/"))
