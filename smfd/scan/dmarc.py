"""
Compare the author's domain with those that SPF and DKIM proved, and ask it
what to do when none is its own.

Standards: RFC 7489.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import field, frozen
from publicsuffixlist import PublicSuffixList
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from smfd.format.authres import evidence, tags
from smfd.format.mailbox import domain
from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.net.conclusions import Conclusions
from smfd.net.dns import Budget, DNSTrouble, Lookup
from smfd.policy.dmarc_record import record

#: One step down, for a domain that is testing.
_MILDER = {"reject": "quarantine", "quarantine": "none", "none": "none"}


@frozen
class Policy:
    """
    What a domain asks for.

    @ivar request: "none", "quarantine" or "reject".
    @ivar spf, dkim: its alignment is "s"trict or "r"elaxed.
    """

    request: str
    spf: str = "r"
    dkim: str = "r"


@frozen
class Author:
    """
    What is known of the author's domain.

    @ivar organization: the domain it belongs to.
    @ivar policy: what it asks for; None when it does not say.
    @ivar trouble: it could not be asked.
    """

    domain: str
    organization: str
    policy: Policy | None = None
    trouble: bool = False

    def strict(self, method: str) -> bool:
        """Whether nothing but the very same domain proves it."""
        if self.policy is None:
            # Not knowing whether it is strict, strict is safe.
            return self.trouble
        return (self.policy.spf if method == "spf" else self.policy.dkim) == "s"


@frozen
class Proved:
    """A domain that one method proved, or could not ask about."""

    method: str
    domain: str
    trouble: bool = False


@implementer(IStage)
@frozen
class DMARCStage:
    """
    Reports DMARC_PASS, DMARC_FAIL_REJECT, DMARC_FAIL_QUARANTINE,
    DMARC_FAIL_NONE, DMARC_FAIL_SEALED, DMARC_NONE or DMARC_TEMPERROR, and beside it
    AUTHENTICATED when the author is who he says, asked for or not.

    Runs behind SPF, DKIM and ARC, on their findings.

    @ivar suffixes: the public suffix list.
    @ivar scores: by symbol; 0 for those not named.
    @ivar past: what is known of which domain.
    """

    name: ClassVar[str] = "dmarc"

    resolver: Lookup
    suffixes: PublicSuffixList
    scores: Mapping[str, float] = field(factory=dict)
    past: Conclusions[str, Author] = field(factory=Conclusions)

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Judge the author's domain."""
        address = transaction.header.author
        if address is None:
            # RFC 7489 §6.6.1: no single author is no pass, ever.
            why = "the From field does not name one author"
            return succeed((self._finding("DMARC_NONE", Result.SUSPECT, why, ""),))
        name = domain(address)
        known = self.past.get(name)
        if known is not None:
            return succeed(self._judge(known, transaction.findings))
        d = Deferred.fromCoroutine(self._ask(name))
        return d.addCallback(self._judge, transaction.findings)

    async def _ask(self, name: str) -> Author:
        """RFC 7489 §6.6.3: the domain's record, or its organization's."""
        budget = Budget(self.resolver, 2)
        organization = self.organization(name)
        try:
            policy = await _policy(budget, name, organization)
        except DNSTrouble:
            return Author(name, organization, trouble=True)
        asked = Author(name, organization, policy)
        self.past.put(name, asked, budget.until)
        return asked

    def _judge(self, known: Author, findings: Sequence[Finding]) -> Sequence[Finding]:
        proved = _proved(findings)
        passed = self._authenticated(known, proved)
        name = known.domain
        if known.trouble:
            why = f"{name} could not be asked what it wants"
            return self._finding("DMARC_TEMPERROR", Result.ERROR, why, name), *passed
        if known.policy is None:
            why = f"{name} does not say what it wants"
            return self._finding("DMARC_NONE", Result.PASS, why, name), *passed
        if passed:
            why = f"the author's domain {name} is proved"
            return self._finding("DMARC_PASS", Result.PASS, why, name), *passed
        failed = self._failed(known, known.policy.request, proved)
        sealer = _vouched(findings)
        if sealer and failed.result is Result.FAIL:
            # RFC 7489 §6.7: what we know better than the domain.
            why = f"it no longer comes from {name}, but did where {sealer} found it"
            failed = self._finding("DMARC_FAIL_SEALED", Result.SUSPECT, why, name)
        return (failed,)

    def _failed(self, known: Author, request: str, proved: Sequence[Proved]) -> Finding:
        name = known.domain
        if any(p.trouble and self._aligned(known, p) for p in proved):
            # What would have passed, had the DNS answered, has not failed.
            why = f"whether it comes from {name} could not be asked"
            return self._finding("DMARC_TEMPERROR", Result.ERROR, why, name)
        why = f"it does not come from {name}, which asks for {request}"
        symbol = f"DMARC_FAIL_{request.upper()}"
        return self._finding(symbol, Result.FAIL, why, name)

    def _authenticated(
        self, known: Author, proved: Sequence[Proved]
    ) -> tuple[Finding, ...]:
        """AUTHENTICATED, when some method proved the author's own domain."""
        name = known.domain
        for p in proved:
            if not p.trouble and self._aligned(known, p):
                why = f"the author's domain {name} is proved by {p.method.upper()}"
                seen = evidence(d=name, by=p.method)
                score = self.scores.get("AUTHENTICATED", 0.0)
                return (
                    Finding("dmarc", "AUTHENTICATED", Result.PASS, score, why, seen),
                )
        return ()

    def _aligned(self, known: Author, proved: Proved) -> bool:
        """RFC 7489 §3.1: the same domain, or the same organization."""
        if proved.domain == known.domain:
            return True
        return (
            not known.strict(proved.method)
            and self.organization(proved.domain) == known.organization
        )

    def organization(self, name: str) -> str:
        """RFC 7489 §3.2: the domain below the public suffix; itself if none."""
        found: str | None = self.suffixes.privatesuffix(name)
        return found or name

    def _finding(self, symbol: str, result: Result, why: str, name: str) -> Finding:
        score = self.scores.get(symbol, 0.0)
        return Finding("dmarc", symbol, result, score, why, evidence(d=name))


