"""
Who is logged in writes as himself (S19, C15).

The header's From, the envelope's sender and the login must be one person, so
Sender and the Resent fields too.  What two readers may read differently is
refused and never guessed.

Standards: RFC 5322 §2.2, §3.2.2, §3.6.2, §3.6.6 and §4.5.8.
"""

import re
from collections.abc import Iterator, Mapping

from attrs import field, frozen

from smfd.format.display_name import Ambiguous
from smfd.format.header import Header
from smfd.format.plain_mailbox import plain_mailbox
from smfd.proto.address import Address

#: With a tag: no address in the directory has its "+", so it is nobody else's.
_TAGGED = re.compile(r"([^+]++)\+[a-z0-9+._=-]*+")

#: RFC 5322 §3.6.2 and §3.6.6: fields that name who wrote or who sent.
_NAMING = ("from", "sender", "resent-from", "resent-sender")

#: Where a reader may end a line that ends nowhere for others, or the header;
#: RFC 5322 §3.2.2: no fold is white space only.  ESC is in names from Japan.
_TORN = re.compile(
    rb"[\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]|\r(?!\n)|(?<!\r)\n|\n[ \t]*+(?:\r|\Z)"
)

_READERS_DIFFER = {
    "oversized": "is too long",
    "too-many-fields": "has too many fields",
    "leading-fold": "begins with white space",
    "no-colon": "has a line without a colon",
    "bad-name": "has a field with a strange name",
    "8bit-name": "has a field with a strange name",
    "missing-from": "has no From",
    "duplicate-from": "has more than one From",
    "duplicate-sender": "has more than one Sender",
}


@frozen
class Mismatch:
    """
    Why a message is not taken from who sends it.

    @ivar text: one sentence for the sender; says which of header, envelope and
        login differ.
    @ivar differs: those that are not the account's: "header", "from", "sender",
        "resent-from", "resent-sender", "envelope".
    """

    text: str
    differs: tuple[str, ...]
    code: int = field(default=550, init=False)
    status: str = field(default="5.7.1", init=False)


def authorship(
    header: Header,
    sender: Address | None,
    account: str,
    identities: frozenset[str],
) -> Mismatch | None:
    """
    Compare who wrote and who sends with who is logged in.

    @param sender: the reverse-path.
    @param account: who is logged in.
    @param identities: the addresses he may write as, lower case, his own too.
    @return: None when all is well.
    """
    faults = dict(_unnamed(header, identities))
    faults.update(_unsent(sender, identities))
    return _mismatch(account, faults)


def sendership(
    sender: Address | None, account: str, identities: frozenset[str]
) -> Mismatch | None:
    """Compare who sends with who is logged in, as soon as MAIL says it."""
    return _mismatch(account, dict(_unsent(sender, identities)))


def is_own(address: str, identities: frozenset[str]) -> bool:
    """Whether an address is one of them, whatever its case, with a tag or not."""
    local, _, domain = address.rpartition("@")
    key = local.lower()
    # What only becomes a letter of ASCII in lower case was another letter.
    if key.isascii() and not local.isascii():
        return False
    if f"{key}@{domain}" in identities:
        return True
    tagged = _TAGGED.fullmatch(key)
    return tagged is not None and f"{tagged[1]}@{domain}" in identities


def _mismatch(account: str, faults: Mapping[str, str]) -> Mismatch | None:
    if not faults:
        return None
    text = f"You are {account}, but {'; '.join(faults.values())}"
    return Mismatch(text, tuple(faults))


def _unnamed(header: Header, identities: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What of the header is not his, with a sentence for each."""
    why = _unreadable(header)
    if why:
        yield "header", f"the header {why}"
    else:
        yield from _named(header, identities)


def _unsent(
    sender: Address | None, identities: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Why the reverse-path is not his."""
    if sender is None:
        yield "envelope", "the envelope's sender is empty"
    elif not is_own(f"{sender.local}@{sender.domain}", identities):
        yield "envelope", f"the envelope's sender is {sender}"


def _unreadable(header: Header) -> str:
    """Why two readers may find different fields in a header, or ""."""
    for defect in header.defects:
        if defect in _READERS_DIFFER:
            return _READERS_DIFFER[defect]
    at = 0
    for found in header.fields:
        # RFC 5322 §4.5.8: space before the colon; or a line end that is none.
        marks = found.end - found.start - len(found.name) - len(found.value)
        if found.start != at or marks != len(":\r\n") or _TORN.search(found.value):
            return f"has a broken line, or a space before the colon, at {found.name}"
        at = found.end
    # Nothing but the empty line is left; without it there is no body.
    return "has a broken line" if header.size - at not in (0, len("\r\n")) else ""


def _named(header: Header, identities: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Fields that name somebody else, or nobody knows whom."""
    for name in _NAMING:
        for found in header.all(name):
            try:
                address = plain_mailbox(found.value)
            except Ambiguous as why:
                yield name, f"the header's {found.name} cannot be taken: {why}"
                continue
            if not is_own(address, identities):
                yield name, f"the header's {found.name} is {address}"
