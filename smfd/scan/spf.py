"""
Ask the sender's domain whether the client may send for it.

pyspf judges, and never looks anything up: it runs on the answers there are,
says which one it lacks, and runs again when that has come.  What it concluded
is used again for as long as every answer it saw is good.

Standards: RFC 7208.
"""

import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import spf
from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from smfd.format.authres import evidence
from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.net.conclusions import Conclusions
from smfd.net.dns import Budget, Key, Lookup

#: What each result means, and the sentence for it.
_MEANING = {
    "pass": (Result.PASS, "{client} may send for {domain}"),
    "fail": (Result.FAIL, "{domain} says that {client} may not send for it"),
    "softfail": (Result.SUSPECT, "{domain} says that {client} should not send for it"),
    "neutral": (Result.PASS, "{domain} does not say whether {client} may send"),
    "none": (Result.PASS, "{domain} does not say who may send for it"),
    "permerror": (Result.SUSPECT, "{domain} says who may send in a way that is wrong"),
    "temperror": (Result.ERROR, "{domain} could not be asked who may send for it"),
}

#: RFC 7208 §7.2: macros that say more than the client and the domain do.
_PERSONAL = re.compile(rb"%\{[^diopv]", re.IGNORECASE)

#: What a conclusion is about: the client, the identity and its domain.
About = tuple[str, str, str]


class Need(Exception):
    """The evaluation lacks answers; L{Evaluation.lacking} has them."""


class Evaluation(spf.query):  # type: ignore[misc]
    """
    One run of pyspf over the answers known so far.

    @ivar lacking: what must be looked up before it can run to its end.
    @ivar explained: the domain has an explanation that was not looked at.
    @ivar personal: somebody else of the domain may get another result.
    """

    def __init__(
        self,
        client: str,
        sender: str,
        helo: str,
        budget: Budget,
        receiver: str = "unknown",
        explain: bool = False,
    ) -> None:
        super().__init__(client, sender, helo, receiver=receiver)
        self.lacking: list[Key] = []
        self.explained = False
        self.personal = False
        self._budget = budget
        self._explain = explain
        self._bits = 128 if self.v == "ip6" else 32
        self._number = int(self.ipaddr)

    def dns(
        self, name: str, qtype: str, cnames: Any = None, ignore_void: bool = False
    ) -> Sequence[Any]:
        """The records, from what is known; pyspf calls this for all it asks."""
        name = str(name).lower().removesuffix(".")
        if not all(0 < len(label) < 64 for label in name.split(".")):
            return []
        (records,) = self._have([(name, qtype)])
        if records is None:
            raise spf.TempError("DNS: no answer")
        # RFC 7208 §4.6.4: at most two look-ups that find nothing.
        if not records and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("more than two void look-ups")
        return records

    def _have(self, keys: Sequence[Key]) -> list[Sequence[Any] | None]:
        """What is known for these, or a note of all that are not."""
        lacking = self._budget.lacking(keys)
        if lacking:
            self.lacking += lacking
            raise Need
        return [self._records(key) for key in keys]

    def _records(self, key: Key) -> Sequence[Any] | None:
        answer = self._budget.answer(key)
        if answer is None:
            return None
        if key[1] != "TXT":
            return list(answer.records)
        self.personal = self.personal or any(map(_PERSONAL.search, answer.records))
        # pyspf joins the strings of a TXT record itself.
        return [(record,) for record in answer.records]

    def dns_mx(self, domainname: str) -> list[str]:
        """The addresses of the MX hosts; all are asked for at once."""
        hosts = sorted(self.dns(domainname, "MX"))
        # RFC 7208 §4.6.4: more than ten is an error.
        if len(hosts) > spf.MAX_MX:
            raise spf.PermError("more than ten MX hosts")
        self._together(host for _, host in hosts)
        return [a for _, host in hosts for a in self.dns_a(host, self.A)]

    def validated_ptrs(self) -> list[str]:
        """The client's names that lead back to it (RFC 7208 §5.5)."""
        names = list(self.dns_ptr(self.i))[: spf.MAX_PTR]
        self._together(names)
        return [n for n in names if self.cidrmatch(self._addresses(n), self.cidrmax)]

    def _addresses(self, name: str) -> Sequence[str]:
        try:
            return self.dns_a(name, self.A)  # type: ignore[no-any-return]
        except spf.TempError:
            # RFC 7208 §5.5: a name that cannot be looked up is skipped.
            return []

    def _together(self, hosts: Any) -> None:
        names = (host.lower().removesuffix(".") for host in hosts)
        self._have([(name, self.A) for name in names if name])

    def get_explanation(self, spec: str) -> str | None:
        """RFC 7208 §6.2, and only for a domain that says "fail"."""
        self.explained = True
        if not self._explain:
            return None
        return super().get_explanation(spec)  # type: ignore[no-any-return]

    def cidrmatch(self, ipaddrs: Sequence[str], n: int) -> bool:
        """Whether the client is in one of the networks with that prefix."""
        family = socket.AF_INET6 if self._bits == 128 else socket.AF_INET
        shift = self._bits - n
        try:
            return any(
                int.from_bytes(socket.inet_pton(family, a), "big") >> shift
                == self._number >> shift
                for a in ipaddrs
            )
        except (OSError, ValueError) as e:
            raise spf.PermError(f"invalid address: {e}") from e


