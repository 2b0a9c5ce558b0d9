"""
A mailbox that every reader reads alike, or none.

L{author <smfd.format.mailbox.author>} reads what the world wrote; this reads
what our own people write, and is narrower: what the standards allow and some
reader mistakes has no place here.

Standards: RFC 5322 §2.1.1, §3.2.2, §3.4 and §4.1, RFC 6532 §3.2, RFC 5890 §2.3.2.1.
"""

import re
from unicodedata import normalize

import idna

from smfd.format.display_name import Ambiguous, check_fit, readings

#: A longer field is not read, in octets.
LONGEST = 2048

_LINE = 998  # RFC 5322 §2.1.1; some readers cut there.

# Folds are told from other white space: to some readers a line's end is that of
# a comment too.  A known reader ends there what is quoted; as there is no "@" in
# it, he finds nobody then, and nobody else.
_FOLD = re.compile(r"\r\n(?=[ \t])")
_FOLDED = "\n"
_SPACE = r"[ \t\n]*+"
_ATOM = r"[A-Za-z0-9_=~'&+\u00a1-\U0010ffff-]++"
_ADDRESS = rf"({_ATOM}(?>(?:\.{_ATOM})*)@[A-Za-z0-9.\u00a1-\U0010ffff-]++)"
# No comment in a comment, and nothing in it that some reader ends it at.
_COMMENT = r'\([^()\\"<>@,;:\n]*+\)'
_COMMENTS = rf"{_SPACE}(?>(?:{_COMMENT}{_SPACE})*)"
_QUOTED = r'"(?>(?:[^"\\]|\\["()])*)"'
# RFC 5322 §4.1: obs-phrase lets the period in, but not at the beginning; close
# to the "<" a known reader stumbles over it.
_WORDS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a0-\U0010ffff \t\n-]++"

_NAMED = re.compile(
    rf"((?!{_COMMENTS}\.)(?>(?:{_WORDS}|{_QUOTED}|{_COMMENT})*))(?<!\.)<{_ADDRESS}>({_COMMENTS})"
)
_BARE = re.compile(rf"({_COMMENTS}){_ADDRESS}({_COMMENTS})")

_DOMAIN = re.compile(
    r"[a-z0-9](?>(?:[a-z0-9-]*[a-z0-9])?)(?>(?:\.[a-z0-9](?>(?:[a-z0-9-]*[a-z0-9])?))*)"
)


def plain_mailbox(value: bytes) -> str:
    """
    The address of a field that has one mailbox.

    @param value: what follows the colon.
    @return: C{local@domain}, the domain in lower case as A-labels.
    @raise Ambiguous: it has none or several, or readers may differ about it.
    """
    text = _text(value)
    found = _NAMED.fullmatch(text) or _BARE.fullmatch(text)
    if found is None:
        raise Ambiguous("it is not one plain mailbox: Name <local@domain>")
    before, address, behind = found.groups()
    _check_name((before + behind).replace(_FOLDED, ""), address)
    local, _, domain = address.rpartition("@")
    return f"{local}@{_a_labels(domain)}"


def _text(value: bytes) -> str:
    if len(value) > LONGEST or max(map(len, value.split(b"\n"))) > _LINE:
        raise Ambiguous("it is too long")
    try:
        lines = _FOLD.split(value.decode())
    except UnicodeDecodeError:
        raise Ambiguous("it is neither ASCII nor UTF-8") from None
    check_fit("".join(lines))
    return _FOLDED.join(lines)


def _check_name(name: str, address: str) -> None:
    """A display name names nobody else, however it is read."""
    # A reader that knows no escapes must find each quotation mark closed.
    if name.count('\\"') % 2:
        raise Ambiguous("it has an escaped quotation mark")
    for reading in readings(name):
        # What only looks like "@" is meant to look like it.
        plain = reading if reading.isascii() else normalize("NFKC", reading)
        if not any(mark in plain for mark in "<>@"):
            continue
        if plain.strip(" \t'\"()").lower() != address.lower():
            raise Ambiguous("it has another address, or half of one, as a name")


def _a_labels(domain: str) -> str:
    name = domain.lower()
    if not domain.isascii():
        try:
            # RFC 5890 §2.3.2.1: a U-label has one spelling; readers that map
            # others to it and readers that do not would differ.
            name = idna.encode(domain, strict=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise Ambiguous("it has a domain that is not valid") from None
    if _DOMAIN.fullmatch(name) is None:
        raise Ambiguous("it has a domain that is not valid")
    return name
