"""
Our own people do not come in by the front door.

A hosted sender on the inbound path is a forgery unless it proves itself (S13,
C10): our users submit their mail, it does not arrive from outside.  What a host of
ours hands over came to it from somewhere: it proves itself by DKIM, unless
the settings say that the host lets nobody else use those names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults, succeed
from zope.interface import implementer

from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.net.fired import at_hand
from smfd.policy.standing import is_authenticated


@implementer(IStage)
@frozen
class IdentityStage:
    """
    Suspects a message that claims to be written or sent by one of us.

    @ivar is_hosted: whether a domain is hosted here.
    @ivar score: what the claim is worth when it is not proved; enough to
        quarantine.
    @ivar vouched: whether hosts of ours that hand over mail answer for it.
    """

    name: ClassVar[str] = "identity"

    is_hosted: Callable[[str], Deferred[bool]]
    score: float = 10.0
    vouched: bool = False

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Compare both senders with the domains that are hosted here."""
        claims = _claims(transaction)
        if not claims:
            return succeed(())
        domains = list(dict.fromkeys(claims.values()))
        asked = [self.is_hosted(domain) for domain in domains]
        told = [known[0] for d in asked if (known := at_hand(d)) is not None]
        if len(told) == len(asked):
            return succeed(self._report(told, transaction, claims, domains))
        return gatherResults(asked, consumeErrors=True).addCallback(
            self._report, transaction, claims, domains
        )

    def _report(
        self,
        answers: Sequence[bool],
        transaction: Transaction,
        claims: Mapping[str, str],
        domains: Sequence[str],
    ) -> Sequence[Finding]:
        hosted = {d for d, ours in zip(domains, answers, strict=True) if ours}
        for identity, domain in claims.items():
            if domain in hosted:
                return (self._judge(transaction, identity, domain),)
        return ()

    def _judge(self, transaction: Transaction, identity: str, domain: str) -> Finding:
        evidence = f"d={domain} identity={identity}"
        if self.vouched and transaction.session.lmtp:
            return Finding(
                "identity",
                "HOSTED_SENDER_VOUCHED",
                Result.PASS,
                0.0,
                f"a sender of {domain}, hosted here, for whom a host of ours answers",
                evidence,
            )
        if is_authenticated(transaction.findings, identity):
            return Finding(
                "identity",
                "HOSTED_SENDER_PROVED",
                Result.PASS,
                0.0,
                f"a sender of {domain}, hosted here, proved itself",
                evidence,
            )
        return Finding(
            "identity",
            "HOSTED_SENDER",
            Result.FAIL,
            self.score,
            f"claims to come from {domain}, which is hosted here, but arrived"
            " from outside and proved nothing",
            evidence,
        )


def _claims(transaction: Transaction) -> dict[str, str]:
    """The domains of the header's author and of the envelope's sender."""
    claims = {}
    written = transaction.header.author
    if written:
        claims["header"] = written.rpartition("@")[2].lower()
    if transaction.envelope.sender is not None:
        claims["envelope"] = transaction.envelope.sender.domain
    return claims