@implementer(IStage)
@frozen
class SPFStage:
    """
    Reports SPF_PASS, SPF_FAIL and so on for MAIL FROM; for HELO when that is
    the null path (RFC 7208 §2.4).

    @ivar scores: by symbol; 0 for those not named.
    @ivar lookups: the most one message may cause.
    @ivar receiver: our own name, for explanations.
    @ivar past: what was found of whom.
    """

    name: ClassVar[str] = "spf"

    resolver: Lookup
    scores: Mapping[str, float] = field(factory=dict)
    lookups: int = 60
    receiver: str = "unknown"
    past: Conclusions[About, Finding] = field(factory=Conclusions)

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """
        Evaluate; one finding.

        None of what a host of our own hands over: it came to him from
        elsewhere, and he need not be a server of the sender's.
        """
        if transaction.session.lmtp:
            return succeed(())
        helo, sender = transaction.session.helo, transaction.envelope.sender
        identity = "helo" if sender is None else "mailfrom"
        domain = helo if sender is None else sender.domain
        about = transaction.session.client, identity, domain
        found = self.past.get(about)
        if found is not None:
            return succeed((found,))
        text = "" if sender is None else f"{sender.local}@{sender.domain}"
        return Deferred.fromCoroutine(self._scan(about, text, helo))

    async def check_host(self, client: str, sender: str, helo: str) -> str:
        """What comes out for somebody, in lower case, as RFC 7208 §2.6 calls it."""
        budget = Budget(self.resolver, self.lookups)
        _, result, _ = await self._evaluate(budget, client, sender, helo)
        return result

    async def _scan(self, about: About, sender: str, helo: str) -> Sequence[Finding]:
        budget = Budget(self.resolver, self.lookups)
        run, result, explanation = await self._evaluate(budget, about[0], sender, helo)
        finding = self._finding(about, result, explanation)
        if not run.personal:
            self.past.put(about, finding, budget.until)
        return (finding,)

    def _finding(self, about: About, result: str, explanation: str) -> Finding:
        client, identity, domain = about
        outcome, reason = _MEANING[result]
        symbol = f"SPF_{result.upper()}"
        return Finding(
            "spf",
            symbol,
            outcome,
            self.scores.get(symbol, 0.0),
            reason.format(client=client, domain=_shown(domain)),
            evidence(
                explanation, d=domain.lower(), client=client, **{identity: domain}
            ),
        )

    async def _evaluate(
        self, budget: Budget, client: str, sender: str, helo: str
    ) -> tuple[Evaluation, str, str]:
        """
        RFC 7208 §4: check_host().

        @return: the last run, the result in lower case, and for "fail" the
            explanation of the domain, or the description of an error.
        """
        explain = False
        while True:
            run = Evaluation(client, sender, helo, budget, self.receiver, explain)
            result, text = _judge(run)
            if run.lacking:
                await budget.learn(run.lacking)
            elif result == "fail" and run.explained and not explain:
                explain = True
            else:
                return run, result, text


def _shown(domain: str) -> str:
    """A domain as people may see it: a HELO name can be anything."""
    return domain[:255] if domain and domain.isprintable() else "nobody"


def _judge(run: Evaluation) -> tuple[str, str]:
    try:
        result, _, text = run.check()
    except Need:
        return "", ""
    if result == "fail":
        return result, text if run.explained else ""
    return result, text if result.endswith("error") else ""
