"""
The parts of a message: found by their boundaries, decoded when asked for.

Offsets into the message, not copies.  One pass over the octets, a stack for
the nesting, limits for everything; whatever the octets, it ends and does not
raise.  Where readers differ about broken MIME, the reading with more parts is
taken, so that nothing is shown to a person that was not seen here.

Standards: RFC 2045, RFC 2046 §5.1 (multipart) and §5.2 (message).
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from attrs import Factory, define, field, frozen

from smfd.format.header import Header, read_header
from smfd.format.parameters import Parameters, read_parameters
from smfd.format.transfer import DECODERS, IDENTITY
from smfd.format.words import to_text

#: RFC 5322 §2.1, and what stands for it after a lone LF.
_HEADER_END = re.compile(rb"\n\r?\n")

#: What a boundary may look like when nobody declares one.
_GUESS = re.compile(rb"\s*--([^\s-][^\r\n]{0,69})\r?\n")

#: Transfer encodings as nearly all write them.
_ENCODINGS = {word.encode(): word for word in (*DECODERS, *IDENTITY)}

#: RFC 5322 §3.6.8.
_FIELD_NAME = re.compile(r"[!-9;-~]+")

#: Messages that are no messages: lists of fields about one.
_STATUS = ("delivery-status", "disposition-notification", "feedback-report", "tracking")


@frozen
class Limits:
    """
    How much of a message is read.

    @ivar depth: parts within parts.
    @ivar parts: parts in all.
    @ivar header: octets of a part's header.
    @ivar decoded: octets that nested, encoded messages may decode to.
    """

    depth: int = 30
    parts: int = 1000
    header: int = 65536
    decoded: int = 64 << 20


@frozen
class Part:
    """
    One part of a message; the message itself is the first.

    @ivar number: its place in L{Parts}; C{parent} is that of what holds it,
        -1 for the message.
    @ivar depth: 0 for the message.
    @ivar header: its fields; offsets count from where the part begins.
    @ivar fields: their values, by name in lower case.
    @ivar type: C{type/subtype}, lower case; what RFC 2045 §5.2 says when
        nothing is declared.
    @ivar content: Content-Type, C{disposition}: Content-Disposition.
    @ivar encoding: Content-Transfer-Encoding, a lower case word.
    @ivar source: the octets that C{start} and C{end} of its body count in.
    """

    number: int
    parent: int
    depth: int
    header: Header
    fields: Mapping[str, Sequence[bytes]] = field(repr=False)
    type: str  # noqa: A003
    content: Parameters
    disposition: Parameters
    encoding: str
    source: bytes = field(repr=False)
    start: int
    end: int
    leaf: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Every file name it goes by."""
        return tuple(dict.fromkeys(self.disposition.names + self.content.names))

    def raw(self) -> bytes:
        """Its body as it was sent."""
        return self.source[self.start : self.end]

    def decoded(self, limit: int = 64 << 20) -> bytes:
        """Its body, transfer encoding undone; C{limit} octets are read of it."""
        raw = self.source[self.start : min(self.end, self.start + limit)]
        decode = DECODERS.get(self.encoding)
        return raw if decode is None else decode(raw)

    def text(self, limit: int = 1 << 20) -> str:
        """Its body as text, whatever charset it claims."""
        octets = self.decoded(limit)
        return to_text(octets, self.content.values.get("charset", ""))[0]


@frozen
class Parts:
    """
    All parts of a message, in order, those that hold others before these.

    @ivar defects: what is wrong with it, a word each: "too-deep",
        "too-many-parts", "too-much", "no-boundary", "no-parts", "unended",
        "boundary-reused", "unknown-encoding", "encoded-multipart", "ambiguous"
        (several types or encodings declared).
    """

    parts: tuple[Part, ...]
    defects: tuple[str, ...] = ()

    def leaves(self) -> Iterator[Part]:
        """The parts that hold no others."""
        return (part for part in self.parts if part.leaf)


def read_parts(data: bytes, limits: Limits | None = None) -> Parts:
    """Read the parts of a message."""
    reader = _Reader(limits or Limits())
    reader.read(data)
    return Parts(tuple(reader.parts), tuple(sorted(reader.defects)))


def _nested(kind: str) -> bool:
    """Whether a part of this type begins with a header of its own."""
    top, _, sub = kind.partition("/")
    # RFC 2046 §5.2.2 and §5.2.3: partial and external-body do as well.
    return top == "message" and not sub.removeprefix("global-").startswith(_STATUS)


