"""Judge what is in a message, in a worker process."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.scan.locks import may_hold_files, unlocked
from smfd.scan.pool import Pool

#: Hits that are reported one by one, and characters of what each hit.
_HITS = 100
_EVIDENCE = 200


@implementer(IStage)
@define
class ContentStage:
    """
    Runs the rules over a message.

    Reports a finding for every rule that hit, and in any case one called
    CONTENT that names the version of the rules.

    @ivar locks: it looks for what is locked too, as
        L{LocksStage <smfd.scan.locks.LocksStage>} would.
    """

    name: ClassVar[str] = "content"

    workers: Pool
    locks: bool = False

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Fails when no worker could tell."""
        known = _known(transaction)
        locks = self.locks and may_hold_files(transaction)
        if locks:
            known["locks"] = True
        d = self.workers.submit("content", transaction.body, known)
        return d.addCallback(_findings, locks)


def _known(transaction: Transaction) -> dict[str, Any]:
    """What is known of a message that is not in it."""
    sender = transaction.envelope.sender
    return {
        "symbols": [finding.symbol for finding in transaction.findings],
        "sender": "" if sender is None else str(sender),
        "client": transaction.session.client,
        "helo": transaction.session.helo,
        "received": transaction.received,
    }


def _findings(said: Mapping[str, Any], locks: bool = False) -> Sequence[Finding]:
    """The findings that a worker's answer means."""
    locked = unlocked(said["virus"]) if locks else ()
    hits = [_finding(hit) for hit in said["hits"][:_HITS]]
    aside = ", ".join(map(str, said.get("aside", ())))[:_EVIDENCE]
    evidence = f"rules={said['rules']}" + (f" too slow: {aside}" if aside else "")
    count = len(said["hits"])
    reason = f"{count} rules hit" if count != 1 else "1 rule hit"
    summary = Finding(
        *("content", "CONTENT", Result.PASS, None, reason),
        evidence=evidence,
        ms=float(said.get("ms", 0)),
    )
    return (*hits, summary, *locked)


def _finding(hit: Mapping[str, Any]) -> Finding:
    """One rule that hit."""
    score = float(hit["score"])
    return Finding(
        "content",
        str(hit["symbol"])[:128],
        Result.SUSPECT if score > 0 else Result.PASS,
        score,
        str(hit["describe"])[:300],
        str(hit["evidence"])[:_EVIDENCE],
    )
