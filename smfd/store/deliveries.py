"""
What became of the mail that left: counted by day, and some words of refusal.

Counts wait in memory for a few seconds and are written together: a crash loses
those, and none of it is needed to send mail.  What cannot be written waits on.
"""

import sqlite3
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.model.cause import Cause
from smfd.policy.diagnosis import COMPLAINT
from smfd.store.reputation_file import ReputationFile

#: Seconds between two writings.
ROUND = 5.0

#: Samples that are kept of each cause.
SAMPLES = 5

#: Characters of a sample.
_LONG = 300

#: Different things that wait to be written; what comes then is not counted.
_WAITING = 20_000

#: Rows of one day; what has none is counted as everybody else's.
_ROWS = 200_000

#: Samples in all.
_SAMPLED = 20_000

_DAY = 86_400


@frozen
class Sample:
    """
    What somebody said.

    @ivar time: seconds since the epoch.
    @ivar said: his words, without addresses of people.
    """

    domain: str
    provider: str
    kind: str
    time: float
    host: str
    said: str
    advice: str


@frozen
class Way:
    """Whose mail went where, and from where."""

    domain: str
    account: str
    provider: str
    source: str


#: Day, domain, account, provider, source, kind, permanent.
_Key = tuple[int, str, str, str, str, str, bool]

#: The latest words, by domain, provider and kind.
_Samples = dict[tuple[str, str, str], deque[Sample]]


