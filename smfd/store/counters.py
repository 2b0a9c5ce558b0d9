"""
What accounts have used, in C{counters.db}: the counters of one box.

One thread does all of it, so that no two draws see the same state, and all that
waits shares a transaction.  A draw is answered when it is written: to restart,
or to be killed, forgets none.  (A power cut may take the last moments:
C{synchronous=NORMAL}; the mail itself is synced.)
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.interfaces import ICounters
from smfd.policy import quota
from smfd.policy.quota import METERS, Draw, Excess, Kind, Level, Taken
from smfd.store.counters_seen import Seen
from smfd.store.database import Database
from smfd.store.rounds import Rounds
from smfd.store.schema import Schema

#: The file in the home.
FILE = "counters.db"

#: Seconds between two clearings of what nobody asks for any more.
ROUND = 3600.0

#: How much is forgotten in one go, and how much is done in one transaction.
_BATCH = 500

_log = Logger(namespace="smfd.store.counters.Counters")

_SCHEMA = Schema("""
CREATE TABLE meters (
    account TEXT NOT NULL,
    meter TEXT NOT NULL,
    state TEXT NOT NULL,
    ends INTEGER NOT NULL,
    PRIMARY KEY (account, meter)
) WITHOUT ROWID;
CREATE INDEX meters_end ON meters(ends);
CREATE TABLE seen (
    account TEXT NOT NULL,
    meter TEXT NOT NULL,
    item TEXT NOT NULL,
    ends INTEGER NOT NULL,
    PRIMARY KEY (account, meter, item)
) WITHOUT ROWID;
CREATE INDEX seen_end ON seen(ends);
""")

_Act = Callable[[sqlite3.Connection, float], Any]


@frozen
class _Job:
    """Something to be done in the thread, and who waits for it."""

    act: _Act
    done: "Deferred[Any]"


@implementer(ICounters)
class Counters(Service):
    """Counts for one box, and forgets nothing when it is restarted."""

    name = "counters"
    trouble = ""
    _log = Logger()

    def __init__(
        self, path: Path, reactor: IReactorFromThreads, clock: IReactorTime
    ) -> None:
        """
        @param path: C{counters.db}; made when there is none.
        """
        self._path = path
        self._clock = clock
        self._database = Database(partial(_connect, path), reactor, 1, "counters")
        self._waiting: list[_Job] = []
        self._busy = False
        self._seen = Seen()
        forget = partial(self._do, partial(_forget, seen=self._seen))
        self._rounds = Rounds(forget, clock, ROUND, "counters are not cleared")

    def startService(self) -> None:
        """Open the file, or raise what is wrong with it."""
        _connect(self._path).close()
        self._database.start()
        super().startService()
        self._rounds.start()

    def stopService(self) -> "Deferred[None]":
        """Finish what was asked."""
        super().stopService()
        self._rounds.stop()
        last = self._do(lambda connection, now: None)
        return last.addBoth(lambda _: self._database.stop())

    def spend(self, account: str, draws: Sequence[Draw]) -> Deferred[Taken | Excess]:
        """All of it or nothing."""
        return self._do(partial(_spend, seen=self._seen, account=account, draws=draws))

    def refund(self, account: str, taken: Taken) -> Deferred[None]:
        """As if it had not been drawn."""
        return self._do(partial(_refund, account=account, taken=taken))

    def used(self, account: str) -> Deferred[Mapping[str, float]]:
        """What the windows have, by meter."""
        return self._do(partial(_used, account=account))

    def reset(self, account: str) -> Deferred[None]:
        """As if it had never been here, but for whom it knows."""
        return self._do(partial(_reset, account=account))

    def _do(self, act: _Act) -> "Deferred[Any]":
        done: Deferred[Any] = Deferred()
        self._waiting.append(_Job(act, done))
        if not self._busy:
            self._go()
        return done

    def _go(self) -> None:
        """Do what waits, as much as is good for one transaction."""
        jobs, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        self._busy = True
        acts = [job.act for job in jobs]
        d = self._database.run(_together, acts, self._clock.seconds())
        d.addBoth(self._gone, jobs)
        d.addErrback(lambda f: self._log.failure("counters", f))

    def _gone(self, results: Any, jobs: Sequence[_Job]) -> None:
        self._busy = False
        if self._waiting:
            self._go()
        for number, job in enumerate(jobs):
            failed = isinstance(results, Failure)
            job.done.callback(results if failed else results[number])


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        _SCHEMA.prepare(connection, path)
        path.chmod(0o600)
    except BaseException:
        connection.close()
        raise
    return connection


def _together(
    connection: sqlite3.Connection, acts: Sequence[_Act], now: float
) -> list[Any]:
    """
    All in one transaction; if one fails each by itself, so that it fails alone.

    What is wrong with the file is wrong for all of them.
    """
    try:
        return _at_once(connection, acts, now)
    except sqlite3.Error:
        raise
    except Exception:
        return [_alone(connection, act, now) for act in acts]


def _alone(connection: sqlite3.Connection, act: _Act, now: float) -> Any:
    try:
        return _at_once(connection, [act], now)[0]
    except Exception:
        return Failure()


def _at_once(
    connection: sqlite3.Connection, acts: Sequence[_Act], now: float
) -> list[Any]:
    """All in one transaction; none of them, if one fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [act(connection, now) for act in acts]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results


