"""
What is thought of a connection's source: names, lists, rules.

Nothing is looked up here; who looks things up brings what he found to the
L{Rules}.

Standards: RFC 5321 §4.1.3, §4.1.4, RFC 5782 §2 (lists in the DNS), RFC 7505
§4.2 (null MX).
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import Protocol

from attrs import evolve, frozen

from smfd.model.finding import Finding, Result
from smfd.policy.networks import IPAddress, Networks, address_of
from smfd.proto.address import parse_domain
from smfd.proto.reply import Malformed, Reply, reply

STAGE = "source"

#: RFC 5782 §2.1: lists answer from here; anything else is no list's answer.
_LISTS = ip_network("127.0.0.0/8")
#: Lists say from here that they do not want to be asked like this.
_NOT_ASKED = ip_network("127.255.255.0/24")

#: Any four numbers with dots, with brackets or without.
_BARE = re.compile(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")

#: Code, status and sentence for what may be refused; {} is the client.
_REFUSALS = {
    # RFC 7505 §4.2.
    "SENDER_NULL_MX": (550, "5.7.27", "The sender's domain takes no mail"),
    "SENDER_NO_DOMAIN": (550, "5.1.8", "The sender's domain takes no mail"),
}


def reversed_name(client: str, zone: str) -> str:
    """RFC 5782 §2.1 and §2.4: the name that a list knows an address by."""
    pointer = address_of(client).reverse_pointer
    return f"{pointer.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{zone}"


def listing(answers: Sequence[str], match: Networks) -> str:
    """
    The answer of a list that counts, or nothing.

    @raise ValueError: it is not the answer of a list, or it does not want to
        be asked.
    """
    for text in answers:
        address = ip_address(text)
        if address not in _LISTS or address in _NOT_ASKED:
            raise ValueError(text)
        if any(address in network for network in match):
            return text
    return ""


@frozen
class Flaw:
    """
    What is wrong with a name in HELO.

    @ivar symbol: of the finding.
    @ivar reason: one sentence.
    """

    symbol: str
    reason: str


_OURS = Flaw("HELO_OURS", "greeted us with our own name or address")
_FOREIGN = Flaw("HELO_FOREIGN_ADDRESS", "greeted with an address that is not its own")
_BARE_ADDRESS = Flaw("HELO_BARE_ADDRESS", "greeted with an address without brackets")
_UNQUALIFIED = Flaw("HELO_UNQUALIFIED", "greeted with a name that has no domain")
_INVALID = Flaw("HELO_INVALID", "greeted with something that is no name")
#: What only the DNS, or the directory, can tell.
UNKNOWN = Flaw("HELO_UNKNOWN", "greeted with a name that the DNS does not know")
HOSTED = Flaw("HELO_HOSTED", "greeted with the name of a domain that is hosted here")


def helo_flaw(
    name: str, client: str, hostname: str, ours: Sequence[IPAddress]
) -> Flaw | None:
    """
    What is wrong with a name by itself; None when the DNS may be asked.

    @param ours: our own addresses.
    """
    peer = address_of(client)
    if peer in ours:
        return None  # We ourselves may say so.
    if name.lower().rstrip(".") == hostname:
        return _OURS
    literal = _literal(name)
    if literal is not None:
        if literal in ours:
            return _OURS
        if not name.startswith("["):
            return _BARE_ADDRESS
        return None if literal == peer else _FOREIGN
    return _name_flaw(name)


def is_literal(name: str) -> bool:
    """Whether it is an address, with brackets or without."""
    return _literal(name) is not None


def _literal(name: str) -> IPAddress | None:
    text = name
    if name[:1] == "[":
        # RFC 5321 §4.1.3.
        text = re.sub(r"(?i)^\[(?:ipv6:)?|\]$", "", name)
    elif not _BARE.fullmatch(name):
        return None
    try:
        return address_of(text)
    except ValueError:
        return None


def _name_flaw(name: str) -> Flaw | None:
    try:
        parse_domain(name.rstrip("."), utf8=True)
    except Malformed:
        return _INVALID
    return None if "." in name.rstrip(".") else _UNQUALIFIED


@frozen
class Rule:
    """
    What the settings make of a test's findings.

    @ivar mode: "off", "observe" or "enforce".
    @ivar action: "score" or "refuse".
    @ivar score: what a finding is worth.
    @ivar on_error: "pass" or "defer", when there was no answer.
    """

    mode: str
    action: str = "score"
    score: float = 0.0
    on_error: str = "pass"

    @property
    def on(self) -> bool:
        """Whether the test runs."""
        return self.mode != "off"

    def weigh(self, finding: Finding) -> Finding:
        """The finding with its score; nothing yet while it is only watched."""
        if finding.result is Result.ERROR:
            return finding
        if self.mode != "enforce":
            reason = f"{finding.reason} (only watched)"
            return evolve(finding, score=0.0, reason=reason)
        return evolve(finding, score=self.score)

    def refusal(self, finding: Finding, client: str) -> Reply | None:
        """The reply that refuses for it, without an id; None to go on."""
        if self.mode != "enforce":
            return None
        if finding.result is Result.ERROR:
            if self.on_error != "defer":
                return None
            text = f"[{client}] cannot be checked now, try again later"
            return reply(451, "4.4.3", f"{text}: {finding.reason}")
        if self.action != "refuse" or finding.result is Result.PASS:
            return None
        code, status, text = _REFUSALS.get(
            finding.symbol, (550, "5.7.1", f"Client [{client}] is refused")
        )
        return reply(code, status, f"{text}: {finding.reason}")


@frozen
class Judged:
    """
    A finding, and what the settings make of it.

    @ivar finding: with its score.
    @ivar refusal: None when it refuses nothing.
    @ivar at_connect: it refuses before anything is said.
    """

    finding: Finding
    refusal: Reply | None = None
    at_connect: bool = False


def judged(finding: Finding, rule: Rule, client: str) -> Judged:
    """Weigh a finding by a rule."""
    return Judged(rule.weigh(finding), rule.refusal(finding, client))


class Judge(Protocol):
    """Who judges what was found: L{Rules}, or a L{Zone} what it said itself."""

    def judge(self, found: Iterable[Finding], client: str) -> tuple[Judged, ...]:
        """Weigh each finding; without those of tests that are off."""


@frozen
class Zone:
    """
    A list in the DNS, and what the settings make of it.

    @ivar match: the answers that count.
    @ivar at_connect: it refuses before anything is said.
    """

    name: str
    match: Networks
    allow: bool
    at_connect: bool
    rule: Rule

    def judge(self, found: Iterable[Finding], client: str) -> tuple[Judged, ...]:
        """Weigh what it says, be that for or against a client."""
        return tuple(
            evolve(judged(finding, self.rule, client), at_connect=self.at_connect)
            for finding in found
        )


@frozen
class Rules:
    """What the settings make of each test; what is off is not asked."""

    reverse_dns: Rule
    forged: Rule
    hello: Rule
    null_mx: Rule
    sender_domain: Rule
    zones: tuple[Zone, ...] = ()

    @property
    def any_hello(self) -> bool:
        """Whether the name in HELO is looked at."""
        return self.forged.on or self.hello.on

    @property
    def any_sender(self) -> bool:
        """Whether the sender's domain is looked at."""
        return self.null_mx.on or self.sender_domain.on

    @property
    def at_connect(self) -> bool:
        """Whether some list may refuse before anything is said."""
        return any(zone.at_connect for zone in self.zones)

    def judge(self, found: Iterable[Finding], client: str) -> tuple[Judged, ...]:
        """Weigh what is wrong; what is as it should be has no weight."""
        return tuple(
            Judged(finding)
            if finding.result is Result.PASS
            else judged(finding, rule, client)
            for finding in found
            if (rule := self._of(finding.symbol)).on
        )

    def _of(self, symbol: str) -> Rule:
        """The rule of a finding."""
        if symbol == "HELO_OURS":
            return self.forged
        if symbol == "SENDER_NULL_MX":
            return self.null_mx
        if symbol.startswith("HELO_"):
            return self.hello
        return self.sender_domain if symbol.startswith("SENDER_") else self.reverse_dns


def refusals(found: Iterable[Judged]) -> Sequence[Judged]:
    """Those that refuse; what is known stands before what is not."""
    refusing = [j for j in found if j.refusal is not None]
    return sorted(refusing, key=lambda j: j.finding.result is Result.ERROR)
