"""
What came in the name of others, until they are told, in C{reputation.db}.

It is read from the decision records, behind the flow; how far that is, is
written in the same transaction: nothing is counted twice, whatever happens.
"""

import sqlite3
from collections.abc import Mapping, Sequence

from attrs import astuple, frozen
from twisted.internet.defer import Deferred

from smfd.policy.dmarc_seen import Seen
from smfd.policy.report_days import Day, due
from smfd.store.reputation_file import ReputationFile

#: Kinds of messages that are told apart, of one domain and day, and in all.
_OF_DOMAIN, _ALL = 1000, 100_000

#: A day, in days since the epoch, and what came on it.
Kind = tuple[int, Seen]


@frozen
class DMARCTally:
    """Counts them."""

    file: ReputationFile

    def through(self) -> Deferred[int]:
        """The number of the last record that was read; 0 for none."""
        return self.file.read(_through)

    def add(self, counts: Mapping[Kind, int], through: int) -> Deferred[None]:
        """Count some; the records are read so far."""
        return self.file.run(_add, counts, through)

    def forget(self, day: int) -> Deferred[None]:
        """What came before a day is told to nobody any more."""
        return self.file.run(_forget, day)

    def due(self, now: float, most: int) -> Deferred[Sequence[Day]]:
        """The first of the days that are due, of domains that mail was from."""
        return self.file.read(_due, now, most)

    def kinds(self, day: Day) -> Deferred[Sequence[tuple[Seen, int]]]:
        """What came."""
        return self.file.read(_kinds, day)

    def drop(self, day: Day) -> Deferred[None]:
        """Its owner is told, or will never be."""
        return self.file.run(_drop, day)


def _through(connection: sqlite3.Connection) -> int:
    (through,) = connection.execute(
        "SELECT coalesce(max(through), 0) FROM tally_through"
    ).fetchone()
    return int(through)


def _add(
    connection: sqlite3.Connection,
    counts: Mapping[Kind, int],
    through: int,
) -> None:
    (many,) = connection.execute("SELECT count(*) FROM tally").fetchone()
    for (day, seen), number in counts.items():
        key = (day, *astuple(seen))
        known = connection.execute(
            "UPDATE tally SET number = number + ? WHERE day=? AND domain=? AND"
            " source=? AND disposition=? AND spf=? AND dkim=?",
            (number, *key),
        )
        if known.rowcount or many >= _ALL:
            continue
        (of_domain,) = connection.execute(
            "SELECT count(*) FROM tally WHERE day=? AND domain=?", (day, seen.domain)
        ).fetchone()
        if of_domain < _OF_DOMAIN:
            connection.execute(
                "INSERT INTO tally VALUES (?,?,?,?,?,?,?)", (*key, number)
            )
            many += 1
    connection.execute("DELETE FROM tally_through")
    connection.execute("INSERT INTO tally_through VALUES (?)", (through,))


def _forget(connection: sqlite3.Connection, day: int) -> None:
    connection.execute("DELETE FROM tally WHERE day < ?", (day,))


def _due(connection: sqlite3.Connection, now: float, most: int) -> list[Day]:
    keys = connection.execute("SELECT DISTINCT day || ' ' || domain FROM tally")
    return due((key for (key,) in keys), now, most)


def _kinds(connection: sqlite3.Connection, day: Day) -> list[tuple[Seen, int]]:
    return [
        (Seen(day.domain, source, disposition, spf, dkim), number)
        for source, disposition, spf, dkim, number in connection.execute(
            "SELECT source, disposition, spf, dkim, number FROM tally"
            " WHERE day=? AND domain=? ORDER BY number DESC",
            (day.number, day.domain),
        )
    ]


def _drop(connection: sqlite3.Connection, day: Day) -> None:
    connection.execute(
        "DELETE FROM tally WHERE day=? AND domain=?", (day.number, day.domain)
    )
