"""
Look the keys up, and have a worker check the DKIM signatures.

Standards: RFC 6376 §6.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from smfd.content.signatures import TEMPERROR, names
from smfd.format.authres import evidence
from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.net.dns import Budget, Key, Lookup
from smfd.scan.pool import Pool

#: The longest key record a worker is sent, in octets.
LONGEST_KEY = 8192

_MEANING = {
    "pass": Result.PASS,
    "fail": Result.SUSPECT,
    "neutral": Result.PASS,
    "none": Result.PASS,
    "temperror": Result.ERROR,
    "permerror": Result.SUSPECT,
}


@implementer(IStage)
@frozen
class DKIMStage:
    """
    Reports one finding for each signature (DKIM_PASS, DKIM_FAIL and so on),
    or DKIM_NONE for a message without.

    Its evidence has C{d}, C{s}, C{bits}, and C{partial=1} for a signature
    that leaves part of the body open.

    @ivar scores: by symbol; counted once however many signatures have it.
    @ivar lookups: the most one message may cause.
    """

    name: ClassVar[str] = "dkim"

    resolver: Lookup
    workers: Pool
    scores: Mapping[str, float] = field(factory=dict)
    lookups: int = 20

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Check all signatures, the first ten at most."""
        if not transaction.header.all("dkim-signature"):
            score = self.scores.get("DKIM_NONE", 0.0)
            why = "the message is not signed"
            return succeed((Finding("dkim", "DKIM_NONE", Result.PASS, score, why),))
        budget = Budget(self.resolver, self.lookups)
        keys = [(name, "TXT") for name in names(transaction.header)]
        lacking = budget.lacking(keys)
        if not lacking:
            return self._check(transaction, budget, keys)
        d = budget.learn(lacking)
        return d.addCallback(lambda _: self._check(transaction, budget, keys))

    def _check(
        self, transaction: Transaction, budget: Budget, keys: Sequence[Key]
    ) -> Deferred[Sequence[Finding]]:
        texts = {key[0]: key_text(budget, key) for key in keys}
        d = self.workers.submit("dkim", transaction.body, {"keys": texts})
        return d.addCallback(self._findings)

    def _findings(self, seen: Sequence[Mapping[str, Any]]) -> Sequence[Finding]:
        findings: list[Finding] = []
        counted: set[str] = set()
        for signature in seen:
            symbol = f"DKIM_{signature['result'].upper()}"
            score = 0.0 if symbol in counted else self.scores.get(symbol, 0.0)
            counted.add(symbol)
            findings.append(_finding(symbol, score, signature))
        return tuple(findings)


def _finding(symbol: str, score: float, signature: Mapping[str, Any]) -> Finding:
    domain, reason = signature["domain"], signature["reason"]
    said = reason or "is signed by this domain"
    return Finding(
        "dkim",
        symbol,
        _MEANING[signature["result"]],
        score,
        f"{domain or 'a signature'}: {said}",
        evidence(
            d=domain,
            s=signature["selector"],
            bits=str(signature["bits"]) if signature["bits"] else "",
            partial="1" if signature["partial"] else "",
        ),
    )


def key_text(budget: Budget, key: Key) -> str | None:
    """A key record for the worker."""
    answer = budget.answer(key)
    if answer is None:
        return TEMPERROR
    # RFC 6376 §3.6.2.2: one record; of several any may be taken.
    if not answer.records:
        return None
    text: str = answer.records[0][:LONGEST_KEY].decode("utf-8", "replace")
    return text
