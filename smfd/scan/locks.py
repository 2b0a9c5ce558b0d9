"""
Look for what is locked, where the virus scanner says nothing of it (R23).

A worker looks.  The judgement of content has one look at the message anyway:
only where nobody judges it, it is looked at for this alone.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import define
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from smfd.interfaces import IStage
from smfd.model.finding import Finding
from smfd.model.transaction import Transaction
from smfd.scan.pool import Pool
from smfd.scan.virus import VirusStage, encrypted, infected


@implementer(IStage)
@define(eq=False)
class LocksStage:
    """
    Looks behind the scanner, which found nothing.

    What it finds is of the virus stage, and so is that it could not look.

    @ivar virus: to whom it is told which message cannot be looked into.
    """

    name: ClassVar[str] = "virus"

    workers: Pool
    virus: VirusStage

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Report VIRUS_ENCRYPTED or VIRUS_FOUND, or nothing; else fail."""
        if not may_hold_files(transaction):
            return succeed(())
        said = self.workers.submit("virus", transaction.body, {})
        found = said.addCallback(unlocked)
        return found.addErrback(self.virus.blame, transaction)


@implementer(IStage)
@define(eq=False)
class Thorough:
    """The scanner and the look behind it, for whoever has no chain."""

    name: ClassVar[str] = "virus"

    scanner: IStage
    behind: IStage

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """What is locked is not called clean."""
        return Deferred.fromCoroutine(self._scan(transaction))

    async def _scan(self, transaction: Transaction) -> Sequence[Finding]:
        found: Sequence[Finding] = await self.scanner.scan(transaction)
        if any(finding.symbol != "VIRUS_CLEAN" for finding in found):
            return found
        more: Sequence[Finding] = await self.behind.scan(transaction)
        return more or found


def unlocked(said: Mapping[str, str]) -> Sequence[Finding]:
    """The findings that a worker's answer means; what is unlocked has none."""
    if said["answer"] == "found":
        return infected(said["name"])
    locked = said.get("encrypted", "")
    return encrypted(locked) if locked else ()


#: Encodings in which a text is what it looks like.
_PLAIN = (b"", b"7bit", b"8bit", b"quoted-printable")


def may_hold_files(transaction: Transaction) -> bool:
    """Whether a message may have anything attached; a plain text has not."""
    header, data = transaction.header, transaction.body.data
    kind = header.first("content-type").strip()[:5].lower()
    coded = header.first("content-transfer-encoding").strip().lower()
    text = kind in (b"", b"text/") and coded in _PLAIN
    return not text or data is None or b"begin " in data
