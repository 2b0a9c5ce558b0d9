"""DMARC reports that came, in C{reputation.db}."""

import sqlite3
from collections.abc import Sequence

from attrs import astuple, frozen
from twisted.internet.defer import Deferred

from smfd.format.dmarc_report import Report
from smfd.store.directory_pages import LONGEST
from smfd.store.reputation_file import ReputationFile, keep_latest

#: Addresses that are told apart in a summary.
_SOURCES = 100


@frozen
class Kept:
    """
    A report that is kept.

    @ivar sender: the domain that was proven to have sent it, or "".
    @ivar number: messages it tells of; C{passed}: those that DMARC passed.
    """

    reporter: str
    sender: str
    name: str
    begins: int
    ends: int
    received: float
    policy: str
    number: int
    passed: int


@frozen
class Source:
    """
    What was seen of one address.

    @ivar number: messages; C{dkim}, C{spf}: those with an aligned pass of it;
        C{passed}: those with either.
    @ivar kept: put into quarantine or rejected.
    @ivar detail: of one of the rows.
    """

    address: str
    number: int
    passed: int
    dkim: int
    spf: int
    kept: int
    detail: str


@frozen
class Summary:
    """
    What reports say of a domain.

    @ivar sources: those with most messages that did not pass first.
    @ivar reports: the latest first; some of them.
    @ivar total: how many reports there are.
    """

    number: int
    passed: int
    sources: Sequence[Source]
    reports: Sequence[Kept]
    total: int


@frozen
class DMARCReports:
    """Keeps them."""

    file: ReputationFile

    def put(self, report: Report, sender: str, now: float) -> Deferred[bool]:
        """
        Keep one; whether it is new.

        @param sender: the domain that is proven to have sent it, or "".
        """
        return self.file.run(_put, report, sender, now)

    def summary(
        self, domain: str, since: int, limit: int = 100, offset: int = 0
    ) -> Deferred[Summary]:
        """What those that tell of times after C{since} say of a domain."""
        return self.file.read(_summary, domain, since, limit, offset)


def _put(
    connection: sqlite3.Connection, report: Report, sender: str, now: float
) -> bool:
    of = report.domain, report.reporter, sender, report.name
    made = connection.execute(
        "INSERT OR IGNORE INTO reports"
        " (domain, reporter, sender, name, begins, ends, received, policy)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (*of, report.begins, report.ends, now, report.policy),
    )
    if not made.rowcount:
        return False
    connection.executemany(
        "INSERT INTO report_rows VALUES (?,?,?,?,?,?,?,?)",
        [(made.lastrowid, *astuple(row)) for row in report.rows],
    )
    keep_latest(connection, "reports", report.domain)
    return True


def _summary(
    connection: sqlite3.Connection, domain: str, since: int, limit: int, offset: int
) -> Summary:
    of = "domain=? AND ends >= ?"
    number, passed = connection.execute(
        "SELECT coalesce(sum(number), 0), coalesce(sum(number * (dkim OR spf)), 0)"
        f" FROM report_rows WHERE report IN (SELECT id FROM reports WHERE {of})",
        (domain, since),
    ).fetchone()
    sources = connection.execute(
        "SELECT source, sum(number), sum(number * (dkim OR spf)), sum(number * dkim),"
        " sum(number * spf), sum(number * (disposition IN ('quarantine', 'reject'))),"
        f" max(detail) FROM report_rows WHERE report IN (SELECT id FROM reports"
        f" WHERE {of}) GROUP BY 1"
        " ORDER BY sum(number * NOT (dkim OR spf)) DESC, 2 DESC, 1 LIMIT ?",
        (domain, since, _SOURCES),
    ).fetchall()
    (total,) = connection.execute(
        f"SELECT count(*) FROM reports WHERE {of}", (domain, since)
    ).fetchone()
    kept = connection.execute(
        "SELECT reporter, sender, name, begins, ends, received, policy,"
        " (SELECT coalesce(sum(number), 0) FROM report_rows WHERE report=id),"
        " (SELECT coalesce(sum(number * (dkim OR spf)), 0) FROM report_rows"
        f" WHERE report=id) FROM reports WHERE {of}"
        " ORDER BY ends DESC, id DESC LIMIT ? OFFSET ?",
        (domain, since, min(max(0, limit), LONGEST), max(0, offset)),
    ).fetchall()
    return Summary(
        number,
        passed,
        tuple(Source(*row) for row in sources),
        tuple(Kept(*row) for row in kept),
        total,
    )
