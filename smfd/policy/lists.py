"""
Allow and block entries: how they are written, and which of them match.

A pattern is an address, a domain (or C{*@domain}, which is the same), or
C{*.domain}: everything below the domain, not the domain itself.

Standards: RFC 5321 §2.3.11, RFC 5890 §2.3.2.1 (A-labels).
"""

import re
from collections.abc import Iterable, Mapping

import idna
from attrs import frozen

from smfd.model.directory import ListEntry

#: The scope that is everybody's.
OPERATOR = "operator"

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_ORDER = {"locked": 0, "user": 1, "domain": 2, "operator": 3}
#: RFC 5321 §4.5.3.1.1 and §4.5.3.1.2, and the "@".
_LONGEST = 64 + 1 + 255


@frozen
class Pattern:
    """
    Which senders an entry is about.

    @ivar local: the local part in lower case, or "" for all of a domain.
    @ivar domain: lower case A-labels.
    @ivar below: everything below the domain, but not the domain.
    """

    local: str
    domain: str
    below: bool = False

    def __str__(self) -> str:
        """The pattern in the one form that is stored."""
        if self.below:
            return f"*.{self.domain}"
        return f"{self.local}@{self.domain}" if self.local else self.domain


@frozen
class Match:
    """
    An entry that matches a sender.

    @ivar scope: "locked", "user", "domain" or "operator".
    @ivar identity: "header" or "envelope": the sender that matched.
    """

    entry: ListEntry
    scope: str
    identity: str


@frozen
class Book:
    """
    The entries of one scope, found by what they are about.

    However many there are, a look-up costs a few steps for each label of the
    sender's domain.
    """

    pages: Mapping[str, tuple[ListEntry, ...]]

    def about(self, keys: Iterable[str]) -> tuple[ListEntry, ...]:
        """The entries whose pattern is one of the C{keys}."""
        if not self.pages:
            return ()
        return tuple(entry for key in keys for entry in self.pages.get(key, ()))


def book(entries: Iterable[ListEntry]) -> Book:
    """Bind the entries of one scope."""
    pages: dict[str, tuple[ListEntry, ...]] = {}
    for entry in entries:
        pages[entry.pattern] = (*pages.get(entry.pattern, ()), entry)
    return Book(pages)


def parse_domain(text: str) -> str:
    """
    Read a domain.

    @return: lower case A-labels.
    @raise ValueError: with a sentence that says what is wrong.
    """
    name = text.strip().rstrip(".").lower()
    if not name or len(name) > 255:
        raise ValueError("A domain has 1 to 255 characters.")
    if not name.isascii():
        name = _a_labels(name)
    # RFC 5321 §4.5.3.1.2 for the octets, RFC 1035 §2.3.4 for the labels.
    labels = name.split(".")
    if len(name) > 255 or not all(_LABEL.match(label) for label in labels):
        raise ValueError(f"{_shown(text)} is not a domain.")
    # RFC 3696 §2: an all-numeric end would be an IP address.
    if labels[-1].isdigit():
        raise ValueError(f"{_shown(text)} is not a domain.")
    return name


def parse_pattern(text: str) -> Pattern:
    """
    Read what a person wrote for an entry.

    @raise ValueError: with a sentence that says what is wrong.
    """
    written = text.strip()
    if len(written) > _LONGEST or not written.isprintable():
        raise ValueError("A pattern has at most 320 printable characters.")
    local, at, domain = written.rpartition("@")
    if at and local != "*":
        return _address(local, domain)
    if domain.startswith("*."):
        return Pattern("", parse_domain(domain[2:]), below=True)
    name = parse_domain(domain)
    if not at and "." not in name:
        raise ValueError(
            f"{_shown(text)} is neither an address nor a domain: write"
            " user@example.org, example.org, *@example.org or *.example.org."
        )
    return Pattern("", name)


def keys(*senders: str) -> tuple[str, ...]:
    """Every pattern, in stored form, that matches one of the senders."""
    found: dict[str, None] = {}
    for sender in senders:
        for key in _keys(sender):
            found[key] = None
    return tuple(found)


def scopes(recipient: str) -> tuple[str, ...]:
    """
    The scopes that speak for a recipient, the nearest first.

    C{user+tag@domain} has the entries of C{user@domain} too.
    """
    address = recipient.lower()
    local, _, domain = address.rpartition("@")
    base = local.partition("+")[0]
    if base and base != local:
        return (address, f"{base}@{domain}", domain, OPERATOR)
    return (address, domain, OPERATOR)


def matches(
    entries: Iterable[ListEntry],
    recipient: str,
    envelope_sender: str,
    header_from: str,
    now: float,
) -> tuple[Match, ...]:
    """
    The entries that match, those that count more first.

    The operator's locked entries, then the user's, the domain's and the
    operator's; within one scope allow before block.  An entry that matches
    both senders is named twice, for only one of them may be proven.
    """
    near = set(scopes(recipient))
    identities = [
        (name, frozenset(_keys(sender)))
        for name, sender in (("header", header_from), ("envelope", envelope_sender))
        if sender
    ]
    found = [
        Match(entry, _rank(entry), name)
        for entry in entries
        if entry.scope in near and (entry.expires is None or entry.expires > now)
        for name, wanted in identities
        if entry.pattern in wanted
    ]
    return tuple(sorted(found, key=_weight))


def _weight(match: Match) -> tuple[int, bool]:
    return (_ORDER[match.scope], not match.entry.allow)


def _rank(entry: ListEntry) -> str:
    if entry.scope == OPERATOR:
        return "locked" if entry.locked else "operator"
    return "user" if "@" in entry.scope else "domain"


def _keys(sender: str) -> tuple[str, ...]:
    local, at, domain = sender.lower().rpartition("@")
    if not at or len(domain) > 255:
        return ()
    if not domain.isascii():
        try:
            domain = _a_labels(domain)
        except ValueError:
            return ()
    labels = domain.split(".")
    below = (f"*.{'.'.join(labels[n:])}" for n in range(1, len(labels)))
    return (f"{local}@{domain}", domain, *below)


def _address(local: str, domain: str) -> Pattern:
    if not local or "*" in local or any(c.isspace() for c in local):
        raise ValueError(
            "Before the @ stands a whole local part, or a * for all of the domain."
        )
    if len(local.encode()) > 64:
        raise ValueError("A local part has at most 64 octets.")
    return Pattern(local.lower(), parse_domain(domain))


def _a_labels(name: str) -> str:
    # RFC 5891 §4: what cannot be an A-label cannot be in the DNS.
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise ValueError(f"{_shown(name)} is not a domain.") from None


def _shown(text: str) -> str:
    """Somebody's text, fit for a sentence."""
    return repr(text[:80])
