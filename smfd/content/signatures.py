"""
Check the DKIM signatures of a message.

What a signature must be before arithmetic is worth doing, and what its result
is called, is decided here; dkimpy says whether its tags are what they must
be.  No look-up is made: the keys come with the call.  It runs in a worker
process.

Standards: RFC 6376, RFC 8301 (no SHA-1, no short keys), RFC 8463 (Ed25519).
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import dkim
from attrs import Factory, define, field

from smfd.content.canonical import BODIES, Field, Fields, read_message
from smfd.content.keys import TROUBLE, Key, Refused, Tags, read_key, unusable
from smfd.format.header import Header
from smfd.format.tags import NotTags, read_tags

#: Signatures that are looked at, from the top.  RFC 6376 §6.1: a verifier may
#: limit them.
MOST = 10

#: Octets of a signature field; field names its h= may list.
LONGEST = 16384
NAMES = 256

ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")

#: What a caller says for a key that could not be looked up for now.
TEMPERROR = "temperror"

#: Keys that are remembered, and octets of a record that may be.
_KEYS = 128
_RECORD = 2048

_NAME = re.compile(rb"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
_BLANK = re.compile(rb"\s{256}")
_WHITE = b" \t\r\n\v\f"


def names(header: Header) -> list[str]:
    """
    The names whose TXT records L{verify} needs, each once.

    Names that cannot be looked up are left out.
    """
    found = []
    for each in header.all("dkim-signature")[:MOST]:
        try:
            found.append(key_name(tags_of(each.value)))
        except Refused:
            continue
    return list(dict.fromkeys(found))


def verify(message: bytes, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Check the signatures of one message, as L{Verifier.verify} does."""
    return Verifier().verify(message, arguments)


def _remembering() -> Callable[[bytes], Key]:
    return lru_cache(_KEYS)(read_key)


@define
class _Message:
    """A message as signatures see it; each form of its body is made once."""

    fields: Fields
    body: bytes
    _forms: dict[bytes, bytes] = Factory(dict)
    _hashes: dict[tuple[bytes, bytes | None], bytes] = Factory(dict)

    def hash(self, tags: Tags) -> bytes:  # noqa: A003
        """What bh= must be."""
        form, length = forms(tags)[1], tags.get(b"l")
        found = self._hashes.get((form, length))
        if found is None:
            if form not in self._forms:
                self._forms[form] = BODIES[form](self.body)
            ready = memoryview(self._forms[form])
            if length is not None:
                ready = ready[: int(length)]
            found = self._hashes[form, length] = hashlib.sha256(ready).digest()
        return found


