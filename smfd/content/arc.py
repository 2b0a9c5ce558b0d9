"""
Check what those say who handed a message on: the Authenticated Received Chain.

Each of them adds a set of three fields: what he found (AAR), a signature of the
message as he passed it on (AMS), and a seal over all sets (AS).  No look-up is
made: the keys come with the call.  It runs in a worker process.

Standards: RFC 8617 §4 and §5.2, RFC 6376.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import dkim
from attrs import define, field, frozen

from smfd.content.canonical import (
    BODIES,
    EMPTY_B,
    Field,
    Fields,
    read_message,
    relaxed_field,
)
from smfd.content.dkim_sign import body_hash
from smfd.content.keys import TROUBLE, Key, Refused, Tags, read_key
from smfd.content.signatures import TEMPERROR, decoded, forms, key_name, tags_of
from smfd.format.header import Header
from smfd.format.tags import NotTags

#: RFC 8617 §4.2.1: no chain is longer.
MOST = 50

#: Sets whose seals are checked; a longer chain costs more than it proves.
CHECKED = 15

AAR = "arc-authentication-results"
AMS = "arc-message-signature"
AS = "arc-seal"

#: Octets of an AAR that are read, and how deep its comments may be.
_LONGEST, _DEEP = 4000, 10

_WRITTEN = re.compile(
    rb'"(?>(?:[^"\\]|\\.)*)(?:"|$)|\((?>(?:[^()\\]|\\.)*)\)', re.DOTALL
)
_RESULT = re.compile(rb";\s*([a-zA-Z][a-zA-Z-]*)\s*=\s*([a-zA-Z]+)(?![\w-])")
_RELAXED = b"relaxed/relaxed"
_INSTANCE = re.compile(rb"\s*i\s*=\s*([0-9]{1,3})\s*;")
_NUMBER = re.compile(rb"[0-9]{1,3}\Z")


@frozen
class Set:
    """
    What one of them added.

    @ivar number: i=, from 1.
    """

    number: int
    results: Field
    signature: Field
    seal: Field

    @property
    def message_tags(self) -> Tags:
        """Of the signature."""
        return tags_of(self.signature[1])

    @property
    def seal_tags(self) -> Tags:
        """Of the seal."""
        return tags_of(self.seal[1])


def names(header: Header) -> list[str]:
    """The names whose TXT records L{verify} needs, each once."""
    found: list[str] = []
    values = [one.value for one in header.all(AS)[:CHECKED]]
    values += [one.value for one in header.all(AMS)[:CHECKED]]
    for value in values:
        try:
            found.append(key_name(tags_of(value)))
        except Refused:
            continue
    return list(dict.fromkeys(found))


def verify(message: bytes, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check the chain of one message, as L{Chains.verify} does."""
    return Chains().verify(message, arguments)


