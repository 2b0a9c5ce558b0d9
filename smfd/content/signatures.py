"""
Check the DKIM signatures of a message.

dkimpy canonicalizes and computes; what a signature must be before that is
worth doing, and what its result is called, is decided here.  No look-up is
made: the keys come with the call.  It runs in a worker process.

Standards: RFC 6376, RFC 8301 (no SHA-1, no short keys), RFC 8463 (Ed25519).
"""

import re
from collections.abc import Mapping
from typing import Any

import dkim
from attrs import frozen
from dkim.canonicalization import compress_whitespace
from dkim.util import InvalidTagValueList, parse_tag_value

from smfd.format.header import Header

#: Signatures that are looked at, from the top.  RFC 6376 §6.1: a verifier may
#: limit them.
MOST = 10

#: Octets of a signature field; field names its h= may list.
LONGEST = 16384
NAMES = 256

ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")

#: RFC 8301 §3.2: shorter keys prove nothing.  Longer than the second cost us
#: more than they prove.
SHORTEST_KEY, LONGEST_KEY = 1024, 8192

#: What a caller says for a key that could not be looked up for now.
TEMPERROR = "temperror"

_NAME = re.compile(rb"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
_BLANK = re.compile(rb"\s{256}")

Tags = dict[bytes, bytes]


class Refused(Exception):
    """
    A signature with a result that needs no arithmetic.

    @ivar result: as in L{verify}.
    """

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result = result


def names(header: Header) -> list[str]:
    """
    The names whose TXT records L{verify} needs, each once.

    Names that cannot be looked up are left out.
    """
    found = []
    for field in header.all("dkim-signature")[:MOST]:
        try:
            found.append(_key_name(_tags(field.value)))
        except Refused:
            continue
    return list(dict.fromkeys(found))


def verify(message: bytes, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Check each signature, from the top.

    @param message: as it was received, CRLF line ends.
    @param arguments: C{"keys"}: for each of L{names} the text of its record,
        None for no record, or L{TEMPERROR}.
    @return: for each signature C{"domain"}, C{"selector"}, C{"result"} (pass,
        fail, neutral, none, temperror or permerror, RFC 8601 §2.7.1),
        C{"reason"}, C{"partial"} (an l= leaves part of the body unsigned) and
        C{"bits"} of its key.
    """
    try:
        message_read = _read(message)
    except (dkim.DKIMException, IndexError):
        return [_unread()] if b"\ndkim-signature:" in b"\n" + message.lower() else []
    signed = [y for x, y in message_read.headers if x.lower() == b"dkim-signature"]
    bodies = _Bodies(message_read.body)
    keys: Mapping[str, str | None] = arguments.get("keys", {})
    return [
        _signature(message_read, bodies, n, value, keys)
        for n, value in enumerate(signed[:MOST])
    ]


def _read(message: bytes) -> dkim.DKIM:
    """
    A message as dkimpy has it.

    dkimpy cuts the whole of it into lines to find the end of the header; over
    a large attachment that takes longer than all the arithmetic.
    """
    end = message.find(b"\r\n\r\n") + 4
    if end < 4 or message.count(b"\n") != message.count(b"\r\n"):
        return dkim.DKIM(message, minkey=0)
    read = dkim.DKIM(message[:end], minkey=0)
    read.body = message[end:]
    return read


class _Bodies:
    """The body, made ready for each canonicalization once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._relaxed: bytes | None = None

    def ready(self, tags: Tags) -> tuple[bytes, bool]:
        """
        The body to canonicalize, and whether "simple" is enough for it.

        Without the blanks that "relaxed" takes away the two differ for an
        empty body only (RFC 6376 §3.4.3, §3.4.4), and "simple" looks at the
        end alone.
        """
        if _body_algorithm(tags) != b"relaxed":
            return self._body, False
        if self._relaxed is None:
            self._relaxed = _without_blanks(self._body)
        return self._relaxed, bool(self._relaxed.strip(b"\r\n"))


def _without_blanks(body: bytes) -> bytes:
    """
    Runs of blanks made one, those at line ends taken away.

    Only as far as there are any: an encoded attachment, the larger part of a
    large message, has none.
    """
    last = max(body.rfind(odd) for odd in (b"\t", b"  ", b" \r\n"))
    if last < 0:
        return body
    end = body.find(b"\r\n", last) + 2
    head = body[:end] if end > 1 else body
    calm: bytes = compress_whitespace(head).replace(b" \r\n", b"\r\n")
    return calm + body[len(head) :]


def _body_algorithm(tags: Tags) -> bytes:
    return tags.get(b"c", b"").partition(b"/")[2]


@frozen
class _Key:
    """A key record (RFC 6376 §3.6.1), as far as dkimpy does not judge it."""

    tags: Tags

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


def _signature(
    message: dkim.DKIM,
    bodies: _Bodies,
    number: int,
    value: bytes,
    keys: Mapping[str, str | None],
) -> dict[str, Any]:
    seen: dict[str, Any] = {"domain": "", "selector": "", "partial": False, "bits": 0}
    try:
        tags = _tags(value)
        seen["partial"] = b"l" in tags
        name = _key_name(tags)
        seen["domain"] = tags[b"d"].decode("ascii").lower()
        seen["selector"] = tags[b"s"].decode("ascii")
        _acceptable(message, tags)
        key, text = _key(name, keys)
        key.check(tags)
        message.body, simple = bodies.ready(tags)
        result, reason = _compute(message, number, name, text, seen, simple)
        if result == "fail" and b"y" in key.flags():
            # RFC 6376 §3.6.1, t=y: no worse than unsigned.
            result, reason = "neutral", "it fails, and the domain is testing"
    except Refused as e:
        result, reason = e.result, str(e)
    return {**seen, "result": result, "reason": reason}


def _tags(value: bytes) -> Tags:
    """RFC 6376 §3.2, of a field short enough to be looked at."""
    if len(value) > LONGEST or _BLANK.search(value):
        raise Refused("permerror", "the signature is too long")
    try:
        tags: Tags = parse_tag_value(value)
    except InvalidTagValueList as e:
        raise Refused("permerror", "the signature is no list of tags") from e
    return tags


def _key_name(tags: Tags) -> str:
    """RFC 6376 §3.6.2.1, for names that are names and hold nothing else."""
    domain, selector = tags.get(b"d", b""), tags.get(b"s", b"")
    name = selector + b"._domainkey." + domain
    if not (_NAME.match(domain) and _NAME.match(selector)) or len(name) > 253:
        raise Refused("permerror", "d= or s= is no name")
    return name.decode("ascii").lower()


def _acceptable(message: dkim.DKIM, tags: Tags) -> None:
    """What we ask of a signature before we look at its key."""
    signed = [name.strip().lower() for name in tags.get(b"h", b"").split(b":")]
    if len(signed) > NAMES:
        raise Refused("permerror", "h= names too many fields")
    # RFC 6376 §5.4 and §6.1.1: From must be signed, and there is one.
    if b"from" not in signed:
        raise Refused("permerror", "the From field is not signed")
    authors = sum(name.lower() == b"from" for name, _ in message.headers)
    if authors != 1:
        raise Refused("permerror", f"the message has {authors} From fields")
    # RFC 8301 §3.1: rsa-sha1 must not be taken any more.
    if tags.get(b"a") not in ALGORITHMS:
        raise Refused("permerror", "a= is no algorithm that counts")


def _key(name: str, keys: Mapping[str, str | None]) -> tuple[_Key, bytes]:
    text = keys.get(name)
    if text == TEMPERROR:
        raise Refused("temperror", "the key could not be looked up")
    if text is None:
        raise Refused("permerror", "there is no key")
    raw = text.encode("utf-8", "replace")
    try:
        return _Key(parse_tag_value(raw)), raw
    except InvalidTagValueList as e:
        raise Refused("permerror", "the key record is no list of tags") from e


def _listed(value: bytes) -> list[bytes]:
    return [item.strip() for item in value.split(b":")]


def _compute(
    message: dkim.DKIM,
    number: int,
    name: str,
    key: bytes,
    seen: dict[str, Any],
    simple: bool,
) -> tuple[str, str]:
    """
    dkimpy's part: (result, reason).

    @param simple: the body is the same under "simple", which is much quicker.
    """
    try:
        prepared = message.verify_headerprep(number)
        loaded = dkim.evaluate_pk(name.encode(), key)
        message.pk, message.keysize, message.ktag, message.seqtlsrpt = loaded
        seen["bits"] = message.keysize
        _measure(message)
        tags, include, fields = prepared
        if simple:
            tags[b"c"] = tags[b"c"].partition(b"/")[0] + b"/simple"
        valid = message.verify_sig_process(tags, include, fields[number], None)
    except dkim.ValidationError as e:
        return _invalid(str(e))
    except (dkim.DKIMException, ValueError, TypeError, IndexError) as e:
        return "permerror", f"it cannot be checked ({type(e).__name__})"
    return ("pass", "") if valid else ("fail", "the signature does not match")


def _measure(message: dkim.DKIM) -> None:
    if message.ktag != b"rsa":
        return
    if message.keysize < SHORTEST_KEY:
        raise Refused("none", f"the key has only {message.keysize} bits")
    # An exponent of many bits makes each check slow, and is in no real key.
    if message.keysize > LONGEST_KEY or message.pk["publicExponent"] >> 64:
        raise Refused("permerror", "the key is too long")


def _invalid(text: str) -> tuple[str, str]:
    """What dkimpy's ValidationError means; it is told by its words only."""
    if text.startswith("body hash mismatch"):
        return "fail", "the body was changed"
    if text.startswith("x= value is past"):
        return "permerror", "the signature has expired"
    return "permerror", "the signature is not valid"


def _unread() -> dict[str, Any]:
    return {
        "domain": "",
        "selector": "",
        "result": "permerror",
        "reason": "the header cannot be read",
        "partial": False,
        "bits": 0,
    }
