"""
The functions that C{eval:} rules may call.

Each takes what was seen of a message and the arguments of the rule.
"""

import re
from collections.abc import Callable

from attrs import frozen

from smfd.content.features import Features

_ARGUMENT = re.compile(r"\s*(?:'([^']*)'|\"([^\"]*)\"|([-+]?\d+(?:\.\d+)?))\s*(?:,|$)")

Argument = str | float


@frozen
class Call:
    """A function of L{EVALS} and what it is called with."""

    function: Callable[..., bool]
    arguments: tuple[Argument, ...]

    def hits(self, seen: Features) -> bool:
        """Call it."""
        return self.function(seen, *self.arguments)


def read_call(name: str, text: str) -> Call:
    """Read the arguments of a call, or raise ValueError."""
    arguments: list[Argument] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _ARGUMENT.match(text, at)
        if match is None:
            raise ValueError(f"{text[at : at + 20]!r} is no argument")
        number = match[3]
        arguments.append(
            float(number) if number is not None else match[1] or match[2] or ""
        )
        at = match.end()
    function = EVALS[name]
    least, most, first = _TAKES[name]
    if not least <= len(arguments) <= most:
        raise ValueError(f"{name} takes {least} to {most} arguments")
    if arguments and not isinstance(arguments[0], first):
        raise ValueError(f"{name}: the first argument is of the wrong kind")
    if not all(isinstance(a, float) for a in arguments[1:]):
        raise ValueError(f"{name}: a number is expected")
    return Call(function, tuple(arguments))


def shape(seen: Features, name: str, least: float, most: float = 1e18) -> bool:
    """C{shape('name', least[, most])}: a number of the message's shape."""
    value = seen.shape.get(name)
    return value is not None and least <= value <= most


def html_tag_exists(seen: Features, tag: str) -> bool:
    """C{html_tag_exists('form')}: some HTML part has the tag."""
    return bool(seen.page.tags[tag.lower()])


def html_image_only(seen: Features, least: float, most: float) -> bool:
    """C{html_image_only(least, most)}: images, and so little text beside."""
    return bool(seen.page.tags["img"]) and least <= len(seen.text.strip()) <= most


def mime_html_only(seen: Features) -> bool:
    """C{check_for_mime_html_only()}: text as HTML and in no other form."""
    return bool(seen.html) and not seen.plain


def body_length(seen: Features, most: float) -> bool:
    """C{check_body_length(n)}: visible text shorter than n characters."""
    return len(seen.text.strip()) < most


def shifted_date(seen: Features, least: float, most: float) -> bool:
    """C{check_for_shifted_date(a, b)}: Date is a to b hours after Received."""
    shift = seen.shape.get("date-shift-hours")
    return shift is not None and least <= shift < most


def to_in_subject(seen: Features, which: str = "") -> bool:
    """C{check_for_to_in_subject('address')}: the local part is the greeting."""
    local = seen.header("to", "addr").decode().partition("@")[0]
    words = seen.subject.lower().replace(",", " ").split()
    return len(local) >= 3 and local in words[:3]


#: By the name in the rule; SpamAssassin's name where it has one.
EVALS: dict[str, Callable[..., bool]] = {
    "shape": shape,
    "html_tag_exists": html_tag_exists,
    "html_image_only": html_image_only,
    "check_for_mime_html_only": mime_html_only,
    "check_body_length": body_length,
    "check_for_shifted_date": shifted_date,
    "check_for_to_in_subject": to_in_subject,
}

#: How many arguments each takes, and of which kind the first is.
_TAKES: dict[str, tuple[int, int, type]] = {
    "shape": (2, 3, str),
    "html_tag_exists": (1, 1, str),
    "html_image_only": (2, 2, float),
    "check_for_mime_html_only": (0, 0, str),
    "check_body_length": (1, 1, float),
    "check_for_shifted_date": (2, 2, float),
    "check_for_to_in_subject": (0, 1, str),
}
