"""
The header of a message: found, cut into fields, never rewritten.

Offsets, not copies: whoever wants a field gone names its range, and the rest
stays byte for byte as it was received.  Everything here is linear in what it
reads, bounded, and raises on no octets whatsoever.

Standards: RFC 5322 §2.2, §3.6 and §4.5, RFC 8601 §2.2 and §5 (forged results).
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

from attrs import evolve, field, frozen

from smfd.format.mailbox import author

#: An empty line.  A lone LF ends a line too: to readers of stored mail it does.
_END = re.compile(rb"\n\r?\n")

#: A name, a good one or another, a colon and a value with its folds (RFC 5322
#: §2.2.3); or a line that is no field.  Possessive throughout: nothing is tried
#: more than twice.
_FIELD = re.compile(
    rb"(?:([!-9;-~]++)|([^:\n]*+)):([^\n]*+(?>(?:\n[ \t][^\n]*+)*))\n?"
    rb"|[^\n]*+(?>(?:\n[ \t][^\n]*+)*)\n?"
)

#: Lines that continue something.
_FOLDS = re.compile(rb"(?>(?:[ \t][^\n]*+\n?)*)")

#: RFC 5322 §3.6.8: printable ASCII but the colon; §4.5.8: spaces behind it.
_NAME = re.compile(rb"[!-9;-~]+")

#: RFC 5322 §3.6: fields that may be there once.
_ONCE = frozenset(
    [
        *("from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "date"),
        *("in-reply-to", "references", "subject", "mime-version", "content-type"),
        "content-transfer-encoding",
    ]
)

#: RFC 5322 §3.6: fields that must be there.
_NEEDED = ("from", "date")

#: White space, a quoted string, or a piece of anything else; not possessive
#: only where a quote is never closed, which costs one more look.
_LEXEME = re.compile(
    rb'\s++|"(?>(?:[^"\\]|\\.)*)"|[()"/;]|\\.?|[^\s()"/;\\]++', re.DOTALL
)


class Field(NamedTuple):
    """
    One header field; a tuple, since a message has dozens.

    @ivar name: as written, without space around it; odd octets as Latin-1.
        Empty for a first line that continues nothing.
    @ivar value: what follows the colon, folding kept, without the last CRLF.
    @ivar start: where the field begins in the message.
    @ivar end: just behind its last CRLF.
    """

    name: str
    value: bytes
    start: int
    end: int


@frozen(slots=False)
class Header:
    """
    All header fields of a message.

    @ivar fields: in order.
    @ivar names: theirs, in lower case.
    @ivar size: octets up to and with the empty line that ends the header.
    @ivar defects: what is wrong with it, a word each: "oversized",
        "too-many-fields", "unended", "no-colon", "bad-name", "8bit-name",
        "leading-fold", "missing-from", "missing-date", and "duplicate-" with
        the name of a field that may be there once.
    """

    fields: tuple[Field, ...]
    size: int
    defects: tuple[str, ...] = ()
    names: tuple[str, ...] = field(init=False, eq=False, repr=False)

    @names.default
    def _lower(self) -> tuple[str, ...]:
        return tuple([found.name.lower() for found in self.fields])

    @cached_property  # Several stages ask.
    def author(self) -> str | None:
        """The address of the one L{author}; None when it is not one."""
        return author([found.value for found in self.all("from")])

    def all(self, name: str) -> tuple[Field, ...]:
        """Every field of that name, whatever its case, in order."""
        wanted = name.lower()
        if wanted not in self.names:
            return ()
        return tuple(
            [f for f, n in zip(self.fields, self.names, strict=True) if n == wanted]
        )

    def first(self, name: str) -> bytes:
        """The value of the first field of that name, or nothing."""
        wanted = name.lower()
        if wanted not in self.names:
            return b""
        return self.fields[self.names.index(wanted)].value


def read_header(data: bytes, limit: int = 262144, fields: int = 2000) -> Header:
    """
    Read the header of a message, or of one of its parts.

    @param limit: octets read at most; beyond it the header is "oversized"
        and what lies there is not in it.
    @param fields: fields read at most.
    """
    size, defects = _extent(data, limit)
    found: list[Field] = []
    odd = set()
    at = _leading_fold(data, size)
    if at:
        odd.add("leading-fold")
        found.append(Field("", data[:at], 0, at))
    for match in _FIELD.finditer(data, at, size):
        name, other, value = match.groups()
        if value is None:
            odd.update(_stray(match[0]))
            continue
        if len(found) >= fields:
            defects.append("too-many-fields")
            break
        if name is None:
            name = other.strip()
            odd.update(_odd(name))
        if value[-1:] == b"\r":
            value = value[:-1]
        start, end = match.span()
        found.append(Field(name.decode("latin-1"), value, start, end))
    defects += sorted(odd)
    header = Header(tuple(found), size)
    defects += _counted(header.names)
    return evolve(header, defects=tuple(defects)) if defects else header


def cuts(
    header: Header, names: tuple[str, ...], authserv_id: str
) -> tuple[tuple[int, int], ...]:
    """
    Find the ranges of the fields that only we may write.

    A fold that continues nothing, on the first line, is one of them: it would
    continue the last trace field put above it.

    @param names: lower case; a name that ends in C{*} is a prefix.
    @param authserv_id: our own; Authentication-Results fields that claim it
        are forged (RFC 8601 §5), and so are those that claim nobody.
    @return: (start, end), ordered, disjoint, merged.
    """
    exact, prefixes = _told_apart(names)
    ours = authserv_id.lower().rstrip(".").encode()
    folded = "leading-fold" in header.defects
    ranges = []
    for found, name in zip(header.fields, header.names, strict=True):
        if (
            (folded and not found.start)
            or name in exact
            or name.startswith(prefixes)
            or (name == "authentication-results" and _claims(found.value, ours))
        ):
            ranges.append((found.start, found.end))
    return _merged(ranges)


@lru_cache(maxsize=8)  # Everybody asks for the same few.
def _told_apart(names: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The whole names, and the prefixes."""
    exact = frozenset(name for name in names if not name.endswith("*"))
    return exact, tuple(name[:-1] for name in names if name.endswith("*"))


