"""
Search over the decision records.

Derived from the ledger and filled behind it: mail never waits for it, and
whatever is missing or damaged is filled again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.interfaces import IHands
from smfd.store.rounds import Recurring, Rounds
from smfd.store.search_criteria import Criteria, Unsearchable, query
from smfd.store.search_index import Filled, Index, Records
from smfd.store.threads import Closed

_LONGEST = 1000
_DEEPEST = 10_000


@frozen
class Found:
    """
    What a search found.

    @ivar items: the newest first.
    @ivar complete_up_to: what began before is in it, seconds since the epoch.
    """

    items: tuple[Mapping[str, Any], ...]
    complete_up_to: float


class Search(Recurring):
    """
    Finds records by who, what, where from, when and how they were judged.

    @param folder: where the months are kept.
    @param records: where they come from.
    @param hands: who does it, one call after the other: the files have one
        user.
    @param reactor: its clock.
    @param every: seconds between two fillings.
    @param patience: seconds a search may spend on catching up, and as many
        on searching.
    @param retention: days after which a record is not shown any more.
    """

    name = "search"
    _log = Logger()

    def __init__(
        self,
        folder: Path,
        records: Records,
        hands: IHands,
        reactor: Any,
        every: float = 2.0,
        patience: float = 3.0,
        retention: float = 30.0,
    ) -> None:
        self._index = Index(folder, records, patience)
        self._hands = hands
        self._reactor = reactor
        self._retention = retention * 86_400
        trouble = "filling the search index"
        self.rounds = Rounds(self._fill_behind, reactor, every, trouble)
        self._through = 0

    def stopService(self) -> None:
        """Fill no more."""
        super().stopService()
        self._through = 0

    def search(
        self, criteria: Criteria, limit: int = 50, offset: int = 0
    ) -> Deferred[Found]:
        """
        Catch up, as far as patience goes, and search.

        Fails with L{Unsearchable
        <smfd.store.search_criteria.Unsearchable>} when nothing can match, with
        L{TooBroad <smfd.store.search_shelf.TooBroad>} when it takes too long.
        """
        return Deferred.fromCoroutine(self._search(criteria, limit, offset))

    def drop(self, before: float) -> Deferred[list[str]]:
        """Remove the months whose every record is older; fires with names."""
        gone: Deferred[list[str]] = self._hands.run(self._index.drop, before)
        return gone

    async def _search(self, criteria: Criteria, limit: int, offset: int) -> Found:
        limit, offset = max(0, min(limit, _LONGEST)), max(0, offset)
        if offset > _DEEPEST:
            raise Unsearchable("So many pages nobody reads: search for less.")
        now = self._reactor.seconds()
        floor = now - self._retention
        since = max(floor, criteria.since) if criteria.since is not None else floor
        wanted = query(evolve(criteria, since=since))
        filled, items = await self._hands.run(
            self._index.search, wanted, limit + offset, now
        )
        self._note(filled)
        found = tuple(items[offset : offset + limit])
        return Found(found, filled.complete_up_to)

    def _fill_behind(self) -> Deferred[None]:
        now = self._reactor.seconds()
        d = self._hands.run(self._index.catch_up, now, self._through)
        return d.addCallbacks(self._note, self._not_filled)

    def _note(self, filled: Filled) -> None:
        self._through = filled.through
        if filled.mended:
            self._log.warn("the search index was damaged and is filled again")

    def _not_filled(self, failure: Failure) -> None:
        # What the annex's end cut short is filled the next time.
        self._through = 0
        failure.trap(Closed)
