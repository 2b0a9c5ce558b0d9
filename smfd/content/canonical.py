"""
The forms in which DKIM signs: of header fields, and of a body.

By operations on whole octet strings, for this is most of what it costs to
check a signature.  Everything has CRLF line ends.

Standards: RFC 6376 §3.4 (canonicalization), §3.5 (b=), §5.4.2 (fields that
are there several times).
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import dkim
from attrs import Factory, define

#: A field with its folds; its name as dkimpy reads it.
_FIELD = re.compile(rb"([!-~]+?):([^\n]*+\n(?>(?:[ \t][^\n]*+\n)*))")

_BLANKS = re.compile(rb"[\t ]+")

#: The value of b=, and the white space within it.
EMPTY_B = re.compile(rb"([;\s]b\s*+=)(?>(?:\s*+[a-zA-Z0-9+/=]++)*)")

#: A name and a value.
Field = tuple[bytes, bytes]


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """RFC 6376 §3.4.2; the value with or without its last CRLF."""
    value = value.replace(b"\r\n", b"")
    if b"\t" in value or b"  " in value:
        value = _BLANKS.sub(b" ", value)
    return b"%s:%s\r\n" % (name.lower(), value.strip())


def simple_field(name: bytes, value: bytes) -> bytes:
    """RFC 6376 §3.4.1; the value with its last CRLF."""
    return b"%s:%s" % (name, value)


def simple_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.3: one CRLF at the end, whatever was there."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n"


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.4: runs of blanks are one, at line ends none."""
    body = body.replace(b"\t", b" ")
    # Each round halves what is left of the longest run.
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    body = simple_body(body.replace(b" \r\n", b"\r\n"))
    return b"" if body == b"\r\n" else body


#: By the words of c=.
FIELDS = {b"simple": simple_field, b"relaxed": relaxed_field}
BODIES = {b"simple": simple_body, b"relaxed": relaxed_body}


@define
class Fields:
    """
    The header of a message, as signatures name its fields.

    @ivar fields: values with their last CRLF, in order.
    """

    fields: Sequence[Field]
    _places: dict[bytes, list[int]] = Factory(dict)
    _ready: dict[tuple[int, bytes], bytes] = Factory(dict)

    def __attrs_post_init__(self) -> None:
        for place, (name, _) in enumerate(self.fields):
            self._places.setdefault(name.lower(), []).append(place)

    def all(self, name: bytes) -> list[Field]:
        """Every field of a name in lower case."""
        return [self.fields[place] for place in self._places.get(name, ())]

    def count(self, name: bytes) -> int:
        """How many there are of a name in lower case."""
        return len(self._places.get(name, ()))

    def covered(self, names: Iterable[bytes], form: bytes) -> bytes:
        """
        What a signature's h= names.

        @param names: h=, in lower case.
        @param form: "simple" or "relaxed".
        """
        return b"".join(self._chosen(names, form))

    def signed(self, names: Iterable[bytes], form: bytes, signature: Field) -> bytes:
        """
        What a signature's b= is made over.

        @param names: see L{covered}.
        @param signature: its own field.
        """
        # RFC 6376 §3.7: with an empty b=, and without the last CRLF.
        empty = EMPTY_B.sub(rb"\1", signature[1])
        own = FIELDS[form](signature[0], empty)
        return self.covered(names, form) + own.rstrip()

    def _chosen(self, names: Iterable[bytes], form: bytes) -> Iterator[bytes]:
        """The fields that are named, ready to be signed."""
        left: dict[bytes, list[int]] = {}
        for name in names:
            if name not in left:
                left[name] = list(self._places.get(name, ()))
            # RFC 6376 §5.4.2: from the bottom; a field that is not there is
            # nothing.
            if left[name]:
                yield self._form(left[name].pop(), form)

    def _form(self, place: int, form: bytes) -> bytes:
        """One field in one form."""
        ready = self._ready.get((place, form))
        if ready is None:
            ready = FIELDS[form](*self.fields[place])
            self._ready[place, form] = ready
        return ready


def read_message(message: bytes) -> tuple[Fields, bytes]:
    """
    The fields and the body of a message, as dkimpy has them.

    Raises what dkimpy does, C{dkim.MessageFormatError} or IndexError, when it
    cannot be read.  It is asked for odd headers only: it cuts all of a message
    into lines, which over an attachment takes longer than all the arithmetic.
    """
    end = message.find(b"\r\n\r\n") + 4
    if end < 4 or message.count(b"\n") != message.count(b"\r\n"):
        fields, body = dkim.rfc822_parse(message)
        return Fields(list(map(tuple, fields))), body
    found = _FIELD.findall(message, 0, end - 2)
    if sum(len(name) + len(value) + 1 for name, value in found) != end - 2:
        found = list(map(tuple, dkim.rfc822_parse(message[:end])[0]))
    return Fields(found), message[end:]
