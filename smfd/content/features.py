"""
What rules and learners see of a message: read once, decoded, bounded.

Everything is octets in UTF-8, for that is what patterns are matched against.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, define, field

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

#: White space of ASCII, lines apart; one of it is free to stand for a break.
_BLANKS = b"\t\v\f\r\x1c\x1d\x1e\x1f"
_SPACES = bytes.maketrans(_BLANKS, b" " * len(_BLANKS))
_BREAK = b"\x1f"

#: White space that others have.
_WIDE = "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)

#: Header names of the rule language that are no names of fields.
_TOGETHER = {"tocc": ("to", "cc"), "messageid": ("message-id", "resent-message-id")}
_OTHER = frozenset(("all", "envelopefrom", *_TOGETHER))

#: Header fields of a message that rules are shown.
_FIELDS = 500


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
    _values: dict[tuple[str, str], bytes] = Factory(dict)
    _fields: Mapping[str, Sequence[bytes]] = field()

    @_fields.default
    def _first(self) -> Mapping[str, Sequence[bytes]]:
        whole = self.parts.parts[0]
        if len(whole.header.fields) <= _FIELDS:
            return whole.fields
        fields: dict[str, list[bytes]] = {}
        for found in whole.header.fields[:_FIELDS]:
            fields.setdefault(found.name.lower(), []).append(found.value)
        return fields

    def header(self, name: str, modifier: str = "") -> bytes:
        """
        The values of a field, a line each.

        @param name: lower case; or "all", "tocc", "messageid", "envelopefrom".
        @param modifier: "raw" for undecoded, "addr" for the first address,
            "name" for what people see beside it.
        """
        if name not in self._fields and name not in _OTHER:
            return b""
        value = self._values.get((name, modifier))
        if value is None:
            value = self._values[name, modifier] = self._header(name, modifier)
        return value

    def _header(self, name: str, modifier: str) -> bytes:
        """Read the values of a field."""
        header = self.parts.parts[0].header
        if name == "all":
            return self.message[: header.size].replace(b"\r\n", b"\n")
        if name == "envelopefrom":
            return str(self.given.get("sender", "")).encode()
        names = _TOGETHER.get(name, (name,))
        found = [value for name in names for value in self._fields.get(name, ())]
        if modifier == "raw":
            return b"".join(value.lstrip() + b"\n" for value in found)
        texts = (decode_words(value) for value in found[:50])
        if modifier == "addr":
            texts = (address(text) for text in texts)
        elif modifier == "name":
            texts = (display_name(text) for text in texts)
        return "".join(text + "\n" for text in texts).encode("utf-8", "replace")


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
        if is_text(part) and room > 0:
            text = part.text(_TEXT)[:room].replace("\r\n", "\n")
            room -= len(text)
            raw.append(text)
            shown.append(_visible(seen, part, text))
        elif len(seen.attachments) < _ATTACHED:
            seen.attachments += (read_attachment(part),)
    seen.text = "\n\n".join(shown)
    seen.rawbody = "\n".join(raw).encode("utf-8", "replace")
    seen.body = subject.encode("utf-8", "replace") + b"\n" + paragraphs(seen.text)
    seen.urls = read_urls(_addresses(seen))
    return seen


def is_text(part: Part) -> bool:
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


def paragraphs(text: str) -> bytes:
    """
    A paragraph a line, white space run together, in UTF-8.

    Words are neither cut out nor joined again: of a long text that would be most
    of all the work.
    """
    if not text.isascii():
        for blank in _WIDE:
            text = text.replace(blank, " ")
    octets = text.encode("utf-8", "replace").translate(_SPACES)
    octets = _run_together(octets, b" ")
    octets = octets.replace(b" \n", b"\n").replace(b"\n ", b"\n")
    # An empty line is a break; a line end that is left over beside one is none.
    octets = octets.replace(b"\n\n", _BREAK).replace(_BREAK + b"\n", _BREAK)
    octets = _run_together(octets.replace(b"\n", b" "), _BREAK)
    return octets.strip(b" " + _BREAK).replace(_BREAK, b"\n")


def _run_together(octets: bytes, octet: bytes) -> bytes:
    """Without repetitions of an octet; each round halves what is left."""
    while octet * 2 in octets:
        octets = octets.replace(octet * 2, octet)
    return octets


def _addresses(seen: Features) -> list[str]:
    """All that may be web addresses, those of links first."""
    linked = [target for target, _ in seen.page.links]
    return [*linked, *seen.page.sources, *find_urls(seen.text)]


def header_of(part: Part, name: str) -> bytes:
    """The decoded values of a field of a part, a line each."""
    texts = [decode_words(value) + "\n" for value in part.fields.get(name, ())[:20]]
    return "".join(texts).encode("utf-8", "replace")
