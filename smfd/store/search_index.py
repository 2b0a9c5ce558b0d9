"""
The search index behind the ledger: filled, mended and asked.

It blocks and needs no Twisted, for it works in the annex.  The months' files
are opened for each call, so nothing has to be kept between two.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

from attrs import evolve, frozen

from smfd.store.ledger_schema import LedgerTrouble, open_reader
from smfd.store.reader_rows import records_after
from smfd.store.search_criteria import Query
from smfd.store.search_month import Numbered
from smfd.store.search_shelf import Shelf

T = TypeVar("T")

#: Records read at once, and added in one transaction.
_STEP = 500


class Records(Protocol):
    """Where the records are; blocks, and is pickled."""

    def after(self, seq: int, limit: int) -> Sequence[Numbered]:
        """Records with a higher number, the lowest first."""


@frozen
class LedgerRecords:
    """
    The records of the ledger, read beside its writer.

    @ivar path: the ledger's file.
    """

    path: Path

    def after(self, seq: int, limit: int) -> Sequence[Numbered]:
        """
        Records behind a number, in the order they were committed.

        @raise LedgerTrouble: they cannot be read.
        """
        try:
            with closing(open_reader(self.path)) as connection:
                return records_after(connection, seq, limit)
        except sqlite3.Error as error:
            # Not to be taken for damage of the index, which is thrown away.
            raise LedgerTrouble(f"{self.path}: {error}") from error


@frozen
class Filled:
    """
    How far the index is filled.

    @ivar through: the number of the last record in it.
    @ivar complete_up_to: what began before is in it, seconds since the epoch.
    @ivar mended: it was damaged, and has been thrown away and filled anew.
    """

    through: int
    complete_up_to: float
    mended: bool = False


@frozen
class Index:
    """
    To be used by one thread of one process at a time.

    @ivar folder: where the months are kept.
    @ivar records: where they come from.
    @ivar patience: seconds that one call may spend on catching up, and as many
        on searching.
    """

    folder: Path
    records: Records
    patience: float = 3.0

    def catch_up(self, now: float, through: int = 0) -> Filled:
        """
        Add what is new, until there is nothing or patience ends.

        @param now: what began before is committed or will come later.
        @param through: how far it is filled, if that is known: then its files
            are left alone as long as there is nothing new.
        """
        if through and not self.records.after(through, 1):
            return Filled(through, now)
        filled, mended = self._use(lambda shelf: self._fill(shelf, now))
        return evolve(filled, mended=mended)

    def search(
        self, query: Query, limit: int, now: float
    ) -> tuple[Filled, list[dict[str, Any]]]:
        """
        Catch up, and find what matches, the newest first.

        @raise smfd.store.search_shelf.TooBroad: when it took too long.
        """

        def work(shelf: Shelf) -> tuple[Filled, list[dict[str, Any]]]:
            return self._fill(shelf, now), shelf.find(query, limit)

        (filled, items), mended = self._use(work)
        return evolve(filled, mended=mended), items

    def drop(self, before: float) -> list[str]:
        """Remove the months whose every record is older; their names."""

        def work(shelf: Shelf) -> list[str]:
            shelf.open()
            return shelf.drop(before)

        return self._use(work)[0]

    def _use(self, work: Callable[[Shelf], T]) -> tuple[T, bool]:
        """Do it, on new files if these are damaged; and whether they were."""
        with closing(Shelf(self.folder, self.patience)) as shelf:
            try:
                return work(shelf), False
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    # A full disk, for one, is not ours to mend.
                    raise
            shelf.clear()
            return work(shelf), True

    def _fill(self, shelf: Shelf, now: float) -> Filled:
        end = monotonic() + self.patience
        through = self._open(shelf)
        while batch := self.records.after(through, _STEP):
            through = shelf.fill(batch, through)
            if len(batch) < _STEP:
                break
            if monotonic() >= end:
                return Filled(through, float(batch[-1][1].get("time") or 0))
        return Filled(through, now)

    def _open(self, shelf: Shelf) -> int:
        """Open the months that belong to this ledger; how far they go."""
        filled = shelf.open()
        if not filled:
            return 0
        # A ledger that came back from a backup counts anew.
        last = self.records.after(filled - 1, 1)
        if last and shelf.has(last[0][0], str(last[0][1].get("id"))):
            return filled
        shelf.clear()
        return 0


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Corrupt or no database at all; not: locked, full, interrupted."""
    return getattr(error, "sqlite_errorname", "") in {
        "SQLITE_CORRUPT",
        "SQLITE_CORRUPT_VTAB",
        "SQLITE_NOTADB",
    }
