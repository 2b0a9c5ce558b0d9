"""
Addresses that do not exist, and who learned it.

All of it is in memory, bounded, and written to C{reputation.db} with the counts;
what could not be written is written later.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice

from attrs import define, field
from twisted.internet.defer import Deferred

from smfd.policy.suppression import Suppressed
from smfd.store.directory_pages import LONGEST, Page
from smfd.store.reputation_file import ReputationFile

#: How many are remembered; those seen longest ago go.
MOST = 50_000

#: How many are written, or looked at, in one go.
_SLICE = 1000

_MONTH = 30 * 86_400.0

#: The domain of a sender, and the recipient.
Key = tuple[str, str]

Rows = OrderedDict[Key, Suppressed]

Changes = Mapping[Key, Suppressed | None]


@define(eq=False)
class Suppressions:
    """
    What each of our domains knows of addresses that are not there.

    @ivar most: how many it remembers; of changes that wait to be written it
        knows twice as many, and writes all anew when there are more.
    """

    file: ReputationFile
    most: int = MOST
    _rows: Rows = field(factory=OrderedDict, init=False)
    _changed: dict[Key, None] = field(factory=dict, init=False)
    _anew: bool = field(default=False, init=False)
    _is_loaded: bool = field(default=False, init=False)

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
        self._rows[key] = what
        self._rows.move_to_end(key)
        self._change(key)
        while len(self._rows) > self.most:
            self._change(self._rows.popitem(last=False)[0])

    def drop(self, domain: str, recipient: str) -> bool:
        """Forget it; whether there was something."""
        key = domain.lower(), recipient.lower()
        if self._rows.pop(key, None) is None:
            return False
        self._change(key)
        return True

    def page(
        self,
        now: float,
        domain: str = "",
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Deferred[Page[tuple[Key, Suppressed]]]:
        """Some of those that are written and count now, the latest first."""
        return self.file.read(_page, now, domain, search.lower(), limit, offset)

    def load(self) -> Deferred[None]:
        """Read what is on the disk; what came since is newer."""
        return self.file.read(_read).addCallback(self._loaded)

    def write(self) -> Deferred[None]:
        """Write what changed, behind what is to be read."""
        return Deferred.fromCoroutine(self._write())

    def forget(self, now: float) -> None:
        """Forget what says nothing any more, of those seen longest ago."""
        # A first word that was not clear is remembered for a month, too.
        eldest = list(islice(self._rows.items(), _SLICE))
        for key, row in eldest:
            if max(row.ends, row.last + _MONTH) < now:
                del self._rows[key]
                self._change(key)

    def _change(self, key: Key) -> None:
        self._changed[key] = None
        if len(self._changed) > 2 * self.most:
            self._changed, self._anew = {}, True

    def _loaded(self, rows: Rows) -> None:
        if self._is_loaded:
            return
        now, self._rows = self._rows, rows
        for key in self._changed:
            self._rows.pop(key, None)
        for key, row in now.items():
            self._rows[key] = row
            self._rows.move_to_end(key)
        self._is_loaded = True

    async def _write(self) -> None:
        if not self._is_loaded:
            await self.load()
        if self._anew:
            await self._written(dict(self._rows))
        while self._changed:
            keys = list(islice(self._changed, _SLICE))
            await self._written({key: self._rows.get(key) for key in keys})

    async def _written(self, changes: Changes) -> None:
        """Write some, or all anew; what fails is to be written still."""
        anew, self._anew = self._anew, False
        for key in changes:
            self._changed.pop(key, None)
        try:
            await self.file.run(_write, changes, anew)
        except BaseException:
            self._anew = self._anew or anew
            if not anew:
                for key in changes:
                    self._change(key)
            raise


def _read(connection: sqlite3.Connection) -> Rows:
    rows = connection.execute(
        "SELECT domain, recipient, times, last, ends, why FROM suppressed"
        " ORDER BY last DESC LIMIT ?",
        (MOST,),
    )
    return OrderedDict(_row(*row) for row in reversed(rows.fetchall()))


def _row(
    domain: str, recipient: str, times: int, last: float, ends: float, why: str
) -> tuple[Key, Suppressed]:
    return (domain, recipient), Suppressed(times, last, ends, why)


def _page(
    connection: sqlite3.Connection,
    now: float,
    domain: str,
    search: str,
    limit: int,
    offset: int,
) -> Page[tuple[Key, Suppressed]]:
    where = (
        "FROM suppressed WHERE ends > :now AND :domain IN ('', domain)"
        " AND instr(domain || ' ' || recipient, :search)"
    )
    values = {
        "now": now,
        "domain": domain,
        "search": search,
        "limit": min(max(0, limit), LONGEST),
        "offset": max(0, offset),
    }
    (total,) = connection.execute(f"SELECT count(*) {where}", values).fetchone()
    rows = connection.execute(
        f"SELECT domain, recipient, times, last, ends, why {where}"
        " ORDER BY last DESC, domain, recipient LIMIT :limit OFFSET :offset",
        values,
    )
    return Page(tuple(_row(*row) for row in rows), total)


def _write(connection: sqlite3.Connection, changes: Changes, anew: bool) -> None:
    if anew:
        connection.execute("DELETE FROM suppressed")
    connection.executemany(
        "DELETE FROM suppressed WHERE domain=? AND recipient=?",
        [key for key, row in changes.items() if row is None],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO suppressed VALUES (?,?,?,?,?,?)",
        [
            (*key, row.times, row.last, row.ends, row.why)
            for key, row in changes.items()
            if row is not None
        ],
    )