def _parameters(value: bytes = b"") -> Parameters:
    """Read a structured value, if there is one."""
    return read_parameters(value) if value else Parameters("")


def _encoding(value: bytes = b"") -> str:
    """Read a Content-Transfer-Encoding."""
    known = _ENCODINGS.get(value.strip().lower())
    return read_parameters(value).word if known is None else known


def _body(header: Header) -> int:
    """
    Where the body begins that a reader might show.

    Many take a line that is no field for the first of the body, unless it is
    the very first (mbox has one there).
    """
    if not {"no-colon", "bad-name", "8bit-name"}.intersection(header.defects):
        return header.size
    at = 0
    for number, found in enumerate(header.fields):
        odd = found.start > at or not _FIELD_NAME.fullmatch(found.name)
        if number and odd:
            return at
        at = found.end
    return at if "no-colon" in header.defects else header.size


@define
class _Open:
    """A part whose end is not yet known; with a delimiter it is a multipart."""

    number: int
    delimiter: bytes = b""
    children: int = 0
    ended: bool = False


@define
class _Reader:
    """Reads one message, and the encoded messages within it."""

    limits: Limits
    parts: list[Part] = Factory(list)
    defects: set[str] = Factory(set)
    waiting: list[tuple[bytes, int]] = Factory(list)
    budget: int = field()

    @budget.default
    def _whole(self) -> int:
        return self.limits.decoded

    def read(self, data: bytes) -> None:
        """Read a message and all that wait within it."""
        self.waiting.append((data, -1))
        for source, parent in self.waiting:  # grows on the way
            _Pass(self, source).run(parent)

    def full(self) -> bool:
        """Whether no more parts are taken."""
        if len(self.parts) < self.limits.parts:
            return False
        self.defects.add("too-many-parts")
        return True

    def add(self, source: bytes, start: int, stop: int, parent: int) -> Part:
        """Take a part whose header is somewhere between two offsets."""
        header = read_header(source[start:stop])
        fields: dict[str, list[bytes]] = {}
        for found in header.fields:
            fields.setdefault(found.name.lower(), []).append(found.value)
        content = self._content(fields)
        encoding = _encoding(*fields.get("content-transfer-encoding", ())[:1])
        if encoding not in DECODERS and encoding not in IDENTITY:
            self.defects.add("unknown-encoding")
        above = self.parts[parent] if parent >= 0 else None
        kind = content.word
        if "/" not in kind:
            # RFC 2046 §5.1.5: in a digest, messages are the rule.
            digest = above is not None and above.type == "multipart/digest"
            kind = "message/rfc822" if digest else "text/plain"
        part = Part(
            len(self.parts),
            parent,
            above.depth + 1 if above is not None else 0,
            header,
            fields,
            kind,
            content,
            _parameters(*fields.get("content-disposition", ())[:1]),
            encoding,
            source,
            start + _body(header),
            len(source),
        )
        self.parts.append(part)
        return part

    def _content(self, fields: Mapping[str, Sequence[bytes]]) -> Parameters:
        """What a part is declared to be; of several, what holds others."""
        types = fields.get("content-type", ())
        if len(types) > 1 or len(fields.get("content-transfer-encoding", ())) > 1:
            self.defects.add("ambiguous")
        contents = [_parameters(value) for value in types[:10]] or [_parameters()]
        holding = (c for c in contents if c.word.startswith(("multipart/", "message/")))
        return next(holding, contents[0])

    def close(self, number: int, end: int, leaf: bool) -> None:
        """A part ends here; an encoded message within it is read later."""
        old = self.parts[number]
        part = Part(
            *(old.number, old.parent, old.depth, old.header, old.fields, old.type),
            *(old.content, old.disposition, old.encoding, old.source, old.start),
            max(old.start, end),
            leaf,
        )
        if leaf and _nested(part.type) and part.encoding in DECODERS:
            self.wait(part)
        self.parts[number] = part

    def wait(self, part: Part) -> None:
        """Read an encoded message when this pass is over, if we can afford it."""
        if part.depth >= self.limits.depth:
            self.defects.add("too-deep")
        elif part.end - part.start > self.budget:
            self.defects.add("too-much")
        else:
            octets = part.decoded()
            self.budget -= len(octets)
            self.waiting.append((octets, part.number))


