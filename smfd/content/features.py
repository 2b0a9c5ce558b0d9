"""
What rules and learners see of a message: read once, decoded, bounded.

Everything is octets in UTF-8, for that is what patterns are matched against.
"""

import re
from collections.abc import Mapping
from typing import Any

from attrs import Factory, define

from smfd.content.attachments import Attachment, read_attachment
from smfd.content.html import Page, read_page
from smfd.content.urls import Url, find_urls, read_urls
from smfd.format.parts import Part, Parts, read_parts
from smfd.format.words import decode_words

#: Octets of text that are read of one part, and characters of all.
_TEXT = 1 << 20
_ALL = 2 << 20

#: Attachments that are looked into.
_ATTACHED = 50

_ADDRESS = re.compile(r"<([^<>]{0,1000})>")
_BARE = re.compile(r"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()]{1,255}")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")

#: Header names of the rule language that are no names of fields.
_TOGETHER = {"tocc": ("to", "cc"), "messageid": ("message-id", "resent-message-id")}


@define
class Features:
    """
    One message, taken apart.

    @ivar message: as received.
    @ivar given: what is known from elsewhere: C{sender}, C{client}, C{helo}.
    @ivar subject: for people.
    @ivar body: subject and visible text, a paragraph a line.
    @ivar rawbody: decoded text parts, tags and all.
    @ivar urls: of text and of tags, each once.
    @ivar page: what all HTML parts together show and hide.
    @ivar shape: numbers and yes or no (1 or 0) by name.
    """

    message: bytes
    given: Mapping[str, Any]
    parts: Parts
    subject: str = ""
    body: bytes = b""
    rawbody: bytes = b""
    text: str = ""
    urls: tuple[Url, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    page: Page = Factory(Page)
    shape: dict[str, float] = Factory(dict)
    plain: int = 0
    html: int = 0
    _values: dict[str, bytes] = Factory(dict)
    _fields: dict[str, list[bytes]] = Factory(dict)

    def header(self, name: str, modifier: str = "") -> bytes:
        """
        The values of a field, a line each.

        @param name: lower case; or "all", "tocc", "messageid", "envelopefrom".
        @param modifier: "raw" for undecoded, "addr" for the first address,
            "name" for what people see beside it.
        """
        key = f"{name}:{modifier}"
        value = self._values.get(key)
        if value is None:
            value = self._values[key] = self._header(name, modifier)
        return value

    def _header(self, name: str, modifier: str) -> bytes:
        """Read the values of a field."""
        header = self.parts.parts[0].header
        if name == "all":
            return self.message[: header.size].replace(b"\r\n", b"\n")
        if name == "envelopefrom":
            return str(self.given.get("sender", "")).encode()
        found = self._found(_TOGETHER.get(name, (name,)))
        if modifier == "raw":
            return b"".join(value.lstrip() + b"\n" for value in found)
        texts = (decode_words(value) for value in found[:50])
        if modifier == "addr":
            texts = (address(text) for text in texts)
        elif modifier == "name":
            texts = (display_name(text) for text in texts)
        return "".join(text + "\n" for text in texts).encode("utf-8", "replace")

    def _found(self, names: tuple[str, ...]) -> list[bytes]:
        """The values of all fields of these names."""
        if not self._fields:
            for field in self.parts.parts[0].header.fields[:500]:
                self._fields.setdefault(field.name.lower(), []).append(field.value)
        return [value for name in names for value in self._fields.get(name, ())]


def address(text: str) -> str:
    """The first address in a decoded field, or ""."""
    match = _ADDRESS.search(text)
    if match is not None:
        return match[1].strip().lower()
    bare = _BARE.search(text[:2000])
    return "" if bare is None else bare[0].lower()


def display_name(text: str) -> str:
    """What people see beside the first address of a decoded field."""
    before, mark, _ = text.partition("<")
    return before.strip().strip("\"'").strip() if mark else ""


def read_features(message: bytes, given: Mapping[str, Any] | None = None) -> Features:
    """Take a message apart."""
    parts = read_parts(message)
    subject = decode_words(parts.parts[0].header.first("subject"))[:1000]
    seen = Features(message, given or {}, parts, subject)
    raw: list[str] = []
    shown: list[str] = []
    room = _ALL
    for part in seen.parts.leaves():
        if _is_text(part) and room > 0:
            text = part.text(_TEXT)[:room].replace("\r\n", "\n")
            room -= len(text)
            raw.append(text)
            shown.append(_visible(seen, part, text))
        elif len(seen.attachments) < _ATTACHED:
            seen.attachments += (read_attachment(part),)
    seen.text = "\n\n".join(shown)
    seen.rawbody = "\n".join(raw).encode("utf-8", "replace")
    body = _paragraphs(seen.text)
    seen.body = f"{seen.subject}\n{body}".encode("utf-8", "replace")
    seen.urls = read_urls(_addresses(seen))
    return seen


def _is_text(part: Part) -> bool:
    """Whether it is text for people: declared so, and not a named file."""
    if part.type.startswith("multipart/"):
        return True
    if not part.type.startswith(("text/", "message/")):
        return False
    return "attachment" not in part.disposition.word


def _visible(seen: Features, part: Part, text: str) -> str:
    """What is shown of a text part."""
    if part.type != "text/html":
        seen.plain += len(text)
        return text
    seen.html += len(text)
    before = len(seen.page.shown)
    read_page(text, seen.page)
    return "".join(seen.page.shown[before:])


def _paragraphs(text: str) -> str:
    """A paragraph a line, white space run together."""
    paragraphs = map(" ".join, map(str.split, _PARAGRAPH.split(text)))
    return "\n".join(filter(None, paragraphs))


def _addresses(seen: Features) -> list[str]:
    """All that may be web addresses, those of links first."""
    linked = [target for target, _ in seen.page.links]
    return [*linked, *seen.page.sources, *find_urls(seen.text)]


def header_of(part: Part, name: str) -> bytes:
    """The decoded values of a field of a part, a line each."""
    found = part.header.all(name)[:20]
    return "".join(decode_words(f.value) + "\n" for f in found).encode(
        "utf-8", "replace"
    )
