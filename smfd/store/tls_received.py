"""Reports on TLS that came, in C{reputation.db}."""

import sqlite3
from collections.abc import Sequence

from attrs import frozen
from twisted.internet.defer import Deferred

from smfd.format.tlsrpt import Outcome, TLSReport
from smfd.store.directory_pages import LONGEST
from smfd.store.reputation_file import ReputationFile, keep_latest

#: Faults that are told apart in a summary.
_FAULTS = 100


@frozen
class Received:
    """
    What a report says of one policy.

    @ivar sender: the domain that was proven to have sent it, or "".
    @ivar kind: "tlsa", "sts" or "no-policy-found".
    @ivar good: connections that were well; C{bad}: those that failed.
    """

    reporter: str
    sender: str
    kind: str
    begins: int
    ends: int
    good: int
    bad: int


@frozen
class Fault:
    """
    Connections that failed in one way.

    @ivar result: the word of RFC 8460 §4.3.
    @ivar host: our MX host, or "".
    @ivar reporters: so many told of it.
    @ivar why: the words of one of them.
    """

    result: str
    host: str
    number: int
    reporters: int
    why: str


@frozen
class TLSSummary:
    """
    What reports say of a domain.

    @ivar faults: those with most connections first.
    @ivar reports: the latest first; some of them.
    @ivar total: how many there are.
    """

    good: int
    bad: int
    faults: Sequence[Fault]
    reports: Sequence[Received]
    total: int


@frozen
class TLSReceived:
    """Keeps them."""

    file: ReputationFile

    def put(
        self, report: TLSReport, outcome: Outcome, sender: str, now: float
    ) -> Deferred[bool]:
        """
        Keep what a report says of one policy; whether it is new.

        @param sender: the domain that is proven to have sent it, or "".
        """
        return self.file.run(_put, report, outcome, sender, now)

    def summary(
        self, domain: str, since: int, limit: int = 100, offset: int = 0
    ) -> Deferred[TLSSummary]:
        """What those that tell of times after C{since} say of a domain."""
        return self.file.read(_summary, domain, since, limit, offset)


def _put(
    connection: sqlite3.Connection,
    report: TLSReport,
    outcome: Outcome,
    sender: str,
    now: float,
) -> bool:
    of = outcome.domain.lower(), report.organization, sender, report.id, outcome.kind
    when = int(report.begin), int(report.end), now
    made = connection.execute(
        "INSERT OR IGNORE INTO tls_reports (domain, reporter, sender, name, kind,"
        " begins, ends, received, good, bad) VALUES (?,?,?,?,?,?,?,?,?,?)",
        (*of, *when, outcome.good, outcome.bad),
    )
    if not made.rowcount:
        return False
    connection.executemany(
        "INSERT INTO tls_faults VALUES (?,?,?,?,?)",
        [
            (made.lastrowid, f.result, f.host.lower(), f.count, f.why)
            for f in outcome.failures
        ],
    )
    keep_latest(connection, "tls_reports", of[0])
    return True


def _summary(
    connection: sqlite3.Connection, domain: str, since: int, limit: int, offset: int
) -> TLSSummary:
    of = "domain=? AND ends >= ?"
    total, good, bad = connection.execute(
        "SELECT count(*), coalesce(sum(good), 0), coalesce(sum(bad), 0)"
        f" FROM tls_reports WHERE {of}",
        (domain, since),
    ).fetchone()
    faults = connection.execute(
        "SELECT result, host, sum(number), count(DISTINCT reporter), max(why)"
        " FROM tls_faults JOIN tls_reports ON report = id"
        f" WHERE {of} GROUP BY result, host ORDER BY 3 DESC, 1, 2 LIMIT ?",
        (domain, since, _FAULTS),
    ).fetchall()
    reports = connection.execute(
        "SELECT reporter, sender, kind, begins, ends, good, bad FROM tls_reports"
        f" WHERE {of} ORDER BY ends DESC, id DESC LIMIT ? OFFSET ?",
        (domain, since, min(max(0, limit), LONGEST), max(0, offset)),
    ).fetchall()
    return TLSSummary(
        good,
        bad,
        tuple(Fault(*row) for row in faults),
        tuple(Received(*row) for row in reports),
        total,
    )