@define
class Verifier:
    """
    Checks signatures.

    A key is read once and remembered: what a record means depends on nothing
    but its text.
    """

    _remembered: Callable[[bytes], Key] = field(factory=_remembering, init=False)

    def verify(
        self, message: bytes, arguments: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """
        Check each signature, from the top.

        @param message: as it was received, CRLF line ends.
        @param arguments: C{"keys"}: for each of L{names} the text of its
            record, None for no record, or L{TEMPERROR}.
        @return: for each signature C{"domain"}, C{"selector"}, C{"result"}
            (pass, fail, neutral, none, temperror or permerror, RFC 8601
            §2.7.1), C{"reason"}, C{"partial"} (an l= leaves part of the body
            unsigned) and C{"bits"} of its key.
        """
        try:
            read = _Message(*read_message(message))
        except (dkim.DKIMException, IndexError):
            signed = b"\ndkim-signature:" in b"\n" + message.lower()
            return [_seen("permerror", "the header cannot be read")] if signed else []
        keys: Mapping[str, str | None] = arguments.get("keys", {})
        signatures = read.fields.all(b"dkim-signature")[:MOST]
        return [self._signature(read, each, keys) for each in signatures]

    def _signature(
        self, message: _Message, signature: Field, keys: Mapping[str, str | None]
    ) -> dict[str, Any]:
        seen = _seen("pass", "")
        try:
            tags = tags_of(signature[1])
            seen["partial"] = b"l" in tags
            name = key_name(tags)
            seen["domain"] = tags[b"d"].decode("ascii").lower()
            seen["selector"] = tags[b"s"].decode("ascii")
            signed = _acceptable(message.fields, tags)
            key = self._key(name, keys)
            key.check(tags)
            _well_formed(tags)
            seen["bits"] = key.bits
            _compute(message, signature, tags, signed, key)
        except Refused as e:
            seen["result"], seen["reason"] = e.result, str(e)
        return seen

    def _key(self, name: str, keys: Mapping[str, str | None]) -> Key:
        text = keys.get(name)
        if text == TEMPERROR:
            raise Refused("temperror", "the key could not be looked up")
        if text is None:
            raise Refused("permerror", "there is no key")
        raw = text.encode("utf-8", "replace")
        read = self._remembered if len(raw) <= _RECORD else read_key
        try:
            return read(raw)
        except NotTags as e:
            raise Refused("permerror", "the key record is no list of tags") from e


def tags_of(value: bytes) -> Tags:
    """RFC 6376 §3.2, of a field short enough to be looked at."""
    if len(value) > LONGEST or _has_a_gap(value):
        raise Refused("permerror", "the signature is too long")
    try:
        return read_tags(value)
    except NotTags as e:
        raise Refused("permerror", "the signature is no list of tags") from e


def _has_a_gap(value: bytes) -> bool:
    """Whether there is a run of 256 blanks; seldom are there so many at all."""
    blanks = len(value) - len(value.translate(None, _WHITE))
    return blanks >= 256 and _BLANK.search(value) is not None


def key_name(tags: Tags) -> str:
    """RFC 6376 §3.6.2.1, for names that are names and hold nothing else."""
    domain, selector = tags.get(b"d", b""), tags.get(b"s", b"")
    name = selector + b"._domainkey." + domain
    if not (_NAME.match(domain) and _NAME.match(selector)) or len(name) > 253:
        raise Refused("permerror", "d= or s= is no name")
    return name.decode("ascii").lower()


def _acceptable(fields: Fields, tags: Tags) -> list[bytes]:
    """What we ask of a signature before we look at its key; returns h=."""
    signed = [name.strip().lower() for name in tags.get(b"h", b"").split(b":")]
    if len(signed) > NAMES:
        raise Refused("permerror", "h= names too many fields")
    # RFC 6376 §5.4 and §6.1.1: From must be signed, and there is one.
    if b"from" not in signed:
        raise Refused("permerror", "the From field is not signed")
    authors = len(fields.all(b"from"))
    if authors != 1:
        raise Refused("permerror", f"the message has {authors} From fields")
    # RFC 8301 §3.1: rsa-sha1 must not be taken any more.
    if tags.get(b"a") not in ALGORITHMS:
        raise Refused("permerror", "a= is no algorithm that counts")
    return signed


def _well_formed(tags: Tags) -> None:
    """What dkimpy asks of the tags; its complaints are told by their words only."""
    try:
        dkim.validate_signature_fields(tags)
    except dkim.ValidationError as e:
        expired = str(e).startswith("x= value is past")
        reason = (
            "the signature has expired" if expired else "the signature is not valid"
        )
        raise Refused("permerror", reason) from e
    except TROUBLE as e:
        raise Refused(*unusable(e)) from e


def forms(tags: Tags) -> list[bytes]:
    """The forms of header and body by c= (RFC 6376 §3.5)."""
    forms = [*tags.get(b"c", b"simple").split(b"/"), b"simple"]
    if len(forms) > 3 or not {*forms} <= BODIES.keys():
        raise Refused(*unusable(dkim.MessageFormatError()))
    return forms


def _compute(
    message: _Message, signature: Field, tags: Tags, signed: list[bytes], key: Key
) -> None:
    """Do the arithmetic, or raise what came of it instead of a pass."""
    if key.unusable is not None:
        raise Refused(*key.unusable)
    try:
        if message.hash(tags) != decoded(tags[b"bh"]):
            raise _failed(key, "the body was changed")
        data = message.fields.signed(signed, forms(tags)[0], signature)
        if not key.matches(data, decoded(tags[b"b"])):
            raise _failed(key, "the signature does not match")
    except TROUBLE as e:
        raise Refused(*unusable(e)) from e


def _failed(key: Key, reason: str) -> Refused:
    if b"y" in key.flags():
        # RFC 6376 §3.6.1, t=y: no worse than unsigned.
        return Refused("neutral", "it fails, and the domain is testing")
    return Refused("fail", reason)


def decoded(value: bytes) -> bytes:
    """Base64 with white space in it."""
    return base64.b64decode(b"".join(value.split()))


def _seen(result: str, reason: str) -> dict[str, Any]:
    """What is said of a signature of which nothing else is known."""
    return {
        "domain": "",
        "selector": "",
        "result": result,
        "reason": reason,
        "partial": False,
        "bits": 0,
    }
