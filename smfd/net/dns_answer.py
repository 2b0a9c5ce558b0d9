"""
What the DNS says, in plain values.

Standards: RFC 1035 §3.3, RFC 2308 (nothing there is an answer too).
"""

from collections.abc import Iterable
from math import inf
from typing import Any, Protocol

import dns.name
import dns.rdatatype
import dns.resolver
import idna
from attrs import field, frozen
from dns.exception import DNSException
from twisted.internet.defer import Deferred

from smfd.model.hop import TLSA


class DNSTrouble(Exception):
    """No answer, for now: a time-out, SERVFAIL, a lame or broken server."""


@frozen
class Answer:
    """
    The answer to one look-up.

    @ivar status: "ok", "nodata" (the name is there, the type is not) or
        "nxdomain".
    @ivar records: TXT: bytes, the strings of a record joined; MX: pairs
        (preference, host); TLSA: L{TLSA <smfd.model.hop.TLSA>}; else text.
        Names have no dot at their end, except the root, which is ".".
    @ivar ttl: seconds it may be kept.
    @ivar secure: a validating resolver on this machine vouches for it.
    @ivar until: when it is no longer good, by the reactor's clock; 0 when
        nobody knows.
    @ivar owner: the name that has the records, where the one that was asked
        for is another name for it (CNAME); else "".
    """

    status: str
    records: tuple[Any, ...] = ()
    ttl: int = 0
    secure: bool = False
    until: float = field(default=0.0, eq=False)
    owner: str = field(default="", eq=False)


#: What is asked: a name and a type.
Key = tuple[str, str]

#: A record given in the settings: name, type, value.
Static = tuple[str, str, Any]

#: A name that cannot be in the DNS.
IMPOSSIBLE = Answer("nxdomain", ttl=3600)


class Lookup(Protocol):
    """Whoever answers look-ups."""

    def known(self, name: str, rdtype: str) -> Answer | None:
        """
        The answer that needs no question; None when one must be asked.

        @raise DNSTrouble: it was asked a moment ago, without an answer.
        """

    def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
        """Ask; fails with L{DNSTrouble} when there is no answer for now."""


def question(name: str) -> dns.name.Name | None:
    """
    The DNS name for some text; None when it cannot be one.

    A backslash is a letter here, not an escape: names come from strangers.
    """
    try:
        if not name.isascii():
            name = idna.encode(name, uts46=True).decode("ascii")
        labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
        return dns.name.Name([*labels, b""] if labels != [b""] else [b""])
    except (DNSException, idna.IDNAError, UnicodeError):
        return None


def plain(found: dns.resolver.Answer, secure: bool) -> Answer:
    """The answer that dnspython read, in our own terms."""
    ttl = found.chaining_result.minimum_ttl
    asked = _host(found.qname)
    owner = _host(found.canonical_name)
    owner = "" if owner == asked else owner
    if found.rrset is None:
        return Answer("nodata", ttl=ttl, secure=secure, owner=owner)
    records = tuple(_value(rdata) for rdata in found.rrset)
    return Answer("ok", records, ttl, secure, owner=owner)


class Records:
    """Records given in the settings; a name that has any has no others."""

    def __init__(self, records: Iterable[Static]) -> None:
        self._names: set[str] = set()
        self._records: dict[Key, list[Any]] = {}
        for name, rdtype, value in records:
            name = name.lower().rstrip(".")
            self._names.add(name)
            self._records.setdefault((name, rdtype), []).append(given(rdtype, value))

    def get(self, key: Key) -> Answer | None:
        """The answer for (name, type), or None when it must be asked for."""
        if key[0] not in self._names:
            return None
        records = self._records.get(key)
        if records is None:
            return Answer("nodata", ttl=3600, until=inf)
        return Answer("ok", tuple(records), 3600, until=inf)


def given(rdtype: str, value: Any) -> Any:
    """
    A value of the settings as L{Answer} holds it.

    @raise ValueError: an MX that is not C{"10 mx.example"}, a TLSA record that is
        not C{"3 1 1 00ff..."}.
    """
    if rdtype == "TXT":
        return value.encode() if isinstance(value, str) else value
    if rdtype == "MX" and isinstance(value, str):
        preference, host = value.split()
        return int(preference), host.lower().rstrip(".") or "."
    if rdtype == "TLSA" and isinstance(value, str):
        usage, selector, matching, *octets = value.split()
        numbers = int(usage), int(selector), int(matching)
        return TLSA(*numbers, bytes.fromhex("".join(octets)))
    return value


def _value(rdata: Any) -> Any:
    if rdata.rdtype == dns.rdatatype.TXT:
        # RFC 7208 §3.3, RFC 6376 §3.6.2.2: joined without spaces.
        return b"".join(rdata.strings)
    if rdata.rdtype == dns.rdatatype.MX:
        return rdata.preference, _host(rdata.exchange)
    if rdata.rdtype == dns.rdatatype.TLSA:
        return TLSA(rdata.usage, rdata.selector, rdata.mtype, rdata.cert)
    if rdata.rdtype in (
        dns.rdatatype.PTR,
        dns.rdatatype.CNAME,
        dns.rdatatype.NS,
    ):
        return _host(rdata.target)
    return rdata.to_text()


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