def _vouched(findings: Sequence[Finding]) -> str:
    """Whom we trust, and who found it good before he changed it; or ""."""
    for finding in findings:
        if finding.symbol == "ARC_PASS":
            seen = tags(finding.evidence)
            return seen.get("d", "") if seen.get("vouches") == "dmarc" else ""
    return ""


def _proved(findings: Sequence[Finding]) -> list[Proved]:
    """What the stages before say of which domain, DKIM first."""
    found = []
    for finding in findings:
        method, _, result = finding.symbol.partition("_")
        if method not in {"SPF", "DKIM"} or result not in {"PASS", "TEMPERROR"}:
            continue
        seen = tags(finding.evidence)
        # RFC 7489 §3.1.1: a signature that leaves the body open does not count.
        if seen.get("d") and "partial" not in seen:
            trouble = result == "TEMPERROR"
            found.append(Proved(method.lower(), seen["d"].lower(), trouble))
    return sorted(found, key=lambda p: p.method)


async def _policy(budget: Budget, name: str, organization: str) -> Policy | None:
    own = await _record(budget, name)
    if own is not None or organization == name:
        return None if own is None else policy_of(own, "p")
    other = await _record(budget, organization)
    return None if other is None else policy_of(other, "sp")


async def _record(budget: Budget, name: str) -> dict[str, str] | None:
    """The one DMARC record of a domain, or None (RFC 7489 §6.6.3)."""
    key = (f"_dmarc.{name}", "TXT")
    await budget.learn(budget.lacking([key]))
    answer = budget.answer(key)
    if answer is None:
        raise DNSTrouble(name)
    texts = [r.decode("ascii", "replace")[:2048] for r in answer.records]
    records = [r for t in texts if (r := record(t)) is not None]
    # RFC 7489 §6.6.3, step 5: several are none.
    return records[0] if len(records) == 1 else None


def policy_of(found: Mapping[str, str], tag: str) -> Policy | None:
    """
    The policy of a record, for its own domain ("p") or for those below ("sp").

    @return: None for a record that asks for nothing one could understand.
    """
    request = found.get(tag, found.get("p", ""))
    if request not in _MILDER:
        # RFC 7489 §6.6.3, step 6: with somebody to report to it is "none".
        if "rua" not in found:
            return None
        request = "none"
    if found.get("pct") == "0" or found.get("t") == "y":
        request = _MILDER[request]
    return Policy(request, _mode(found.get("aspf")), _mode(found.get("adkim")))


def _mode(value: str | None) -> str:
    return "s" if value == "s" else "r"