@define
class Chains:
    """Checks chains; a key is read once and remembered."""

    _remembered: Any = field(factory=lambda: lru_cache(128)(read_key), init=False)

    def verify(self, message: bytes, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """
        Check the seals, and that the last who sealed passed this message on.

        @param message: as it was received, CRLF line ends.
        @param arguments: C{"keys"}: for each of L{names} the text of its
            record, None for no record, or L{TEMPERROR}.
        @return: C{"result"}: none, pass, fail or temperror; C{"reason"};
            C{"count"} of sets; C{"domains"} that sealed, the first of them
            first; C{"found"}: what the last of them found, as C{"dmarc=pass"}.
        """
        try:
            fields, body = read_message(message)
        except (dkim.DKIMException, IndexError):
            return _said("none", "the header cannot be read")
        if not any(fields.all(name.encode()) for name in (AS, AMS, AAR)):
            return _said("none", "")
        try:
            sets = read_sets(fields)
            chain = _Chain(fields, body, sets, arguments.get("keys", {}), self)
            chain.check()
        except Refused as e:
            return _said("temperror" if e.result == "temperror" else "fail", str(e))
        except TROUBLE as e:
            return _said("fail", f"it cannot be checked ({type(e).__name__})")
        return _said("pass", "", sets)

    def key(self, name: str, keys: Mapping[str, str | None]) -> Key:
        """The key at a name, if there is one."""
        text = keys.get(name)
        if text == TEMPERROR:
            raise Refused("temperror", "a key could not be looked up")
        if text is None:
            raise Refused("fail", "there is no key")
        try:
            found: Key = self._remembered(text.encode("utf-8", "replace"))
        except NotTags as e:
            raise Refused("fail", "a key record is no list of tags") from e
        if found.unusable is not None:
            raise Refused("fail", found.unusable[1])
        return found


def read_sets(fields: Fields) -> list[Set]:
    """
    The sets of a message, in order.

    RFC 8617 §5.2: there is one of each field for each number, and none is left
    out.

    @raise Refused: it is no chain.
    """
    results = _numbered(fields.all(AAR.encode()), _instance)
    signatures = _numbered(fields.all(AMS.encode()), _tagged)
    seals = _numbered(fields.all(AS.encode()), _tagged)
    count = len(seals)
    wanted = set(range(1, count + 1))
    if not (set(results) == set(signatures) == set(seals) == wanted):
        raise Refused("fail", "the sets are not complete")
    return [Set(n, results[n], signatures[n], seals[n]) for n in sorted(wanted)]


def _numbered(found: Sequence[Field], number: Any) -> dict[int, Field]:
    if len(found) > MOST:
        raise Refused("fail", "there are too many sets")
    numbered = {number(one): one for one in found}
    if len(numbered) < len(found):
        raise Refused("fail", "two sets have one number")
    return numbered


def _instance(one: Field) -> int:
    """RFC 8617 §4.1.1: i= comes first."""
    found = _INSTANCE.match(one[1])
    if found is None:
        raise Refused("fail", "a set has no number")
    return int(found[1])


def _tagged(one: Field) -> int:
    said = tags_of(one[1]).get(b"i", b"")
    if not _NUMBER.match(said):
        raise Refused("fail", "a set has no number")
    return int(said)


@frozen
class _Chain:
    """A chain that is complete, and what it is checked with."""

    fields: Fields
    body: bytes
    sets: Sequence[Set]
    keys: Mapping[str, str | None]
    chains: Chains

    def check(self) -> None:
        """
        Check all of it.

        @raise Refused: what is wrong.
        """
        self._check_order()
        if len(self.sets) > CHECKED:
            raise Refused("fail", "it is too long to be checked")
        self._check_message(self.sets[-1])
        for one in reversed(self.sets):
            self._check_seal(one)

    def _check_order(self) -> None:
        """RFC 8617 §5.2: what each said of the chain before him."""
        for one in self.sets:
            said = one.seal_tags.get(b"cv", b"").lower()
            wanted = b"none" if one.number == 1 else b"pass"
            if said != wanted:
                why = f"set {one.number} does not say cv={_text(wanted)}"
                raise Refused("fail", why)

    def _check_message(self, last: Set) -> None:
        """The message is as the last of them passed it on."""
        tags = last.message_tags
        for name in (b"a", b"b", b"bh", b"d", b"h", b"s"):
            if not tags.get(name):
                raise Refused("fail", "the signature lacks a tag")
        signed = [name.strip().lower() for name in tags[b"h"].split(b":")]
        # RFC 8617 §4.1.2: a seal is no part of what is signed.
        if AS.encode() in signed or b"from" not in signed:
            raise Refused("fail", "the signature covers too much, or too little")
        # Chains were relaxed from the beginning; who says nothing means that.
        form, body_form = forms({b"c": _RELAXED, **tags})[:2]
        if self._hash(body_form) != decoded(tags[b"bh"]):
            raise Refused("fail", "the body was changed")
        data = self.fields.signed(signed, form, last.signature)
        self._prove(tags, data)

    def _hash(self, form: bytes) -> bytes:
        """Of the body in one form."""
        if form == b"relaxed":
            return body_hash([self.body])
        return hashlib.sha256(BODIES[form](self.body)).digest()

    def _check_seal(self, one: Set) -> None:
        """What he sealed is what was there then."""
        tags = one.seal_tags
        # RFC 8617 §4.1.3: a seal with h= is none.
        if b"h" in tags or not all(tags.get(name) for name in (b"a", b"b", b"d", b"s")):
            raise Refused("fail", "a seal has a tag too few, or too many")
        self._prove(tags, sealed(self.sets[: one.number]))

    def _prove(self, tags: Tags, data: bytes) -> None:
        if tags[b"a"] != b"rsa-sha256":
            raise Refused("fail", "a= is no algorithm of chains")
        key = self.chains.key(key_name(tags), self.keys)
        if not key.tags.get(b"p"):
            raise Refused("fail", "a key was revoked")
        if not key.matches(data, decoded(tags[b"b"])):
            raise Refused("fail", "a signature does not match")


def sealed(sets: Sequence[Set]) -> bytes:
    """
    What the seal of the last set is made over, itself without its b=.

    RFC 8617 §5.1.1: relaxed, set after set, each in the order of its making.
    """
    parts = list(_parts(sets[:-1]))
    last = sets[-1]
    empty = EMPTY_B.sub(rb"\1", last.seal[1])
    parts += [relaxed_field(*last.results), relaxed_field(*last.signature)]
    parts.append(relaxed_field(last.seal[0], empty).rstrip())
    return b"".join(parts)


def _parts(sets: Sequence[Set]) -> Iterator[bytes]:
    for one in sets:
        for found in (one.results, one.signature, one.seal):
            yield relaxed_field(*found)


def found(value: bytes) -> list[str]:
    """
    The results in an AAR, each a method and what came of it.

    What somebody else may have written, in quotes or as a comment, is none.
    """
    plain = value[:_LONGEST]
    for _ in range(_DEEP):
        # RFC 5322 §3.2.2: there are comments in comments.
        plain = _WRITTEN.sub(b"", plain)
    if b"(" in plain:
        return []
    return [f"{_text(a)}={_text(b)}".lower() for a, b in _RESULT.findall(plain)][:20]


def may_add(chain: bool, results: str) -> bool:
    """
    Whether another set may be added: to nothing, or to what was found good.

    RFC 8617 §5.1: a chain that failed ends.

    @param chain: there are sets of others.
    @param results: what we found, as Authentication-Results has it.
    """
    return not chain or "arc=pass" in found(results.encode())


def _text(word: bytes) -> str:
    return word.decode("ascii", "replace")


def _said(result: str, reason: str, sets: Sequence[Set] = ()) -> dict[str, Any]:
    return {
        "result": result,
        "reason": reason,
        "count": len(sets),
        "domains": [_text(one.seal_tags[b"d"]).lower() for one in sets],
        "found": found(sets[-1].results[1]) if sets else [],
    }
