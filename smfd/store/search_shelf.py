"""
The months side by side.

Each knows the one before it, so that a missing or damaged one is noticed: it
and all that follow are thrown away and filled again.
"""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

from attrs import define, field

from smfd.store import search_month as month
from smfd.store.search_criteria import Query
from smfd.store.search_month import Damaged, Numbered

#: Steps of SQLite between two looks at the clock.
_STEPS = 50_000

_FILES = "search-[0-9][0-9][0-9][0-9]-[0-9][0-9].db"


class TooBroad(Exception):
    """The search took too long."""


@define
class Shelf:
    """
    Used by one thread at a time; not by the reactor's.

    @ivar folder: where the files are.
    @ivar patience: seconds one search may take.
    """

    folder: Path
    patience: float = 5.0
    _months: dict[str, sqlite3.Connection] = field(factory=dict, init=False)

    def open(self) -> int:
        """
        Open what is usable, remove what is not.

        @return: up to which record the months are filled.
        """
        self.close()
        after, filled = "", 0
        for path in sorted(self.folder.glob(_FILES)):
            name = path.stem
            found = _usable(path)
            if found is None or month.state(found)[0] != after:
                self._remove(name, found)
                # Nothing follows on a gap.
                after = "gap"
                continue
            self._months[name] = found
            after, filled = name, month.state(found)[1]
        return filled

    def clear(self) -> None:
        """Remove every month."""
        while self._months:
            self._remove(*self._months.popitem())

    def has(self, seq: int, record_id: str) -> bool:
        """Whether that record is here under that number."""
        return any(month.has(m, seq, record_id) for m in self._months.values())

    def fill(self, records: Sequence[Numbered], filled: int) -> int:
        """
        Add records that follow on what is there.

        @param filled: up to which record it is filled now.
        @return: up to which it is filled then.
        """
        if not records:
            return filled
        batches: dict[str, list[Numbered]] = {}
        for numbered in records:
            name = self._place(numbered[1], filled)
            batches.setdefault(name, []).append(numbered)
        last = max(self._months)
        through = records[-1][0]
        # The newest month last: its state says that all is done.
        for name in sorted({*batches, last}):
            month.fill(
                self._months[name],
                batches.get(name, ()),
                through if name == last else None,
            )
        return through

    def find(self, query: Query, limit: int) -> list[dict[str, Any]]:
        """
        What matches, the newest first.

        @raise TooBroad: when it took too long.
        """
        end = monotonic() + self.patience
        items: list[dict[str, Any]] = []
        for name in sorted(self._months, reverse=True):
            if len(items) < limit:
                found = self._find(name, query, limit - len(items), end)
                items.extend(found)
        return sorted(items, key=_time, reverse=True)

    def drop(self, before: float) -> list[str]:
        """
        Remove the oldest months as long as every record in them is older.

        @return: the names of those that are gone.
        """
        names = sorted(self._months)
        gone: list[str] = []
        for name, following in pairwise(names):
            if month.newest(self._months[name]) >= before:
                break
            self._remove(name, self._months.pop(name))
            month.begin(self._months[following])
            gone.append(name)
        return gone

    def close(self) -> None:
        """Close every file."""
        while self._months:
            self._months.popitem()[1].close()

    def _find(
        self, name: str, query: Query, limit: int, end: float
    ) -> list[dict[str, Any]]:
        connection = self._months[name]
        connection.set_progress_handler(lambda: monotonic() > end, _STEPS)
        try:
            return month.find(connection, query, limit)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_INTERRUPT":
                raise TooBroad from error
            raise
        finally:
            connection.set_progress_handler(None, 0)

    def _place(self, record: Any, filled: int) -> str:
        """The month of a record; a new one only at the end."""
        name = _name(float(record.get("time") or 0))
        last = max(self._months, default="")
        if name in self._months:
            return name
        if name < last:
            return last
        self._months[name] = month.create(self.folder / f"{name}.db", last, filled)
        return name

    def _remove(self, name: str, connection: sqlite3.Connection | None) -> None:
        if connection is not None:
            connection.close()
        for ending in ".db", ".db-wal", ".db-shm":
            (self.folder / f"{name}{ending}").unlink(missing_ok=True)


def _usable(path: Path) -> sqlite3.Connection | None:
    try:
        return month.open_month(path)
    except Damaged:
        return None


def _name(time: float) -> str:
    try:
        return f"search-{datetime.fromtimestamp(time, UTC):%Y-%m}"
    except (OverflowError, ValueError, OSError):
        return "search-0000-00"


def _time(item: dict[str, Any]) -> float:
    time: float = item["time"]
    return time
