"""
The header of a message: found, cut into fields, never rewritten.

Offsets, not copies: whoever wants a field gone names its range, and the rest
stays byte for byte as it was received.

Standards: RFC 5322 §2.2 and §3.6, RFC 2047 (decoding for people only).
"""

from attrs import frozen


@frozen
class Field:
    """
    One header field.

    @ivar name: as written.
    @ivar value: what follows the colon, folding kept, without the last CRLF.
    @ivar start: where the field begins in the message.
    @ivar end: just behind its last CRLF.
    """

    name: str
    value: bytes
    start: int
    end: int


@frozen
class Header:
    """
    All header fields of a message.

    @ivar fields: in order.
    @ivar size: octets up to and with the empty line that ends the header.
    @ivar defects: what is wrong with it, a word each.
    """

    fields: tuple[Field, ...]
    size: int
    defects: tuple[str, ...] = ()

    def all(self, name: str) -> tuple[Field, ...]:
        """Every field of that name, whatever its case, in order."""
        wanted = name.lower()
        return tuple(f for f in self.fields if f.name.lower() == wanted)

    def first(self, name: str) -> bytes:
        """The value of the first field of that name, or nothing."""
        found = self.all(name)
        return found[0].value if found else b""
