"""
The public keys of DKIM signatures, read from the records of domains.

dkimpy reads what is in a record, C{cryptography} computes: ten times as fast.

Standards: RFC 6376 §3.6.1, RFC 8017 §8.2.2 (RSASSA-PKCS1-v1_5), RFC 8301
§3.2, RFC 8463.
"""

import hashlib
from typing import Any

import dkim
import nacl.exceptions
from attrs import field, frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from smfd.format.tags import read_tags

#: RFC 8301 §3.2: shorter keys prove nothing.  Longer than the second cost us
#: more than they prove.
SHORTEST, LONGEST = 1024, 8192

#: What dkimpy and nacl raise about keys and signatures.
TROUBLE = (dkim.DKIMException, ValueError, TypeError, IndexError)

Tags = dict[bytes, bytes]


class Refused(Exception):
    """
    A signature with a result that needs no arithmetic.

    @ivar result: as in L{smfd.content.signatures.verify}.
    """

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result = result


@frozen
class Key:
    """
    A key record (RFC 6376 §3.6.1).

    @ivar bits: of the key, 0 when it could not be read.
    @ivar unusable: result and reason when it is of no use whatever was signed.
    """

    tags: Tags
    bits: int = 0
    unusable: tuple[str, str] | None = None
    _public: Any = field(default=None, repr=False)

    def flags(self) -> list[bytes]:
        """The flags of t=."""
        return _listed(self.tags.get(b"t", b""))

    def check(self, tags: Tags) -> None:
        """Refuse what the key is not for."""
        if not self.tags.get(b"p"):
            raise Refused("permerror", "the key was revoked")
        algorithm, _, digest = tags[b"a"].partition(b"-")
        if self.tags.get(b"k", b"rsa") != algorithm:
            raise Refused("permerror", "the key is for another algorithm")
        if digest not in _listed(self.tags.get(b"h", digest)):
            raise Refused("permerror", "the key is for another hash")
        if not {b"*", b"email"} & set(_listed(self.tags.get(b"s", b"*"))):
            raise Refused("permerror", "the key is not for mail")
        identity = tags.get(b"i", b"@" + tags[b"d"]).rpartition(b"@")[2]
        # RFC 6376 §3.6.1, t=s: not for subdomains.
        if b"s" in self.flags() and identity.lower() != tags[b"d"].lower():
            raise Refused("permerror", "the key is not for subdomains")

    def matches(self, data: bytes, signature: bytes) -> bool:
        """Whether its other half signed these octets."""
        try:
            if self.tags.get(b"k") == b"ed25519":
                self._public.verify(hashlib.sha256(data).digest(), signature)
            else:
                # Some signers leave zeros out at the left; a number is meant.
                number = signature.lstrip(b"\0").rjust((self.bits + 7) // 8, b"\0")
                self._public.verify(number, data, PKCS1v15(), SHA256())
        except (InvalidSignature, nacl.exceptions.BadSignatureError):
            return False
        return True


def read_key(text: bytes) -> Key:
    """
    Read a key record.

    Raises L{NotTags <smfd.format.tags.NotTags>} when it is no list of tags.
    """
    tags = read_tags(text)
    try:
        public, bits, kind, _ = dkim.evaluate_pk("", text)
    except TROUBLE as e:
        return Key(tags, unusable=unusable(e))
    if kind != b"rsa":
        return Key(tags, bits, None, public)
    if bits < SHORTEST:
        return Key(tags, bits, ("none", f"the key has only {bits} bits"))
    # An exponent of many bits makes each check slow, and is in no real key.
    if bits > LONGEST or public["publicExponent"] >> 64:
        return Key(tags, bits, ("permerror", "the key is too long"))
    try:
        numbers = RSAPublicNumbers(public["publicExponent"], public["modulus"])
        return Key(tags, bits, None, numbers.public_key())
    except ValueError as e:
        return Key(tags, bits, unusable(e))


def unusable(trouble: Exception) -> tuple[str, str]:
    """Result and reason for what dkimpy or nacl could not read."""
    return "permerror", f"it cannot be checked ({type(trouble).__name__})"


def _listed(value: bytes) -> list[bytes]:
    return [item.strip() for item in value.split(b":")]
