"""
The job "excerpt": of a message what a person needs to judge it, and no more.

Tags are gone, what is long is cut, and nothing is unpacked.  What steers a
terminal is still in it: whoever shows it takes care of that.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from smfd.content.attachments import read_attachment
from smfd.content.features import is_text
from smfd.content.html import Page, read_page
from smfd.content.inside import is_attached, saved_name
from smfd.content.urls import find_urls
from smfd.format.parts import Part, Parts, read_parts
from smfd.format.words import decode_words
from smfd.model.excerpt import ATTACHED, FIELDS, FILES, LINE, LINES, LINKS, NAME, VALUE

#: Characters of text that are read to find its first lines.
_TEXT = 1 << 18

_WORD = re.compile(r"\w+")
_BLANK = re.compile(r"[ \t]{2,}")

_ENDS = {0x0A: " ", 0x0D: " "}

#: White space of others, and what takes no room: both only look like faults.
_PLAIN = {
    **dict.fromkeys(
        (0x00A0, 0x1680, 0x202F, 0x205F, 0x3000, *range(0x2000, 0x200B)), " "
    ),
    **dict.fromkeys((0x00AD, 0x034F, *range(0x200B, 0x200E), 0x2060, 0xFEFF), ""),
}


def excerpt(message: bytes, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """
    The beginning of a message, for people.

    @return: C{header}: fields by name; C{texts}: C{type}, C{lines} and whether
        there is C{more}; C{links}: C{target} and what it C{says}; C{attachments}:
        C{name}, C{type}, C{size} in octets, C{marks} and C{files};
        C{link_count}, C{attachment_count}; C{hidden}: characters of text that
        the HTML does not show.
    """
    parts = read_parts(message)
    fields = parts.parts[0].fields
    page = Page()
    plain = _joined(part for part in _texts(parts) if part.type != "text/html")
    for part in _texts(parts):
        if part.type == "text/html":
            # A line's end is no more than a space there.
            read_page(part.text(_TEXT).translate(_ENDS), page)
    links = _links(page, plain + page.text[:_TEXT])
    attached = [part for part in parts.leaves() if is_attached(part)]
    return {
        "header": {name: _value(fields.get(name, ())) for name in FIELDS},
        "texts": list(_shown(plain, page.text)),
        "hidden": page.hidden,
        "links": [
            {"target": target[:VALUE], "says": says[:VALUE]}
            for target, says in islice(links.items(), LINKS)
        ],
        "link_count": len(links),
        "attachments": [_attachment(part) for part in attached[:ATTACHED]],
        "attachment_count": len(attached),
    }


def _texts(parts: Parts) -> Iterator[Part]:
    return (part for part in parts.leaves() if is_text(part))


def _joined(parts: Iterator[Part]) -> str:
    """The text of some parts, as much as is read."""
    text = ""
    for part in parts:
        text += part.text(_TEXT) + "\n"
        if len(text) > _TEXT:
            break
    return text[:_TEXT]


def _value(values: Sequence[bytes]) -> str:
    """A field, each time that it is there."""
    return " | ".join(decode_words(value, 4 * VALUE)[:VALUE] for value in values[:3])


def _shown(plain: str, page: str) -> Iterator[dict[str, Any]]:
    """The plain text, and that of the page where it has words of its own."""
    page = _BLANK.sub(" ", page[:_TEXT].translate(_PLAIN))
    if plain.strip():
        yield _text("text/plain", plain)
    if page.strip() and not set(_WORD.findall(page)) <= set(_WORD.findall(plain)):
        yield _text("text/html", page)


def _text(kind: str, text: str) -> dict[str, Any]:
    lines = list(islice(_lines(text.translate(_PLAIN)), LINES + 1))
    return {"type": kind, "lines": lines[:LINES], "more": len(lines) > LINES}


def _lines(text: str) -> Iterator[str]:
    """Its lines, long ones in pieces, with one empty line where there are many."""
    empty = begun = False
    for line in map(str.strip, text.splitlines()):
        if line and empty and begun:
            yield ""
        yield from (line[at : at + LINE] for at in range(0, len(line), LINE))
        begun, empty = begun or bool(line), not line


def _links(page: Page, text: str) -> dict[str, str]:
    """Where it leads, each place once, and what is said of it there."""
    links: dict[str, str] = {}
    for target, says in page.links:
        if not target.startswith("#"):
            links.setdefault(target, says)
    for url in find_urls(text):
        links.setdefault(url, "")
    return links


def _attachment(part: Part) -> dict[str, Any]:
    found = read_attachment(part)
    names = [name for name in map(saved_name, found.names) if name]
    return {
        "name": " | ".join(names)[:VALUE],
        "type": found.type[:NAME],
        "size": len(part.decoded()),
        "marks": sorted(found.marks),
        "files": [saved_name(name)[-NAME:] for name in found.files[:FILES]],
    }
