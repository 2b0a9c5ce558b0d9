"""
Look the senders up on each recipient's allow and block lists (S7, S8, C8).

Most recipients have no entries: then nothing is looked up twice and nothing
is said.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from time import perf_counter
from typing import ClassVar

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from smfd.interfaces import IStage
from smfd.model.finding import Finding, Listed, Result
from smfd.model.transaction import Transaction
from smfd.net.fired import at_hand
from smfd.policy.lists import Book, Match, keys, matches
from smfd.store.directory_entries import Lists

#: More matches than these say nothing new about one recipient.
_MOST = 20

_OWNERS = {
    "locked": "the operator's locked list",
    "user": "the recipient's own list",
    "domain": "the list of the recipient's domain",
    "operator": "the operator's list",
}


@implementer(IStage)
@frozen
class ListsStage:
    """
    Reports every entry that matches a sender, those that count more first.

    It says which of the senders matched; whether that sender is proven, and
    the entry thus counts, is not decided here (C9).

    @ivar clock: tells which entries have expired.
    """

    name: ClassVar[str] = "lists"

    lists: Lists
    clock: IReactorTime

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Fires with a L{Listed} for each match of each recipient."""
        begun = perf_counter()
        forwards = transaction.envelope.recipients
        recipients = [str(forward.address) for forward in forwards]
        asked = [self.lists.books(recipient) for recipient in recipients]
        known = [found[0] for d in asked if (found := at_hand(d)) is not None]
        if len(known) == len(asked):
            return succeed(self._report(known, transaction, recipients, begun))
        return gatherResults(asked, consumeErrors=True).addCallback(
            self._report, transaction, recipients, begun
        )

    def _report(
        self,
        shelves: Sequence[tuple[Book, ...]],
        transaction: Transaction,
        recipients: Sequence[str],
        begun: float,
    ) -> Sequence[Finding]:
        if not any(shelves):
            return ()
        envelope = str(transaction.envelope.sender or "")
        header = transaction.header.author or ""
        wanted = keys(header, envelope)
        now = self.clock.seconds()
        found = [
            (recipient, match)
            for recipient, books in zip(recipients, shelves, strict=True)
            for match in _matches(books, wanted, recipient, envelope, header, now)
        ]
        ms = (perf_counter() - begun) * 1000
        return tuple(
            _listed(recipient, match, header, envelope, ms)
            for recipient, match in found
        )


def _matches(
    books: Iterable[Book],
    wanted: Sequence[str],
    recipient: str,
    envelope: str,
    header: str,
    now: float,
) -> Iterable[Match]:
    entries = [entry for book in books for entry in book.about(wanted)]
    if not entries:
        return ()
    return islice(matches(entries, recipient, envelope, header, now), _MOST)


def _listed(
    recipient: str, match: Match, header: str, envelope: str, ms: float
) -> Listed:
    entry = match.entry
    who = "author" if match.identity == "header" else "sender"
    verb = "allows" if entry.allow else "blocks"
    seen = header if match.identity == "header" else envelope
    return Listed(
        stage="lists",
        symbol="LIST_ALLOW" if entry.allow else "LIST_BLOCK",
        result=Result.PASS if entry.allow else Result.FAIL,
        reason=f"{_OWNERS[match.scope]} {verb} the {who} ({entry.pattern})",
        evidence=f"entry={entry.id} {match.identity}={seen[:200]}",
        ms=round(ms, 3),
        recipient=recipient,
        scope=match.scope,
        allow=entry.allow,
        pattern=entry.pattern,
        identity=match.identity,
    )
