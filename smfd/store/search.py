"""
Search over the decision records.

Derived from the ledger and filled behind it: mail never waits for it, and
whatever is missing or damaged is filled again.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from attrs import evolve, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.store.search_criteria import Criteria, Query, Unsearchable, query
from smfd.store.search_shelf import Shelf
from smfd.store.threads import Closed, Threads

T = TypeVar("T")

#: Records read and added at once: a search waits for one such step at most.
_STEP = 500
_LONGEST = 1000
_DEEPEST = 10_000


class Records(Protocol):
    """Where the records are: the ledger's reader."""

    def records_after(
        self, seq: int, limit: int
    ) -> Deferred[list[tuple[int, dict[str, Any]]]]:
        """Records with a higher number, the lowest first."""


@frozen
class Found:
    """
    What a search found.

    @ivar items: the newest first.
    @ivar complete_up_to: what began before is in it, seconds since the epoch.
    """

    items: tuple[Mapping[str, Any], ...]
    complete_up_to: float


class Search(Service):
    """
    Finds records by who, what, where from, when and how they were judged.

    @param folder: where the months are kept.
    @param records: where they come from.
    @param reactor: its time bounds the catching up.
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
        reactor: Any,
        every: float = 2.0,
        patience: float = 3.0,
        retention: float = 30.0,
    ) -> None:
        self._records = records
        self._reactor = reactor
        self._patience = patience
        self._retention = retention * 86_400
        self._shelf = Shelf(folder, patience)
        # One thread: the files have one user, and mail has the other cores.
        self._threads = Threads(reactor, "search")
        self._filling = LoopingCall(self._fill_behind)
        self._filling.clock = reactor
        self._every = every
        self._lock = DeferredLock()
        self._filled: int | None = None
        self._complete = 0.0

    def startService(self) -> None:
        """Begin to fill."""
        self._threads.start()
        super().startService()
        self._filling.start(self._every, now=False)

    def stopService(self) -> None:
        """Finish what was asked and close the files."""
        super().stopService()
        if self._filling.running:
            self._filling.stop()
        self._threads.stop()
        self._shelf.close()
        self._filled = None

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
        return self._threads.run(self._shelf.drop, before)

    async def _search(self, criteria: Criteria, limit: int, offset: int) -> Found:
        limit, offset = max(0, min(limit, _LONGEST)), max(0, offset)
        if offset > _DEEPEST:
            raise Unsearchable("So many pages nobody reads: search for less.")
        floor = self._reactor.seconds() - self._retention
        since = max(floor, criteria.since) if criteria.since is not None else floor
        wanted = query(evolve(criteria, since=since))
        await self._catch_up()
        complete = self._complete
        items = await self._find(wanted, limit + offset)
        return Found(tuple(items[offset : offset + limit]), complete)

    async def _find(self, wanted: Query, limit: int) -> list[dict[str, Any]]:
        try:
            return await self._threads.run(self._shelf.find, wanted, limit)
        except sqlite3.DatabaseError as error:
            await self._clear(error)
            await self._catch_up()
            return await self._threads.run(self._shelf.find, wanted, limit)

    def _catch_up(self) -> Deferred[None]:
        return self._lock.run(lambda: Deferred.fromCoroutine(self._fill()))

    async def _fill(self) -> None:
        """Add what is new, until there is nothing or patience ends."""
        end = self._reactor.seconds() + self._patience
        try:
            await self._steps(end)
        except sqlite3.DatabaseError as error:
            await self._clear(error)
            await self._steps(end)

    async def _clear(self, error: sqlite3.DatabaseError) -> None:
        """A damaged index is thrown away; other trouble is not ours to mend."""
        if not _is_damage(error):
            raise error
        self._log.warn("the search index is damaged, filling it again")
        await self._threads.run(self._shelf.clear)
        self._filled = None

    async def _steps(self, end: float) -> None:
        while not await self._step() and self._reactor.seconds() < end:
            pass

    async def _step(self) -> bool:
        """One step; whether nothing is left."""
        if self._filled is None:
            self._filled = await self._open()
        now = self._reactor.seconds()
        batch = await self._records.records_after(self._filled, _STEP)
        if batch:
            self._filled = await self._threads.run(
                self._shelf.fill, batch, self._filled
            )
            self._complete = max(self._complete, _time(batch))
        if len(batch) < _STEP:
            self._complete = now
        return len(batch) < _STEP

    async def _open(self) -> int:
        filled = await self._threads.run(self._shelf.open)
        if not filled:
            return 0
        # A ledger that came back from a backup counts anew.
        last = await self._records.records_after(filled - 1, 1)
        if last and await self._has(*last[0]):
            return filled
        await self._threads.run(self._shelf.clear)
        return 0

    def _has(self, seq: int, record: Mapping[str, Any]) -> Deferred[bool]:
        return self._threads.run(self._shelf.has, seq, str(record.get("id")))

    def _fill_behind(self) -> Deferred[None]:
        return self._catch_up().addErrback(self._not_filled)

    def _not_filled(self, failure: Failure) -> None:
        # What the end cut short is filled at the next start.
        if not failure.check(Closed):
            self._log.failure("filling the search index", failure)


def _time(batch: Sequence[tuple[int, Mapping[str, Any]]]) -> float:
    return float(batch[-1][1].get("time") or 0)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Corrupt or no database at all; not: locked, full, interrupted."""
    return getattr(error, "sqlite_errorname", "") in {
        "SQLITE_CORRUPT",
        "SQLITE_CORRUPT_VTAB",
        "SQLITE_NOTADB",
    }
