"""
The ledger: what is ours, for whom it is due, and what was decided.

Its commit is the only point of acceptance.
"""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from sqlite3 import Connection
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.logger import Logger

from smfd.model.entry import Consignment, Entry, Key, Outcome, State
from smfd.model.notice import Notice, NoticeKey
from smfd.model.record import Record
from smfd.store.atomic import Disk, NoSpace
from smfd.store.ended import ended
from smfd.store.ledger_due import Window, body_paths, due_page, first_try
from smfd.store.ledger_held import decide
from smfd.store.ledger_jobs import (
    Act,
    AlreadyDecided,
    Ask,
    Commit,
    Forget,
    Job,
    Note,
    Settle,
    Sheet,
)
from smfd.store.ledger_lock import AlreadyRunning, lock
from smfd.store.ledger_notices import waiting
from smfd.store.ledger_schema import LedgerTrouble, open_writer
from smfd.store.ledger_writer import Writer, take_waiting
from smfd.store.rounds import Rounds
from smfd.store.stops import Stops

__all__ = ["AlreadyDecided", "AlreadyRunning", "Ledger", "LedgerTrouble", "NoSpace"]

T = TypeVar("T")

FILE = "ledger.db"

#: Seconds until somebody who takes the home away is noticed, mail or no mail.
_LOOK = 3.0


