"""The beginning of a message, for people."""

from collections.abc import Iterator
from typing import Any

from smfd.ctl.face import Faint

_Document = dict[str, Any]


def excerpt(said: _Document) -> Iterator[str]:
    """What a held message says, as the API tells it."""
    yield ""
    for name, value in said["header"].items():
        if value:
            yield f"{name.title() + ':':<12}{value}"
    for text in said["texts"]:
        yield from _text(text)
    if not said["texts"]:
        yield "It has no text."
    yield from _links(said)
    yield from _attachments(said)
    if said["hidden"]:
        yield f"Text that its HTML hides: {said['hidden']} characters."
    if not said["whole"]:
        yield "Only its beginning was looked at: it is large."


def _text(text: _Document) -> Iterator[str]:
    yield ""
    yield Faint(f"--- {text['type']} ---")
    yield from text["lines"]
    yield Faint("--- there is more ---" if text["more"] else "---")


def _links(said: _Document) -> Iterator[str]:
    yield from _head("Links", said["link_count"], said["links"])
    for link in said["links"]:
        yield f"  {link['target']}"
        if link["says"]:
            yield f"    as {link['says']!r}"


def _attachments(said: _Document) -> Iterator[str]:
    yield from _head("Attachments", said["attachment_count"], said["attachments"])
    for one in said["attachments"]:
        name = one["name"] or "(no name)"
        yield f"  {name}  {one['type']}, {one['size']} octets"
        for words in ", ".join(one["marks"]), ", ".join(one["files"]):
            if words:
                yield f"    {words}"


def _head(what: str, count: int, shown: list[_Document]) -> Iterator[str]:
    if count:
        yield ""
        yield f"{what}: {count}" + (
            f", {len(shown)} shown" if len(shown) < count else ""
        )
