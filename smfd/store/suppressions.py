"""
Addresses that do not exist, and who learned it.

All of it is in memory, bounded, and written to C{reputation.db} with the counts.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Mapping

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from smfd.policy.suppression import Suppressed
from smfd.store.directory_pages import LONGEST, Page
from smfd.store.reputation_file import ReputationFile

#: How many are remembered; those seen longest ago go.
MOST = 50_000

_MONTH = 30 * 86_400.0

#: The domain of a sender, and the recipient.
Key = tuple[str, str]

Changes = Mapping[Key, Suppressed | None]


@define(eq=False)
class Suppressions:
    """What each of our domains knows of addresses that are not there."""

    file: ReputationFile
    most: int = MOST
    _rows: OrderedDict[Key, Suppressed] = field(factory=OrderedDict, init=False)
    _changed: dict[Key, Suppressed | None] = field(factory=dict, init=False)

    def get(self, domain: str, recipient: str) -> Suppressed | None:
        """What is known, whether nothing is sent there or not."""
        return self._rows.get((domain.lower(), recipient.lower()))

    def active(self, domain: str, recipient: str, now: float) -> Suppressed | None:
        """The same, where nothing is sent there now."""
        found = self.get(domain, recipient) if self._rows else None
        return found if found is not None and now < found.ends else None

    def put(self, domain: str, recipient: str, what: Suppressed) -> None:
        """Remember it."""
        key = domain.lower()[:253], recipient.lower()[:320]
        self._rows[key] = self._changed[key] = what
        self._rows.move_to_end(key)
        while len(self._rows) > self.most:
            gone, _ = self._rows.popitem(last=False)
            self._changed[gone] = None

    def drop(self, domain: str, recipient: str) -> bool:
        """Forget it; whether there was something."""
        key = domain.lower(), recipient.lower()
        if self._rows.pop(key, None) is None:
            return False
        self._changed[key] = None
        return True

    def page(
        self,
        now: float,
        domain: str = "",
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Page[tuple[Key, Suppressed]]:
        """Some of those that count now, the latest first."""
        found = [
            (key, row)
            for key, row in reversed(self._rows.items())
            if now < row.ends
            and domain in ("", key[0])
            and (not search or search.lower() in f"{key[0]} {key[1]}")
        ]
        begin = max(0, offset)
        end = begin + min(max(0, limit), LONGEST)
        return Page(tuple(found[begin:end]), len(found))

    def load(self) -> Deferred[None]:
        """Read what is on the disk; what came since is newer."""
        return self.file.run(_read).addCallback(self._loaded)

    def _loaded(self, rows: Mapping[Key, Suppressed]) -> None:
        now, self._rows = self._rows, OrderedDict(rows)
        for key, row in now.items():
            self._rows[key] = row
            self._rows.move_to_end(key)

    def write(self) -> Deferred[None]:
        """Write what changed."""
        if not self._changed:
            return succeed(None)
        changed, self._changed = self._changed, {}
        return self.file.run(_write, changed)

    def forget(self, now: float) -> None:
        """Forget what says nothing any more."""
        # A first word that was not clear is remembered for a month, too.
        rows = self._rows.items()
        old = [key for key, row in rows if max(row.ends, row.last + _MONTH) < now]
        for key in old:
            del self._rows[key]
            self._changed[key] = None


def _read(connection: sqlite3.Connection) -> dict[Key, Suppressed]:
    rows = connection.execute(
        "SELECT domain, recipient, times, last, ends, why FROM suppressed"
        " ORDER BY last LIMIT ?",
        (MOST,),
    )
    return {
        (domain, recipient): Suppressed(times, last, ends, why)
        for domain, recipient, times, last, ends, why in rows
    }


def _write(connection: sqlite3.Connection, changed: Changes) -> None:
    connection.executemany(
        "DELETE FROM suppressed WHERE domain=? AND recipient=?",
        [key for key, row in changed.items() if row is None],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO suppressed VALUES (?,?,?,?,?,?)",
        [
            (*key, row.times, row.last, row.ends, row.why)
            for key, row in changed.items()
            if row is not None
        ],
    )
