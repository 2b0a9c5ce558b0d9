"""
What may be in the directory, said in sentences.

Standards: RFC 5321 §4.5.1 and §4.5.3.1.1.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve

from smfd.model.directory import KINDS, VERIFY, Domain, Refused
from smfd.model.hop import NextHop
from smfd.policy.lists import OPERATOR, Pattern, parse_domain, parse_pattern
from smfd.policy.route import parse_hop
from smfd.proto.address import LOCAL_OCTETS

#: RFC 5321 §4.5.1: whoever hosts a domain reads its postmaster's mail.
POSTMASTER = "postmaster"

_MARKS = frozenset("._-=~'&")
#: RFC 5321 §4.1.2, of addresses of others.
_DOT_STRING = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.A)
#: RFC 6376 §3.1, and underscores, which many have.
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,98}[a-z0-9])?", re.A)
_LONGEST_NOTE = 1000
_TLS = "opportunistic"


def domain_name(text: str) -> str:
    """A domain as it is stored."""
    try:
        return parse_domain(text)
    except ValueError as wrong:
        raise Refused("invalid", str(wrong), "Write it like example.org.") from None


def selector(text: str) -> str:
    """The name of a key as it is stored."""
    name = text.strip().lower()
    if not _SELECTOR.fullmatch(name) or ".." in name:
        raise Refused(
            "invalid",
            f"{text[:80]!r} is no selector.",
            "It is what stands before ._domainkey in the name of the record.",
        )
    return name


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


def domain(found: Domain, changes: Mapping[str, Any]) -> Domain:
    """
    A domain with what is said of it, if that makes sense.

    @param changes: see L{Changes <smfd.store.directory_rows.Changes>}.
    """
    kind = changes.get("kind", found.kind)
    if kind not in KINDS:
        raise Refused("invalid", f"A domain is one of {', '.join(KINDS)}.")
    hop = _hop(kind, found, changes)
    verify = changes.get("verify", found.verify if kind == found.kind else "")
    made = evolve(
        found,
        kind=kind,
        threshold=threshold(changes.get("threshold", found.threshold)),
        allow_unauthenticated=changes.get(
            "allow_unauthenticated", found.allow_unauthenticated
        ),
        next_hop=hop,
        # C16: who has the mailboxes is asked.
        verify=verify or ("callout" if kind == "relay" else "directory"),
        catch_all=_catch_all(changes.get("catch_all", found.catch_all)),
        scan_outbound=changes.get("scan_outbound", found.scan_outbound),
    )
    _check_verify(made)
    return made


def _hop(kind: str, found: Domain, changes: Mapping[str, Any]) -> NextHop | None:
    old = found.next_hop if kind == found.kind else None
    written = changes.get("next_hop", str(old) if old else "")
    if kind == "local":
        if written or "tls" in changes:
            raise Refused(
                "invalid", "A local domain has no next hop.", "Say the kind too."
            )
        return None
    protocol = "lmtp" if kind == "lmtp" else "smtp"
    try:
        hop = parse_hop(written, changes.get("tls", old.tls if old else _TLS))
    except ValueError as wrong:
        raise Refused("invalid", str(wrong)) from None
    if hop.protocol != protocol:
        raise Refused("invalid", f"A domain of kind {kind} has a {protocol} next hop.")
    return hop


def _catch_all(text: str) -> str:
    return address(text)[0] if text else ""


def _check_verify(made: Domain) -> None:
    if made.verify not in VERIFY:
        raise Refused("invalid", f"Recipients are verified by {', '.join(VERIFY)}.")
    if made.kind == "local" and made.verify != "directory":
        raise Refused("invalid", "The mailboxes of a local domain are the directory's.")
    if made.catch_all and made.verify not in ("directory", "list"):
        raise Refused(
            "invalid",
            f"With verify {made.verify} it is not known here who does not exist,"
            " so nothing can catch the rest.",
        )


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


def targets(
    source: str, wanted: Sequence[str], most: int, is_ours: Callable[[str], bool]
) -> tuple[str, ...]:
    """
    Where an address's mail goes, each address once.

    @param most: how many there may be.
    @param is_ours: whether a domain is hosted here.
    """
    found = tuple(dict.fromkeys(_target(text, is_ours) for text in wanted))
    if not found:
        raise Refused("invalid", "Name at least one address that it leads to.")
    if len(found) > most:
        raise Refused("invalid", f"It leads to more than {most} addresses.")
    if source in found:
        raise Refused(
            "invalid",
            f"{source} would lead to itself.",
            "A forward keeps a copy with: --keep.",
        )
    return found


def _target(text: str, is_ours: Callable[[str], bool]) -> str:
    """Of others' addresses we know only what any address must be."""
    local, at, domain = text.strip().rpartition("@")
    if not at or is_ours(domain_name(domain)):
        return address(text)[0]
    if not (_DOT_STRING.fullmatch(local) and len(local) <= LOCAL_OCTETS):
        raise Refused(
            "invalid", f"{text[:80]!r} is not an address.", "Write user@example.org."
        )
    # RFC 5321 §2.4: only there upper and lower case may be one.
    return f"{local}@{domain_name(domain)}"


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
