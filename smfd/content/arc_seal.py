"""
Seal what we pass on: our word for what we found before we changed anything.

Standards: RFC 8617 §4.1 and §5.1.
"""

from base64 import b64encode
from collections.abc import Sequence

from attrs import frozen

from smfd.content.arc import AAR, AMS, AS, MOST, Set, read_sets, sealed
from smfd.content.canonical import Field, Fields
from smfd.content.dkim_sign import SEALED, SIGNED, folded, listed, named, signature
from smfd.content.keys import Refused
from smfd.model.dkim import SigningKey


@frozen
class Seal:
    """
    One more set for a message.

    @ivar results: what we found, as Authentication-Results has it.
    @ivar hash: of the body, relaxed.
    @ivar key: of RSA: RFC 8617 §4.1.2 knows no other.
    @ivar at: seconds since the epoch.
    """

    fields: Fields
    results: str
    hash: bytes  # noqa: A003
    key: SigningKey
    at: float

    def made(self) -> bytes:
        """
        The three fields, CRLF ended; nothing where there is nothing to add to.

        Whoever calls has found the chain good, or that there is none.
        """
        try:
            before = read_sets(self.fields)
        except Refused:
            return b""
        number = len(before) + 1
        if number > MOST:
            return b""
        results = (AAR.encode(), f" i={number}; {self.results}\r\n".encode())
        signed = self._signature(number)
        seal = self._seal(number, [*before, Set(number, results, signed, _NO_SEAL)])
        return b"".join(
            b"%s:%s" % (_written(name), value)
            for name, value in (seal, signed, results)
        )

    def _signature(self, number: int) -> Field:
        # RFC 8617 §4.1.2: signatures of others too, and nothing of chains.
        names = named(self.fields, (*SEALED, *SIGNED, b"dkim-signature"))
        value = (
            f" i={number}; a=rsa-sha256; c=relaxed/relaxed; d={self.key.domain};\r\n"
            f"\ts={self.key.selector}; t={int(self.at)};\r\n"
            f"\th={listed(names)};\r\n"
            f"\tbh={b64encode(self.hash).decode('ascii')};\r\n\tb="
        ).encode("ascii")
        own = (AMS.encode(), value)
        return self._proved(own, self.fields.signed(names, b"relaxed", own))

    def _seal(self, number: int, sets: Sequence[Set]) -> Field:
        said = "none" if number == 1 else "pass"
        value = (
            f" i={number}; cv={said}; a=rsa-sha256; d={self.key.domain};\r\n"
            f"\ts={self.key.selector}; t={int(self.at)};\r\n\tb="
        ).encode("ascii")
        own = (AS.encode(), value)
        last = sets[-1]
        last = Set(number, last.results, last.signature, own)
        return self._proved(own, sealed([*sets[:-1], last]))

    def _proved(self, own: Field, data: bytes) -> Field:
        made = b64encode(signature(self.key.private, self.key.algorithm, data))
        return own[0], own[1] + folded(made) + b"\r\n"


_NO_SEAL: Field = (AS.encode(), b"")


def _written(name: bytes) -> bytes:
    """A field's name as people write it."""
    return name.title().replace(b"Arc-", b"ARC-")
