"""
Ask the sender's domain whether the client may send for it.

pyspf judges, and never looks anything up: it runs on the answers there are,
says which one it lacks, and runs again when that has come.

Standards: RFC 7208.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import spf
from attrs import field, frozen
from twisted.internet.defer import Deferred, gatherResults
from zope.interface import implementer

from smfd.format.authres import evidence
from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.net.dns import Budget, DNSTrouble, Lookup

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

Key = tuple[str, str]


class Need(Exception):
    """The evaluation lacks answers; L{Evaluation.lacking} has them."""


class Evaluation(spf.query):  # type: ignore[misc]
    """
    One run of pyspf over the answers known so far.

    @ivar lacking: what must be looked up before it can run to its end.
    @ivar explained: the domain has an explanation that was not looked at.
    """

    def __init__(
        self,
        client: str,
        sender: str,
        helo: str,
        known: Mapping[Key, Sequence[Any] | None],
        receiver: str = "unknown",
        explain: bool = False,
    ) -> None:
        super().__init__(client, sender, helo, receiver=receiver)
        self.lacking: list[Key] = []
        self.explained = False
        self._known = known
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
        lacking = [key for key in keys if key not in self._known]
        if lacking:
            self.lacking += lacking
            raise Need
        return [self._known[key] for key in keys]

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
    """

    name: ClassVar[str] = "spf"

    resolver: Lookup
    scores: Mapping[str, float] = field(factory=dict)
    lookups: int = 60
    receiver: str = "unknown"

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Evaluate; one finding."""
        return Deferred.fromCoroutine(self._scan(transaction))

    async def _scan(self, transaction: Transaction) -> Sequence[Finding]:
        client, helo = transaction.session.client, transaction.session.helo
        sender = transaction.envelope.sender
        text = "" if sender is None else f"{sender.local}@{sender.domain}"
        result, explanation = await self.evaluate(client, text, helo)
        domain = helo if sender is None else sender.domain
        identity = "helo" if sender is None else "mailfrom"
        outcome, reason = _MEANING[result]
        symbol = f"SPF_{result.upper()}"
        seen = evidence(
            explanation, d=domain.lower(), client=client, **{identity: domain}
        )
        return (
            Finding(
                "spf",
                symbol,
                outcome,
                self.scores.get(symbol, 0.0),
                reason.format(client=client, domain=_shown(domain)),
                seen,
            ),
        )

    async def evaluate(self, client: str, sender: str, helo: str) -> tuple[str, str]:
        """
        RFC 7208 §4: check_host().

        @return: the result in lower case, and for "fail" the explanation of
            the domain, or the description of an error.
        """
        budget = Budget(self.resolver, self.lookups)
        known: dict[Key, Sequence[Any] | None] = {}
        explain = False
        while True:
            run = Evaluation(client, sender, helo, known, self.receiver, explain)
            result, text = _judge(run)
            if run.lacking:
                await _learn(budget, known, run.lacking)
            elif result == "fail" and run.explained and not explain:
                explain = True
            else:
                return result, text


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


async def _learn(
    budget: Budget, known: dict[Key, Sequence[Any] | None], keys: Sequence[Key]
) -> None:
    """Look up all that is lacking, at once; None is no answer."""
    asked = [_answer(budget, known, key) for key in dict.fromkeys(keys)]
    await gatherResults(asked, consumeErrors=True)


def _answer(
    budget: Budget, known: dict[Key, Sequence[Any] | None], key: Key
) -> Deferred[None]:
    def answered(answer: Any) -> None:
        records = answer.records
        # pyspf joins the strings of a TXT record itself.
        known[key] = [(r,) for r in records] if key[1] == "TXT" else list(records)

    def troubled(failure: Any) -> None:
        failure.trap(DNSTrouble)
        known[key] = None

    return budget.lookup(*key).addCallbacks(answered, troubled)
