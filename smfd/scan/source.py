"""
What the DNS says of a connection's source.

Each look fires with findings and never fails: when there is no answer, that is
the finding.

Standards: RFC 1912 §2.1 (names and addresses agree), RFC 5321 §4.1.4 and §5.1,
RFC 5782 §2, RFC 7505 §3.
"""

import re
from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from smfd.model.finding import Finding, Result
from smfd.net.dns_answer import Answer, DNSTrouble, Lookup
from smfd.policy.networks import IPAddress, address_of
from smfd.policy.source import (
    HOSTED,
    STAGE,
    UNKNOWN,
    Flaw,
    Zone,
    helo_flaw,
    is_literal,
    listing,
    reversed_name,
)

#: What a symbol does not hold.
_ODD = re.compile("[^A-Za-z0-9]")

#: Names of one address that are looked at; more are there to keep us busy.
NAMES = 5


@frozen
class Looks:
    """
    Asks the DNS, and says what it found; each look a finding, or nothing.

    @ivar hostname: what we call ourselves.
    @ivar ours: our addresses, as far as they are known without asking.
    @ivar is_hosted: whether a domain is hosted here.
    """

    resolver: Lookup
    clock: IReactorTime
    hostname: str
    ours: tuple[IPAddress, ...]
    is_hosted: Callable[[str], Deferred[bool]]

    async def address(self, client: str) -> tuple[Finding, ...]:
        """RFC 1912 §2.1: does the address have a name that has the address?"""
        begun = self.clock.seconds()
        try:
            finding = await self._reverse(client)
        except (DNSTrouble, CancelledError) as trouble:
            finding = _trouble("RDNS_ERROR", "its reverse DNS", trouble)
        return (self._timed(finding, begun),)

    async def _reverse(self, client: str) -> Finding:
        address = address_of(client)
        found = await self.resolver.lookup(address.reverse_pointer, "PTR")
        kind = "A" if address.version == 4 else "AAAA"
        for name in found.records[:NAMES]:
            answer = await self.resolver.lookup(name, kind)
            if any(address_of(text) == address for text in answer.records):
                return Finding(
                    STAGE, "RDNS_PASS", Result.PASS, 0.0, "its name is its own", name
                )
        if not found.records:
            return _found("RDNS_NONE", "its address has no name", client)
        names = " ".join(found.records[:NAMES])
        return _found(
            "RDNS_UNCONFIRMED", "the name of its address has other addresses", names
        )

    async def lists(self, zone: Zone, client: str) -> tuple[Finding, ...]:
        """RFC 5782 §2.1: is the address on this list?"""
        begun = self.clock.seconds()
        name = reversed_name(client, zone.name)
        try:
            answer = await self.resolver.lookup(name, "A")
            which = listing(answer.records, zone.match)
        except ValueError as odd:
            why = DNSTrouble(f"it answered {str(odd)[:80]}")
            finding = _trouble("LIST_ERROR", zone.name, why)
        except (DNSTrouble, CancelledError) as trouble:
            finding = _trouble("LIST_ERROR", zone.name, trouble)
        else:
            if not which:
                return ()
            finding = _listed(zone, client, which)
        return (self._timed(finding, begun),)

    async def hello(
        self, name: str, client: str, known: bool = True
    ) -> tuple[Finding, ...]:
        """
        Is the name in HELO a name, its own, and known?

        @param known: else nobody is asked whether it is.
        """
        begun, ours = self.clock.seconds(), self.ours
        if is_literal(name):
            ours = (*ours, *await self._our_addresses())
        flaw = helo_flaw(name, client, self.hostname, ours)
        if flaw is not None:
            finding: Finding | None = _flawed(flaw, name)
        elif known and not is_literal(name):
            finding = await self._unknown(name)
        else:
            finding = None
        return () if finding is None else (self._timed(finding, begun),)

    async def _unknown(self, name: str) -> Finding | None:
        name = name.rstrip(".").lower()
        try:
            if await self.is_hosted(name):
                return _flawed(HOSTED, name)
            known = await self._any(name, "A", "AAAA", "MX")
        except (DNSTrouble, CancelledError) as trouble:
            return _trouble("HELO_ERROR", "its name in HELO", trouble)
        return None if known else _flawed(UNKNOWN, name)

    async def sender(self, domain: str) -> tuple[Finding, ...]:
        """RFC 5321 §5.1: could an answer reach the sender's domain?"""
        if domain[:1] == "[":
            return ()
        begun = self.clock.seconds()
        try:
            found = await self.resolver.lookup(domain, "MX")
            if _is_null(found):
                finding = _found(
                    "SENDER_NULL_MX", f"{domain} says that it takes no mail", domain
                )
            elif found.records or await self._any(domain, "A", "AAAA"):
                return ()
            else:
                finding = _found(
                    "SENDER_NO_DOMAIN", f"{domain} has neither MX nor address", domain
                )
        except (DNSTrouble, CancelledError) as trouble:
            finding = _trouble("SENDER_ERROR", "the sender's domain", trouble)
        return (self._timed(finding, begun),)

    async def _any(self, name: str, *types: str) -> bool:
        """
        Whether a name has any of these.

        One that could not be told is no answer only when no other is there.
        """
        trouble: DNSTrouble | None = None
        for rdtype in types:
            try:
                answer = await self.resolver.lookup(name, rdtype)
            except DNSTrouble as why:
                trouble = why
                continue
            if answer.records:
                return True
            if answer.status == "nxdomain":
                return False
        if trouble is not None:
            raise trouble
        return False

    async def _our_addresses(self) -> tuple[IPAddress, ...]:
        found: list[IPAddress] = []
        for rdtype in ("A", "AAAA"):
            try:
                answer = await self.resolver.lookup(self.hostname, rdtype)
            except DNSTrouble:
                continue
            found += [address_of(text) for text in answer.records]
        return tuple(found)

    def _timed(self, finding: Finding, begun: float) -> Finding:
        ms = max(0.0, self.clock.seconds() - begun) * 1000
        return finding.timed(round(ms, 2))


def _is_null(answer: Answer) -> bool:
    """RFC 7505 §3: one MX, and that is the root."""
    return [host for _, host in answer.records] == ["."]


def _listed(zone: Zone, client: str, which: str) -> Finding:
    evidence = f"{reversed_name(client, zone.name)} A {which}"
    symbol = "LIST_" + _ODD.sub("_", zone.name).upper()
    if zone.allow:
        reason = f"{zone.name} lists {client} as good"
        return Finding(STAGE, symbol, Result.PASS, 0.0, reason, evidence)
    return _found(symbol, f"{zone.name} lists {client}", evidence)


def _found(symbol: str, reason: str, evidence: str) -> Finding:
    return Finding(STAGE, symbol, Result.FAIL, 0.0, reason, evidence[:300])


def _flawed(flaw: Flaw, name: str) -> Finding:
    return Finding(
        STAGE, flaw.symbol, Result.FAIL, 0.0, flaw.reason, f"helo={name[:200]}"
    )


def _trouble(symbol: str, what: str, why: Exception) -> Finding:
    reason = f"{what} could not be looked up"
    evidence = str(why)[:200] or "it took too long"
    return Finding(STAGE, symbol, Result.ERROR, None, reason, evidence)