class Ledger(Service):
    """
    One SQLite file and the thread that writes it.

    Every Deferred of its methods fires when the thing is durable.  It fails
    with L{NoSpace} while the disk is full, and with L{LedgerTrouble} when the
    disk broke: then nothing is taken any more until the next start.

    @ivar freed: called with files that nothing due or held is kept in any
        more; whoever owns them may remove them.
    @ivar noticed: called when there are new notices.
    @ivar dropped: how many notes were not kept because too many waited.
    @ivar stops: accounts whose entries are suspended as they come.
    """

    _log = Logger()

    def __init__(
        self,
        home: Path,
        reactor: IReactorFromThreads,
        clock: IReactorTime,
        disk: Disk | None = None,
        patience: float = 0.1,
        notes: int = 10_000,
    ) -> None:
        """
        @param patience: seconds that what nobody waits for, and what is
            settled, may wait for a commit to share.
        @param notes: the most notes that may wait.
        """
        self.home = home
        self.freed: Callable[[Sequence[str]], object] = len
        self.noticed: Callable[[], object] = bool
        self.dropped = 0
        self.stops = Stops(clock.seconds)
        self._reactor = reactor
        self._clock = clock
        self._disk = disk or Disk()
        self._patience = patience
        self._notes = notes
        self._noted = 0
        self._patient: list[Job] = []
        self._timer: IDelayedCall | None = None
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._before_end: list[Deferred[Any]] = []
        self._writer: Writer | None = None
        self._lock = -1
        self._rounds = Rounds(self._look, clock, _LOOK, "the ledger is not looked at")

    @property
    def suspect(self) -> str:
        """Why nothing is written any more, or the empty string."""
        return self._writer.suspect if self._writer else ""

    def startService(self) -> None:
        """
        Open the file, alone.

        @raise AlreadyRunning: somebody else has it.
        @raise LedgerTrouble: it is damaged, or newer than we are.
        """
        self.home.mkdir(0o700, parents=True, exist_ok=True)
        self._lock = lock(self.home / "ledger.lock")
        try:
            connection = open_writer(self.home / FILE)
            self._disk.sync_folder(str(self.home))
        except BaseException:
            os.close(self._lock)
            raise
        home = os.path.abspath(self.home)
        path = os.path.join(home, FILE)
        self._writer = Writer(connection, home, self._disk, self._clock.seconds, path)
        self._queue = SimpleQueue()
        self._ended: Deferred[None] = Deferred()
        thread = threading.Thread(
            target=self._serve, args=(self._writer, connection), name="ledger"
        )
        thread.daemon = True
        thread.start()
        self._rounds.start()
        super().startService()

    def stopService(self) -> "Deferred[None]":
        """Write all that waits, then close; fires when it is closed."""
        if self._writer is None:
            return succeed(None)
        return gatherResults(self._before_end).addCallback(self._end)

    def outlive(self, other: "Deferred[Any]") -> None:
        """Do not close before another service has ended, whose work needs us."""
        self._before_end.append(ended(other))

    def commit(
        self,
        entry: Entry,
        release: str = "",
        actor: str = "",
        answers: Sequence[NoticeKey] = (),
    ) -> "Deferred[None]":
        """
        Make an entry ours: when it fires, it will reach all its recipients.

        An entry without recipients is only its record.

        @param release: the held item that this entry takes the place of, both
            or none.  L{AlreadyDecided} when it is held no more.
        @param actor: who released it.
        @param answers: the notices that it says; they are forgotten with it.
        """
        answer: Deferred[None] = Deferred()
        state = State.SUSPENDED if self.stops.holds(entry) else State.DUE
        self._now(Commit(entry, release, actor, answers, state, answer=answer))
        return answer

    def note(self, record: Record) -> None:
        """Keep a record of something refused, soon; nobody waits for it."""
        if self._writer is None or self._noted >= self._notes:
            self.dropped += 1
            return
        self._noted += 1
        self._soon(Note(record))

    def settle(self, outcomes: Sequence[Outcome]) -> "Deferred[None]":
        """
        Note what became of consignments; rides with the next commit.

        An outcome for somebody who is settled already changes nothing.  The
        body goes with its last recipient, and the last notice to its sender.
        """
        answer: Deferred[None] = Deferred()
        self._soon(Settle(outcomes, answer=answer))
        return answer

    def decide_held(self, item: str, state: State, actor: str) -> "Deferred[bool]":
        """
        Decide about a held item: RELEASED or DELETED.

        @return: whether it was still held, and is now decided.
        """

        def ask(connection: Connection, sheet: Sheet) -> bool:
            path = decide(connection, item, state, actor, sheet.now)
            if path is not None:
                sheet.loose.append(path)
            return path is not None

        return self.ask(ask)

    def audit(
        self, actor: str, act: str, subject: str, detail: str
    ) -> "Deferred[None]":
        """Note what a person did, to what."""
        answer: Deferred[None] = Deferred()
        row = (self._clock.seconds(), actor, act, subject, detail)
        self._now(Act(row, answer=answer))
        return answer

    def due(
        self, after: Key = ("", 0), limit: int = 512
    ) -> "Deferred[list[Consignment]]":
        """
        A page of what is due now, by entry and number.

        @param after: entry and number of the last one of the page before.
        """
        window = Window(after, limit)

        def ask(connection: Connection, sheet: Sheet) -> list[Consignment]:
            return due_page(connection, sheet.home, sheet.now, window)

        return self.ask(ask)

    def next_try(self) -> "Deferred[float | None]":
        """When the first of what is put off wants to be tried, if anything is."""
        return self.ask(lambda connection, sheet: first_try(connection, sheet.now))

    def notices(self, limit: int = 100, after: str = "") -> "Deferred[list[Notice]]":
        """
        What senders have still to be told, the oldest messages first.

        @param limit: the most messages.
        @param after: the entry of the last notice of the page before.
        """

        def ask(connection: Connection, sheet: Sheet) -> list[Notice]:
            return waiting(connection, sheet.home, sheet.now, after, limit)

        return self.ask(ask)

    def unanswered(self, keys: Sequence[NoticeKey]) -> "Deferred[None]":
        """Forget notices that nobody is to hear."""
        answer: Deferred[None] = Deferred()
        self._soon(Forget(keys, answer=answer))
        return answer

    def bodies(self) -> "Deferred[set[str]]":
        """Every file that holds the body of something due."""

        def ask(connection: Connection, sheet: Sheet) -> set[str]:
            return {os.path.join(sheet.home, p) for p in body_paths(connection)}

        return self.ask(ask)

    def ask(
        self, function: Callable[[Connection, Sheet], T], soon: bool = False
    ) -> "Deferred[T]":
        """
        Do something in the next transaction, briefly: others wait behind it.

        @param soon: it may wait for a commit to share.
        """
        answer: Deferred[T] = Deferred()
        (self._soon if soon else self._now)(Ask(function, answer=answer))
        return answer

    def _now(self, job: Job) -> None:
        if self._writer is None:
            job.error = LedgerTrouble("the ledger is closed")
            job.fire()
            return
        self._flush()
        self._queue.put(job)

    def _soon(self, job: Job) -> None:
        if self._writer is None:
            job.error = LedgerTrouble("the ledger is closed")
            job.fire()
            return
        self._patient.append(job)
        if self._timer is None:
            self._timer = self._clock.callLater(self._patience, self._expired)

    def _expired(self) -> None:
        self._timer = None
        self._flush()

    def _flush(self) -> None:
        if self._patient:
            for job in self._patient:
                self._queue.put(job)
            self._patient.clear()

    def _serve(self, writer: Writer, connection: Connection) -> None:
        """The writer's thread."""
        more, jobs = True, list[Job]()
        while more:
            # One who comes alone is not kept waiting for company.
            jobs, more = take_waiting(self._queue, len(jobs) > 1)
            freed = writer.write(jobs) if jobs else []
            # Once for all of them: waking the reactor is what costs.
            self._reactor.callFromThread(self._fire, jobs, freed)
        connection.close()
        self._reactor.callFromThread(self._ended.callback, None)

    def _fire(self, jobs: Sequence[Job], freed: Sequence[str]) -> None:
        if freed:
            try:
                self.freed(freed)
            except Exception:
                # The files are only garbage; whoever waits must be answered.
                self._log.failure("cannot remove what is freed")
        for job in jobs:
            if type(job) is Note:
                self._noted -= 1
            job.fire()
        if any(job.noticed for job in jobs):
            self.noticed()

    def _look(self) -> "Deferred[None]":
        """Have the writer look whether all is at its place; it says if not."""
        return self.ask(lambda connection, sheet: None).addErrback(lambda _: None)

    def _end(self, _: object) -> "Deferred[None]":
        self._rounds.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._flush()
        self._writer = None
        self._queue.put(None)
        return self._ended.addCallback(self._unlock)

    def _unlock(self, _: None) -> None:
        os.close(self._lock)
        self._before_end.clear()
