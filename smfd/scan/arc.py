"""
Look the keys up, and have a worker check the chain of those who passed it on.

Standards: RFC 8617 §5.2.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from smfd.content.arc import AMS, AS, names
from smfd.format.authres import evidence
from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.net.dns import Budget, Key, Lookup
from smfd.scan.dkim import key_text
from smfd.scan.pool import Pool

_MEANING = {
    "none": (Result.PASS, "nobody vouches for it"),
    "pass": (Result.PASS, "{domain} passed it on, and sealed what it found"),
    "fail": (Result.SUSPECT, "the seals of those who passed it on are broken"),
    "temperror": (Result.ERROR, "the keys of those who passed it on are not to be had"),
}


@implementer(IStage)
@frozen
class ARCStage:
    """
    Reports ARC_PASS, ARC_FAIL and so on; nothing of a message without a chain.

    It scores nothing by itself: who passes on spam may seal it.  Its evidence
    has C{d}, who sealed last, and how many did.

    @ivar scores: by symbol.
    @ivar lookups: the most one message may cause.
    @ivar trusted: domains whose word counts; C{vouches=dmarc} is then in the
        evidence, if it passed with them.
    """

    name: ClassVar[str] = "arc"

    resolver: Lookup
    workers: Pool
    scores: Mapping[str, float] = field(factory=dict)
    lookups: int = 20
    trusted: frozenset[str] = frozenset()

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Check the chain, if there is one."""
        header = transaction.header
        if not (header.all(AS) or header.all(AMS)):
            return succeed(())
        return Deferred.fromCoroutine(self._scan(transaction))

    async def _scan(self, transaction: Transaction) -> Sequence[Finding]:
        budget = Budget(self.resolver, self.lookups)
        keys: list[Key] = [(name, "TXT") for name in names(transaction.header)]
        lacking = budget.lacking(keys)
        if lacking:
            await budget.learn(lacking)
        texts = {key[0]: key_text(budget, key) for key in keys}
        seen = await self.workers.submit("arc", transaction.body, {"keys": texts})
        return (self._finding(seen),)

    def _finding(self, seen: Mapping[str, Any]) -> Finding:
        outcome, sentence = _MEANING[seen["result"]]
        domains = [str(name) for name in seen["domains"]]
        last = domains[-1] if domains else ""
        symbol = f"ARC_{seen['result'].upper()}"
        reason = sentence.format(domain=last)
        if seen["reason"]:
            reason += f": {seen['reason']}"
        count = str(len(domains)) if domains else ""
        good = last in self.trusted and "dmarc=pass" in seen["found"]
        vouches = "dmarc" if good else ""
        said = evidence(" ".join(domains), d=last, count=count, vouches=vouches)
        score = self.scores.get(symbol, 0.0)
        return Finding("arc", symbol, outcome, score, reason, said)