def _spend(
    connection: sqlite3.Connection,
    now: float,
    seen: Seen,
    account: str,
    draws: Sequence[Draw],
) -> Taken | Excess:
    states = _states(connection, account)
    taken, levels, fresh, excess = [], [], [], None
    for draw in draws:
        known = seen.ends(connection, account, draw)
        unseen = tuple(i for i in draw.items if known.get(i, 0) <= now)
        count = _count(draw, unseen)
        level = quota.take(draw, states.get(draw.meter.name, ""), count, now)
        if level.wait and (excess is None or level.wait > excess.wait):
            excess = Excess(draw.meter, draw.most, level.wait)
        taken.append(evolve(draw, count=count, items=unseen))
        levels.append((draw, level))
        fresh.append(Seen.fresh(draw, known, now))
    if excess is not None:
        _put(connection, account, [one for one in levels if one[1].wait], now)
        return excess
    _put(connection, account, levels, now)
    for draw, items in zip(taken, fresh, strict=True):
        seen.keep(connection, account, draw.meter, items, now)
    return Taken(tuple(taken), tuple(level.used for _, level in levels))


def _refund(
    connection: sqlite3.Connection, now: float, account: str, taken: Taken
) -> None:
    states = _states(connection, account)
    back = [
        (draw, quota.give_back(draw, states.get(draw.meter.name, ""), now))
        for draw in taken.draws
    ]
    _put(connection, account, [(draw, Level(state, 0)) for draw, state in back], now)
    connection.executemany(
        "DELETE FROM seen WHERE account=? AND meter=? AND item=?",
        [(account, d.meter.name, item) for d in taken.draws for item in d.items],
    )


def _used(connection: sqlite3.Connection, now: float, account: str) -> dict[str, float]:
    states = _states(connection, account)
    return {
        meter.name: quota.take(Draw(meter), states.get(meter.name, ""), 0, now).used
        for meter in METERS
        if meter.kind is not Kind.BUCKET
    }


def _reset(connection: sqlite3.Connection, now: float, account: str) -> None:
    # Whom it wrote to, and where from, it still knows; what it sent again and
    # again, and when it asked for too much, is forgotten.
    connection.execute("DELETE FROM meters WHERE account=?", (account,))
    connection.executemany(
        "DELETE FROM seen WHERE account=? AND meter=?",
        [(account, meter.name) for meter in METERS if meter.kept <= quota.DAY],
    )


def _forget(connection: sqlite3.Connection, now: float, seen: Seen) -> None:
    """Forget some of what says nothing any more."""
    seen.count_again()
    for table in ("meters", "seen"):
        keys = "account, meter" + (", item" if table == "seen" else "")
        connection.execute(
            f"DELETE FROM {table} WHERE ({keys}) IN"
            f" (SELECT {keys} FROM {table} WHERE ends < ? LIMIT {_BATCH * 20})",
            (int(now),),
        )


def _states(connection: sqlite3.Connection, account: str) -> dict[str, str]:
    """By meter; one that cannot be read begins anew."""
    found = dict(
        connection.execute(
            "SELECT meter, state FROM meters WHERE account=?", (account,)
        )
    )
    for meter in METERS:
        state: object = found.get(meter.name, "")
        if not quota.is_state(meter, state):
            del found[meter.name]
            _log.error(
                "the {meter} of {account} begin anew, they read {state}",
                meter=meter.name,
                account=account,
                state=repr(state)[:80],
            )
    return found


def _put(
    connection: sqlite3.Connection,
    account: str,
    levels: Sequence[tuple[Draw, Level]],
    now: float,
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO meters VALUES (?,?,?,?)",
        [
            (account, d.meter.name, level.state, int(now + quota.ends(d.meter)) + 1)
            for d, level in levels
        ],
    )


def _count(draw: Draw, unseen: tuple[str, ...]) -> int:
    if not draw.meter.sees:
        return draw.count
    new = len(unseen)
    return new if draw.meter.kind is Kind.NEW else len(draw.items) - new