def authserv(value: bytes) -> bytes:
    """
    Read the authserv-id of an Authentication-Results value, lower case.

    RFC 8601 §2.2: comments and folding may come first, and it may be quoted.
    Reads 1,000 octets at most.
    """
    said = b""
    for token in _outside_comments(value[:1000]):
        if token[:1] == b'"' and not said:
            said = token.strip(b'"').replace(b"\\", b"")
            break
        if token in (b";", b"/") or (said and token.isspace()):
            break
        said += token.strip()
    return said.strip().lower().rstrip(b".")


def _outside_comments(value: bytes) -> Iterator[bytes]:
    """The lexemes of a structured value that are in no comment."""
    depth = 0
    for match in _LEXEME.finditer(value):
        token = match[0]
        if token == b"(":
            depth += 1
        elif token == b")":
            depth = max(0, depth - 1)
        elif not depth:
            yield token


def _extent(data: bytes, limit: int) -> tuple[int, list[str]]:
    """Where the header ends, and what is wrong with that."""
    if data[:1] == b"\n" or data[:2] == b"\r\n":
        return data.index(b"\n") + 1, []
    end = _END.search(data, 0, limit)
    if end is not None:
        return end.end(), []
    if len(data) <= limit:
        return len(data), ["unended"]
    return limit, ["oversized"]


def _leading_fold(data: bytes, size: int) -> int:
    """Where the lines end that continue nothing, at the very beginning."""
    match = _FOLDS.match(data, 0, size)
    return 0 if match is None else match.end()


def _stray(line: bytes) -> Iterable[str]:
    """What is wrong with a line that is no field."""
    if line.strip():
        yield "no-colon"


def _odd(name: bytes) -> Iterable[str]:
    """What is wrong with a field's name."""
    if not name.isascii():
        yield "8bit-name"
    elif _NAME.fullmatch(name) is None:
        yield "bad-name"


def _counted(names: tuple[str, ...]) -> list[str]:
    """Which fields are there too often, or not at all."""
    seen = set(names)
    defects = [f"missing-{name}" for name in _NEEDED if name not in seen]
    if len(seen) < len(names):
        once = sorted(seen & _ONCE)
        defects += [f"duplicate-{name}" for name in once if names.count(name) > 1]
    return defects


def _claims(value: bytes, ours: bytes) -> bool:
    """Whether an Authentication-Results field says it is ours, or nobody's."""
    return authserv(value) in (ours, b"")


def _merged(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Join ranges that touch."""
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and merged[-1][1] == start:
            start = merged.pop()[0]
        merged.append((start, end))
    return tuple(merged)
