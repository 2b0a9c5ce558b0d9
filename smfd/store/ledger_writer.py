"""
The ledger's one writer: a thread that commits all that waits, at once.

While a commit is on its way to the disk others queue up behind it; they share
the next.  Twenty connections cost one sync.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from twisted.logger import Logger

from smfd.store.atomic import Disk, NoSpace, is_full
from smfd.store.ledger_jobs import Job, Sheet
from smfd.store.ledger_schema import LedgerTrouble

#: The most jobs in one transaction: the first of them waits for the last.
BATCH = 512

#: Seconds that a commit waits for others to share it, while there are others.
#: With twenty connections it saves a quarter of our processor time: fewer syncs,
#: and fewer turns between this thread and the reactor's.
GATHERING = 0.0015

#: SQLite's primary result codes, https://sqlite.org/rescode.html.
_IOERR, _CORRUPT, _FULL, _NOTADB, _CONSTRAINT = 10, 11, 13, 26, 19
_OURS = {5, 6, 7, 8, 9, 14, 15}


class Displaced(Exception):
    """The file that we write is not the one that the next start will read."""


class Writer:
    """
    Writes batches of jobs, each wholly or not at all.

    @ivar suspect: why what the disk holds is not known: it failed, or the file
        is not at its place.  Nothing is written any more until somebody has
        looked and started us again.
    """

    _log = Logger()

    def __init__(
        self,
        connection: sqlite3.Connection,
        home: str,
        disk: Disk,
        now: Callable[[], float],
        path: str,
    ) -> None:
        """
        @param path: of the connection's file.
        """
        self.suspect = ""
        self._path = path
        self._file = _identity(path)
        self._connection = connection
        self._home = home
        self._disk = disk
        self._now = now

    def write(self, jobs: Sequence[Job]) -> list[str]:
        """
        Commit a batch; each job then has its result or its error.

        @return: files that nobody needs any more.
        """
        if self.suspect:
            return self._fail(jobs, LedgerTrouble(self.suspect))
        try:
            return self._commit(jobs)
        except Exception as error:
            self._roll_back()
            trouble = self._trouble(error)
            if trouble is not None:
                return self._fail(jobs, trouble)
            if len(jobs) == 1:
                self._log.failure(
                    "the ledger cannot write a {kind}", kind=type(jobs[0])
                )
                return self._fail(jobs, LedgerTrouble(repr(error)))
        # One of them is at fault; the others must not suffer for it.
        middle = len(jobs) // 2
        return self.write(jobs[:middle]) + self.write(jobs[middle:])

    def _commit(self, jobs: Sequence[Job]) -> list[str]:
        connection = self._connection
        sheet = Sheet(self._home, self._now())
        if _identity(self._path) != self._file:
            raise Displaced(f"{self._path} was moved, deleted or replaced")
        connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            job.fill(connection, sheet)
        sheet.write(connection)
        for job in jobs:
            job.finish(connection, sheet)
        freed = sheet.freed(connection) if sheet.loose else []
        self._disk.commit(connection)
        return [os.path.join(self._home, path) for path in freed]

    def _roll_back(self) -> None:
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            self.suspect = f"roll-back failed: {error}"

    def _trouble(self, error: Exception) -> Exception | None:
        """What it means for all of a batch; None when one job is at fault."""
        if isinstance(error, OSError):
            if is_full(error):
                return NoSpace(str(error))
            return self._suspicious(f"the disk failed: {error}")
        if isinstance(error, Displaced):
            return self._suspicious(str(error))
        code = getattr(error, "sqlite_errorcode", _CONSTRAINT) & 0xFF
        if code == _FULL:
            return NoSpace(str(error))
        if code in {_IOERR, _CORRUPT, _NOTADB}:
            return self._suspicious(f"the disk failed: {error}")
        return LedgerTrouble(str(error)) if code in _OURS else None

    def _suspicious(self, why: str) -> LedgerTrouble:
        # A sync that failed once may succeed the second time with the data
        # gone: no commit after it can be believed.
        self.suspect = why
        self._log.critical("the ledger takes nothing more: {why}", why=self.suspect)
        return LedgerTrouble(self.suspect)

    def _fail(self, jobs: Sequence[Job], error: Exception) -> list[str]:
        for job in jobs:
            job.error = error
        return []


def take_waiting(
    queue: "SimpleQueue[Job | None]", company: bool = False
) -> tuple[list[Job], bool]:
    """
    Wait for a job, then take all that wait, up to a batch.

    @param company: others are about to come, so wait for them a moment.
    @return: the jobs, and whether more may come.
    """
    jobs: list[Job] = []
    job = queue.get()
    if company:
        time.sleep(GATHERING)
    try:
        while job is not None:
            jobs.append(job)
            if len(jobs) == BATCH:
                return jobs, True
            job = queue.get_nowait()
    except Empty:
        return jobs, True
    return jobs, False


def _identity(path: str) -> tuple[int, int] | None:
    """Which file has a path; None when none has."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
