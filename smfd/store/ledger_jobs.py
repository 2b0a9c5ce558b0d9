"""
What the ledger is asked to write, one class for each kind of job.

Jobs that wait together share a transaction: each puts its rows on one
L{Sheet}, which writes them with as few statements as can be.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from smfd.model.entry import Entry, Outcome, State
from smfd.model.notice import NoticeKey
from smfd.model.record import Record
from smfd.store import ledger_rows as rows
from smfd.store.ledger_held import decide, unneeded
from smfd.store.ledger_notices import answered, reported


class AlreadyDecided(Exception):
    """Somebody else released or deleted the item before."""


@define
class Sheet:
    """
    The rows of one transaction.

    @ivar home: the folder that paths are relative to.
    @ivar now: when it is written, seconds since the epoch.
    @ivar loose: files that may be of no use once it is committed.
    """

    home: str
    now: float
    entries: list[rows.Row] = field(factory=list)
    recipients: list[rows.Row] = field(factory=list)
    records: list[rows.Row] = field(factory=list)
    acts: list[rows.Row] = field(factory=list)
    settled: list[rows.Row] = field(factory=list)
    held_back: list[rows.Row] = field(factory=list)
    notices: list[rows.Row] = field(factory=list)
    asked: list[rows.Row] = field(factory=list)
    done: dict[str, None] = field(factory=dict)
    loose: list[str] = field(factory=list)

    def write(self, connection: sqlite3.Connection) -> None:
        """Put all rows into the open transaction."""
        for bulk, waiting in (
            (rows.ENTRIES, self.entries),
            (rows.RECIPIENTS, self.recipients),
            (rows.RECORDS, self.records),
            (rows.ACTS, self.acts),
            (rows.NOTICES, self.notices),
            (rows.SETTLED, self.settled),
            (rows.ASKED, self.asked),
            (rows.HELD_BACK, self.held_back),
        ):
            for sql, values in bulk.parts(waiting):
                connection.execute(sql, values)
        self.clear(connection, self.done)

    def clear(self, connection: sqlite3.Connection, entries: Iterable[str]) -> None:
        """Let go of those entries that are kept for nobody any more."""
        done = [(entry_id,) for entry_id in entries]
        for sql, values in rows.LEFT_OVER.parts(done):
            self.loose += [path for (path,) in connection.execute(sql, values)]
        for sql, values in rows.DONE.parts(done):
            connection.execute(sql, values)

    def freed(self, connection: sqlite3.Connection) -> list[str]:
        """The loose files that nobody needs after this transaction."""
        return [path for path in self.loose if unneeded(connection, path)]


@define(eq=False)
class Job:
    """
    One thing asked of the ledger.

    @ivar answer: fires when it is durable; None when nobody waits for it.
    @ivar result: what it fires with.
    @ivar error: what it fails with instead.
    @ivar noticed: it wrote notices.
    """

    answer: "Deferred[Any] | None" = field(default=None, kw_only=True)
    result: Any = field(default=None, init=False)
    error: Exception | None = field(default=None, init=False)
    noticed: bool = field(default=False, init=False)

    def fill(self, connection: sqlite3.Connection, sheet: Sheet) -> None:
        """Put the rows on the sheet; may be called again after a roll-back."""

    def finish(self, connection: sqlite3.Connection, sheet: Sheet) -> None:
        """Do what needs the rows of the others to be there."""

    def fire(self) -> None:
        """Answer whoever waits; in the reactor's thread."""
        if self.answer is None:
            return
        if self.error is None:
            self.answer.callback(self.result)
        else:
            self.answer.errback(self.error)


@define(eq=False)
class Commit(Job):
    """
    Make an entry ours; with C{release}, instead of that held item.

    @ivar answers: the notices that it says.
    @ivar state: that of its recipients.
    """

    entry: Entry
    release: str = ""
    actor: str = ""
    answers: Sequence[NoticeKey] = ()
    state: State = State.DUE

    def fill(self, connection: sqlite3.Connection, sheet: Sheet) -> None:
        """The entry, its recipients and its record."""
        self.error = None
        entry = self.entry
        if self.release and not self._released(connection, sheet):
            self.error = AlreadyDecided(self.release)
            return
        if entry.recipients:
            sheet.entries.append(rows.entry_row(entry, sheet.home))
            sheet.recipients += rows.recipient_rows(entry, self.state)
        sheet.records.append(rows.record_row(entry.record))
        if self.answers:
            reported(connection, self.answers[0][0], sheet.now)
            _forget(connection, sheet, self.answers)

    def _released(self, connection: sqlite3.Connection, sheet: Sheet) -> bool:
        path = decide(connection, self.release, State.RELEASED, self.actor, sheet.now)
        if path is None:
            return False
        sheet.loose.append(path)
        return True


@define(eq=False)
class Note(Job):
    """Keep a record that no message came of."""

    record: Record

    def fill(self, connection: sqlite3.Connection, sheet: Sheet) -> None:
        """The record alone."""
        sheet.records.append(rows.record_row(self.record))


@define(eq=False)
class Settle(Job):
    """Note what became of consignments."""

    outcomes: Sequence[Outcome]

    def fill(self, connection: sqlite3.Connection, sheet: Sheet) -> None:
        """One row for each."""
        for outcome in self.outcomes:
            if outcome.category:
                sheet.held_back.append(rows.held_back_row(outcome))
                continue
            if outcome.notice:
                self.noticed = True
                sheet.notices.append(rows.notice_row(outcome, sheet.now))
            sheet.settled.append(rows.outcome_row(outcome, sheet.now))
            if outcome.state is State.HELD:
                sheet.asked.append((outcome.entry_id,))
            if outcome.state is not State.DUE:
                sheet.done[outcome.entry_id] = None


@define(eq=False)
class Forget(Job):
    """Forget notices."""

    keys: Sequence[NoticeKey]

    def fill(self, connection: sqlite3.Connection, sheet: Sheet) -> None:
        """They go, and what was kept for them alone."""
        _forget(connection, sheet, self.keys)


@define(eq=False)
class Act(Job):
    """Note what a person did."""

    row: rows.Row

    def fill(self, connection: sqlite3.Connection, sheet: Sheet) -> None:
        """One row."""
        sheet.acts.append(self.row)


@define(eq=False)
class Ask(Job):
    """
    Anything else, in the same transaction.

    @ivar function: called with the connection and the sheet; its value is the
        result.
    """

    function: Callable[[sqlite3.Connection, Sheet], Any]

    def finish(self, connection: sqlite3.Connection, sheet: Sheet) -> None:
        """Ask."""
        self.result = self.function(connection, sheet)


def _forget(
    connection: sqlite3.Connection, sheet: Sheet, keys: Sequence[NoticeKey]
) -> None:
    answered(connection, keys)
    sheet.done.update(dict.fromkeys(key[0] for key in keys))
