"""
What may be in the directory, said in sentences.

Standards: RFC 5321 §4.5.1 and §4.5.3.1.1.
"""

import unicodedata

from smfd.model.directory import Refused
from smfd.policy.lists import OPERATOR, Pattern, parse_domain, parse_pattern

#: RFC 5321 §4.5.1: whoever hosts a domain reads its postmaster's mail.
POSTMASTER = "postmaster"

_MARKS = frozenset("._-=~'&")
_LONGEST_NOTE = 1000


def domain_name(text: str) -> str:
    """A domain as it is stored."""
    try:
        return parse_domain(text)
    except ValueError as wrong:
        raise Refused("invalid", str(wrong), "Write it like example.org.") from None


def address(text: str) -> tuple[str, str]:
    """
    An address that may be a mailbox here.

    @return: the address and its domain, as they are stored.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at or not local:
        raise Refused(
            "invalid", f"{text[:80]!r} is not an address.", "Write user@example.org."
        )
    local = unicodedata.normalize("NFC", local).lower()
    if not _is_local(local):
        raise Refused(
            "invalid",
            f"{local[:80]!r} cannot be a mailbox's name.",
            "Use at most 64 letters, digits and ._-=~'& with no dot at either end"
            " and no two together; what follows a + is the user's own affair.",
        )
    name = domain_name(domain)
    return f"{local}@{name}", name


def threshold(value: float | None) -> float | None:
    """A score at which mail is spam; None is the one of the settings."""
    if value is None:
        return None
    if not 0.1 <= value <= 1000:
        raise Refused(
            "invalid", "A threshold lies between 0.1 and 1000.", "5 is usual."
        )
    return float(value)


def pattern(text: str) -> Pattern:
    """What an entry is about."""
    try:
        return parse_pattern(text)
    except ValueError as wrong:
        raise Refused("invalid", str(wrong)) from None


def scope(text: str) -> str:
    """Whose list: an address (without its +tag), a domain, or "operator"."""
    written = text.strip().lower()
    if written == OPERATOR:
        return OPERATOR
    if "@" not in written:
        return domain_name(written)
    local, _, domain = written.rpartition("@")
    return address(f"{local.partition('+')[0]}@{domain}")[0]


def note(text: str) -> str:
    """A person's remark."""
    if len(text) > _LONGEST_NOTE:
        raise Refused("invalid", f"A note has at most {_LONGEST_NOTE} characters.")
    return text


def _is_local(local: str) -> bool:
    # RFC 5321 §4.1.2: a Dot-string, and nothing a folder cannot be called.
    if not 0 < len(local.encode()) <= 64:
        return False
    if local[0] == "." or local[-1] == "." or ".." in local:
        return False
    return all(c.isalnum() or c in _MARKS for c in local)