@define(eq=False)
class Deliveries:
    """
    Counts what was sent, deferred and rejected.

    @ivar days: how long it is kept.
    """

    file: ReputationFile
    days: int = 30
    _counts: Counter[_Key] = field(factory=Counter, init=False)
    _samples: _Samples = field(factory=dict, init=False)
    _log = Logger()

    def count(self, now: float, way: Way, kind: str, permanent: bool = False) -> None:
        """One more."""
        key = (
            int(now // _DAY),
            way.domain[:253],
            way.account[:320],
            way.provider,
            way.source,
            kind,
            permanent,
        )
        self._add(key, 1)

    def failed(self, now: float, way: Way, cause: Cause, host: str, said: str) -> None:
        """It was not taken; what they said may become a sample."""
        kind = cause.kind.value
        self.count(now, way, kind, cause.permanent)
        key = way.domain, way.provider, kind
        self._keep(Sample(*key, now, host[:253], redacted(said), cause.advice))

    def write(self, now: float) -> Deferred[None]:
        """Write what waits, and forget what is old."""
        counts, self._counts = self._counts, Counter()
        samples, self._samples = self._samples, {}
        oldest = int(now // _DAY) - self.days
        written = self.file.run(_write, counts, samples, oldest)
        return written.addErrback(self._unwritten, counts, samples)

    def report(self, since: int, domain: str = "") -> Deferred["Report"]:
        """
        What happened from a day on.

        @param since: the day, in days since the epoch.
        @param domain: only what was sent in its name.
        """
        return self.file.read(_report, since, domain)

    def today(self, now: float) -> Deferred[Mapping[tuple[str, str], int]]:
        """What was tried today, by source and provider."""
        return self.file.read(_today, int(now // _DAY))

    def _add(self, key: _Key, number: int) -> None:
        if key in self._counts or len(self._counts) < _WAITING:
            self._counts[key] += number

    def _keep(self, sample: Sample) -> None:
        key = sample.domain, sample.provider, sample.kind
        kept = self._samples.get(key)
        if kept is None:
            if len(self._samples) >= _WAITING // 20:
                return
            kept = self._samples[key] = deque(maxlen=SAMPLES)
        kept.append(sample)

    def _unwritten(
        self, failure: Failure, counts: Counter[_Key], samples: _Samples
    ) -> Failure:
        """What came meanwhile waits behind it."""
        counts, self._counts = self._counts, counts
        samples, self._samples = self._samples, samples
        for key, number in counts.items():
            self._add(key, number)
        for kept in samples.values():
            for sample in kept:
                self._keep(sample)
        return failure


@frozen
class Report:
    """
    What happened.

    @ivar providers: rows (provider, kind, permanent, number).
    @ivar accounts: rows (account, kind, permanent, number), of the accounts
        with most refusals.
    @ivar sources: rows (source, kind, permanent, number).
    @ivar days: rows (day, kind, permanent, number).
    @ivar samples: the latest first.
    """

    providers: Sequence[tuple[str, str, bool, int]]
    accounts: Sequence[tuple[str, str, bool, int]]
    sources: Sequence[tuple[str, str, bool, int]]
    days: Sequence[tuple[int, str, bool, int]]
    samples: Sequence[Sample]


def redacted(said: str) -> str:
    """Words without addresses of people, printable and not long."""
    words = ["[address]" if "@" in word else word for word in said[: 4 * _LONG].split()]
    text = " ".join(words)[:_LONG]
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def _write(
    connection: sqlite3.Connection,
    counts: Counter[_Key],
    samples: _Samples,
    oldest: int,
) -> None:
    rows: list[Any] = [(*key, number) for key, number in counts.items()]
    if rows:
        (many,) = connection.execute(
            "SELECT count(*) FROM counts WHERE day=?", (rows[0][0],)
        ).fetchone()
        if many + len(rows) > _ROWS:
            rows = [(day, domain, "", "", *rest) for day, domain, _, _, *rest in rows]
        connection.executemany(
            "INSERT INTO counts VALUES (?,?,?,?,?,?,?,?) ON CONFLICT"
            " DO UPDATE SET number = number + excluded.number",
            rows,
        )
    for sample in chain.from_iterable(samples.values()):
        _keep(connection, sample)
    connection.execute("DELETE FROM counts WHERE day < ?", (oldest,))
    connection.execute("DELETE FROM samples WHERE time < ?", (oldest * _DAY,))
    connection.execute(
        "DELETE FROM samples WHERE rowid IN (SELECT rowid FROM samples"
        " ORDER BY time DESC LIMIT -1 OFFSET ?)",
        (_SAMPLED,),
    )


def _keep(connection: sqlite3.Connection, sample: Sample) -> None:
    of = sample.provider, sample.kind, sample.domain
    connection.execute(
        "INSERT INTO samples VALUES (?,?,?,?,?,?,?)",
        (
            sample.domain,
            sample.provider,
            sample.kind,
            sample.time,
            sample.host,
            sample.said,
            sample.advice,
        ),
    )
    connection.execute(
        "DELETE FROM samples WHERE rowid IN (SELECT rowid FROM samples WHERE"
        " provider=? AND kind=? AND domain=? ORDER BY time DESC LIMIT -1 OFFSET ?)",
        (*of, SAMPLES),
    )


def _report(connection: sqlite3.Connection, since: int, domain: str) -> Report:
    where, values = "day >= ?", [since]
    named: list[Any] = list(values)
    if domain:
        where += " AND domain = ?"
        named.append(domain)

    def by(column: str, also: str = "", *more: Any) -> list[Any]:
        return [
            (name, kind, bool(permanent), number)
            for name, kind, permanent, number in connection.execute(
                f"SELECT {column}, kind, permanent, sum(number) FROM counts"
                f" WHERE {where}{also} GROUP BY 1, 2, 3",
                (*named, *more),
            )
        ]

    worst = [
        account
        for (account,) in connection.execute(
            f"SELECT account FROM counts WHERE {where} AND account <> ''"
            " AND (permanent OR kind = ?) GROUP BY 1 ORDER BY sum(number) DESC, 1"
            " LIMIT 10",
            (*named, COMPLAINT),
        )
    ]
    marks = ",".join("?" * len(worst))
    return Report(
        _largest(by("provider")),
        by("account", f" AND account IN ({marks})", *worst),
        by("source"),
        by("day"),
        _sampled(connection, since, domain),
    )


def _largest(
    rows: Sequence[tuple[str, str, bool, int]],
) -> Sequence[tuple[str, str, bool, int]]:
    """Those of the hundred providers with most; the others are one."""
    totals: Counter[str] = Counter()
    for provider, _, _, number in rows:
        totals[provider] += number
    large = {name for name, _ in totals.most_common(100)}
    found: Counter[tuple[str, str, bool]] = Counter()
    for provider, kind, permanent, number in rows:
        name = provider if provider in large else ""
        found[name, kind, permanent] += number
    return [(*key, number) for key, number in found.items()]


def _sampled(
    connection: sqlite3.Connection, since: int, domain: str
) -> Sequence[Sample]:
    also = " AND domain = ?" if domain else ""
    rows = connection.execute(
        f"SELECT * FROM samples WHERE time >= ?{also} ORDER BY time DESC LIMIT 2000",
        (since * _DAY, *([domain] if domain else [])),
    )
    return [Sample(*row) for row in rows]


def _today(connection: sqlite3.Connection, day: int) -> dict[tuple[str, str], int]:
    return {
        (source, provider): number
        for source, provider, number in connection.execute(
            "SELECT source, provider, sum(number) FROM counts WHERE day=?"
            " AND source <> '' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 5000",
            (day,),
        )
    }
