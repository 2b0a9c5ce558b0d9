"""
A file that keeps over a restart what is known of others.

It is no truth that mail depends on: when it cannot be read or written all goes
on in memory, and the log says so.
"""

import json
import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger

from smfd.store.database import Database
from smfd.store.history import Row, Shelf
from smfd.store.rounds import Rounds

#: The file in the home.
FILE = "sources.db"

#: Seconds between two writings; what is lost by a crash is no more than this.
ROUND = 30.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS source (
    shelf TEXT NOT NULL,
    key TEXT NOT NULL,
    row TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (shelf, key)
) WITHOUT ROWID
"""

Changes = Mapping[str, Mapping[str, Row | None]]


class HistoryFile(Service):
    """Reads the shelves at the start, and writes what changed now and then."""

    _log = Logger()

    def __init__(
        self,
        path: Path,
        reactor: IReactorFromThreads,
        clock: IReactorTime,
        shelves: Mapping[str, Shelf],
        name: str = "sources",
    ) -> None:
        """
        @param shelves: by name; those names are in the file.
        @param name: what it is called in the log.
        """
        self.name = name
        self._shelves = shelves
        self._clock = clock
        self._database = Database(partial(_connect, path), reactor, 1, name)
        self._rounds = Rounds(self.write, clock, ROUND, f"{name} are not written")

    def startService(self) -> None:
        """Read; until that is done nobody is known."""
        super().startService()
        self._database.start()
        reading = self._database.run(_read)
        reading.addCallbacks(self._loaded, self._failed)
        self._rounds.start()

    def stopService(self) -> "Deferred[None]":
        """Write what is left."""
        super().stopService()
        self._rounds.stop()
        return self.write().addBoth(lambda _: self._database.stop())

    def write(self) -> "Deferred[None]":
        """Write what changed; what could not be written is tried again."""
        changes = {name: s.changes() for name, s in self._shelves.items()}
        if not any(changes.values()):
            changes = {}
        written = self._database.run(_write, changes, int(self._clock.seconds()))
        return written.addErrback(self._unwritten, changes)

    def _loaded(self, rows: Mapping[str, Mapping[str, Row]]) -> None:
        for name, shelf in self._shelves.items():
            shelf.load(rows.get(name, {}))

    def _unwritten(self, failure: object, changes: Changes) -> None:
        self._failed(failure)
        for name, changed in changes.items():
            self._shelves[name].undo(changed)

    def _failed(self, failure: object) -> None:
        why = "what is known of {name} is in memory only: {why}"
        self._log.warn(why, name=self.name, why=failure)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # What a power cut takes is less than a round.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _read(connection: sqlite3.Connection) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    for shelf, key, row in connection.execute(
        "SELECT shelf, key, row FROM source ORDER BY at"
    ):
        found.setdefault(shelf, {})[key] = tuple(json.loads(row))
    return found


def _write(connection: sqlite3.Connection, changes: Changes, now: int) -> None:
    with connection:
        for shelf, changed in changes.items():
            connection.executemany(
                "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?)",
                [
                    (shelf, key, json.dumps(row), now)
                    for key, row in changed.items()
                    if row is not None
                ],
            )
            connection.executemany(
                "DELETE FROM source WHERE shelf = ? AND key = ?",
                [(shelf, key) for key, row in changed.items() if row is None],
            )