@define
class _Pass:
    """One pass over one run of octets."""

    reader: _Reader
    source: bytes
    stack: list[_Open] = Factory(list)
    delimiters: tuple[bytes, ...] = ()

    def run(self, parent: int) -> None:
        """Read all parts; the first is held by C{parent}."""
        at = self._begin(0, parent)
        while at >= 0:
            line = self._delimiter(at, len(self.source))
            if line < 0:
                break
            at = self._delimited(line)
        self._unwind(0, len(self.source))

    def _delimited(self, line: int) -> int:
        """A delimiter line; returns where to read on, -1 for not at all."""
        end = self.source.find(b"\n", line) + 1 or len(self.source)
        text = self.source[line : min(end, line + 200)].rstrip()
        level = self._level(text)
        above = self.stack[level]
        self._unwind(level + 1, self._before(line))
        # RFC 2046 §5.1.1: two hyphens more, and it was the last.
        size = len(above.delimiter)
        above.ended = text[size : size + 2] == b"--"
        if above.ended:
            return end - 1
        above.children += 1
        return self._begin(end, above.number)

    def _begin(self, start: int, parent: int) -> int:
        """Open the part that begins here; returns where to read on."""
        if self.reader.full():
            return -1
        most = self._header_end(start)
        stop = self._delimiter(start - 1, most) if start else -1
        part = self.reader.add(self.source, start, stop if stop >= 0 else most, parent)
        opened = _Open(part.number)
        self.stack.append(opened)
        if part.depth >= self.reader.limits.depth:
            self.reader.defects.add("too-deep")
        elif part.type.startswith("multipart/"):
            opened.delimiter = self._boundary(part)
            self._renew()
        elif _nested(part.type) and part.encoding not in DECODERS:
            opened.children = 1
            return self._begin(part.start, part.number)
        return max(start, part.start, 1) - 1

    def _header_end(self, start: int) -> int:
        """Where the header that begins here ends, or where we stop reading it."""
        most = min(len(self.source), start + self.reader.limits.header)
        end = _HEADER_END.search(self.source, start, most)
        return most if end is None else end.end()

    def _boundary(self, part: Part) -> bytes:
        """The delimiter of a multipart, declared or guessed; b"" for none."""
        if part.encoding in DECODERS:
            # RFC 2045 §6.4 forbids it; the delimiters are looked for as they are.
            self.reader.defects.add("encoded-multipart")
        boundary = part.content.values.get("boundary", "")
        if not boundary:
            self.reader.defects.add("no-boundary")
            guess = _GUESS.match(self.source, part.start, part.start + 1000)
            return b"" if guess is None else b"--" + guess[1].rstrip()
        delimiter = b"--" + boundary.encode("latin-1", "replace")[:200]
        if delimiter in self.delimiters:
            self.reader.defects.add("boundary-reused")
        return delimiter

    def _renew(self) -> None:
        """Note which delimiters end something now."""
        self.delimiters = tuple(o.delimiter for o in self.stack if o.delimiter)

    def _delimiter(self, at: int, stop: int) -> int:
        """Where the next delimiter line begins that ends something, or -1."""
        if not self.delimiters:
            return -1
        at = max(at, 0)
        while True:
            at = self.source.find(b"\n--", at, stop)
            if at < 0:
                return -1
            at += 1
            # RFC 2046 §5.1.1: the beginning of the line is what counts.
            if self.source.startswith(self.delimiters, at):
                return at

    def _level(self, text: bytes) -> int:
        """Whose delimiter a line is: the whole line, or the most of it."""
        best, most = 0, -1
        for level, opened in enumerate(self.stack):
            size = len(opened.delimiter)
            if not size or not text.startswith(opened.delimiter):
                continue
            if text[size:] in (b"", b"--"):
                size = len(text) + 1
            if size >= most:
                best, most = level, size
        return best

    def _before(self, line: int) -> int:
        """Where the part before a delimiter ends: the CRLF is not its own."""
        end = line - 1
        return end - 1 if self.source[end - 1 : end] == b"\r" else end

    def _unwind(self, level: int, end: int) -> None:
        """Close all that is open from a level on."""
        while len(self.stack) > level:
            opened = self.stack.pop()
            multipart = bool(opened.delimiter)
            if multipart and not opened.ended:
                self.reader.defects.add("unended" if opened.children else "no-parts")
            self.reader.close(opened.number, end, not opened.children)
        self._renew()
