"""
Work that must not happen here: given to processes that may die of it.

A master process is started once and forks the workers; each connects back over
a UNIX socket and does one job at a time.  A job that takes too long has its
worker killed, and the others go on.
"""

import os
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

import smfd
from smfd.model.transaction import Body
from smfd.net.eager_unix import EagerUNIXPort
from smfd.scan.link import Job, JobFailed, Link

__all__ = ["Busy", "JobFailed", "Overdue", "WorkerDied", "Workers", "command"]

#: How often a job is begun; it may have met its worker's end by chance.
_TRIES = 2


class Busy(Exception):
    """Too many jobs wait already."""


class Overdue(Exception):
    """The job took too long; its worker was killed."""


class WorkerDied(Exception):
    """The job's workers ended before it did, or there are none any more."""


def command(
    rules: Sequence[str], spool: str, seconds: int = 10, compiled: str = ""
) -> tuple[str, ...]:
    """
    The command that starts the master.

    @param rules: the folders of rule files.
    @param spool: the folder of large messages.
    @param seconds: of processor time for one job.
    @param compiled: the folder of rules that were compiled before; "": none is.
    """
    return (
        *(sys.executable, "-m", "smfd.content.worker", "--rules", *rules),
        *("--spool", spool, "--seconds", str(seconds)),
        *(("--compiled", compiled) if compiled else ()),
    )


class Workers(Service):
    """
    A pool of worker processes, and the queue before it.

    @ivar size: how many there are.
    @ivar deadline: seconds that a job may take once it is begun.
    @ivar queue: jobs that may wait.
    @ivar clock: the reactor.
    @ivar layers: what the workers' sandbox is made of, once one has come.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        command: Sequence[str],
        size: int = 2,
        deadline: float = 10.0,
        queue: int = 1000,
    ) -> None:
        self.command = tuple(command)
        self.size = size
        self.deadline = deadline
        self.queue = queue
        self.layers: tuple[str, ...] = ()
        self.clock = reactor
        self._waiting: deque[Job] = deque()
        self._idle: list[Link] = []
        self._port: IListeningPort | None = None
        self._folder = ""
        self._master: _MasterProcess | None = None
        self._restart: IDelayedCall | None = None
        self._watch: IDelayedCall | None = None
        self._failures = 0
        self._links: set[Link] = set()
        self._empty: Deferred[None] = Deferred()

    def startService(self) -> None:
        """Listen for workers, and start the master."""
        super().startService()
        self._folder = tempfile.mkdtemp(prefix="smfd-workers-")
        factory = Factory.forProtocol(lambda: Link(self))
        factory.noisy = False
        path = os.path.join(self._folder, "socket")
        self._port = EagerUNIXPort(
            path.encode(), factory, mode=0o600, reactor=self.clock
        )
        self._port.startListening()
        self._spawn()

    async def _stop(self) -> None:
        """End everything, in the order that leaves nothing behind."""
        self._hush()
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        if self._master is not None:
            await self._master.end(self.clock)
        for link in self._links:
            link.hang_up()
        if self._links:
            await self._empty
        while self._waiting:
            self._waiting.popleft().answer(WorkerDied("stopped"))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _hush(self) -> None:
        """No delayed call of ours comes any more."""
        for call in (self._restart, self._watch):
            if call is not None and call.active():
                call.cancel()

    def stopService(self) -> "Deferred[None]":
        """Fires when no process is left; jobs that wait fail."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def submit(
        self, job: str, body: Body, arguments: dict[str, Any]
    ) -> "Deferred[Any]":
        """
        Have a job done.

        @return: fires with what the job answers; fails with L{Busy},
            L{Overdue}, L{WorkerDied} or L{JobFailed}.  To cancel it kills the
            worker that is at it.
        """
        if len(self._waiting) >= self.queue or not self.running:
            return fail(Busy(f"{len(self._waiting)} jobs wait"))
        waiting = Job(job, body, arguments, Deferred(lambda _: self._cancel(waiting)))
        self._waiting.append(waiting)
        self._feed()
        return waiting.done

    # What links and the master tell us.

    def arrived(self, link: Link, layers: tuple[str, ...]) -> None:
        """A worker is ready for its first job."""
        if self.layers != layers:
            self.layers = layers
            self._log.info("workers are confined by {layers}", layers=self.layers)
        self._failures = 0
        self._links.add(link)
        self.free(link)

    def free(self, link: Link) -> None:
        """A worker is ready for another job."""
        self._idle.append(link)
        self._feed()

    def gone(self, link: Link) -> None:
        """A worker ended; its job is tried once more, unless it was to blame."""
        if link in self._idle:
            self._idle.remove(link)
        if link.job is not None and not link.job.over:
            self._lost(link.job, link.overdue)
        self._links.discard(link)
        if not (self._links or self.running or self._empty.called):
            self._empty.callback(None)

    def _lost(self, job: Job, overdue: bool) -> None:
        """A job has lost its worker."""
        if overdue:
            job.answer(Overdue(f"{self.deadline} s"))
        elif job.tries < _TRIES and self.running:
            self._waiting.appendleft(job)
            self._feed()
        else:
            job.answer(WorkerDied("the worker ended before the job did"))

    def kill(self, pid: int) -> None:
        """Have the master kill a worker."""
        if self._master is not None:
            self._master.kill(pid)

    def ended(self) -> None:
        """The master ended, and all workers with it; another is started."""
        self._master = None
        if self.running:
            delay = min(30.0, 0.1 * 2**self._failures)
            self._failures += 1
            self._log.error("the workers' master ended, again in {s} s", s=delay)
            self._restart = self.clock.callLater(delay, self._spawn)

    # What we do about it.

    def _spawn(self) -> None:
        """Start the master."""
        path = os.path.join(self._folder, "socket")
        line = (*self.command, "--socket", path, "--size", str(self.size))
        root = str(Path(smfd.__file__).parents[1])
        environment = {"PYTHONPATH": root, "LANG": "C.UTF-8"}
        self._master = _MasterProcess(self)
        self.clock.spawnProcess(self._master, line[0], line, env=environment)

    def _feed(self) -> None:
        """Give waiting jobs to idle workers."""
        while self._waiting and self._idle:
            job = self._waiting.popleft()
            if not job.over:
                self._begin(self._idle.pop(), job)

    def _begin(self, link: Link, job: Job) -> None:
        link.begin(job, self.clock.seconds() + self.deadline)
        if self._watch is None:
            self._watch = self.clock.callLater(self.deadline, self._look)

    def _look(self) -> None:
        """One delayed call for all jobs: end those that are late."""
        self._watch, now = None, self.clock.seconds()
        busy = [link for link in self._links if link.job and not link.overdue]
        for link in busy:
            if link.due <= now:
                link.late()
        nearest = min((link.due for link in busy if not link.overdue), default=None)
        if nearest is not None:
            self._watch = self.clock.callLater(nearest - now, self._look)

    def _cancel(self, job: Job) -> None:
        """Nobody waits for this job any more."""
        job.over = True
        if job in self._waiting:
            # Its octets are of no use, and its place is somebody else's.
            self._waiting.remove(job)
        if job.link is not None and job.link.job is job:
            self.kill(job.link.pid)


class _MasterProcess(ProcessProtocol):
    """The master, as its parent sees it."""

    _log = Logger()

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._over: Deferred[None] = Deferred()

    def kill(self, pid: int) -> None:
        """Have it kill one of its children."""
        if self.transport is not None and self.transport.pid:
            self.transport.write(b"kill %d\n" % pid)

    def errReceived(self, data: bytes) -> None:
        self._log.error("workers: {text}", text=data.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        self._workers.ended()
        self._over.callback(None)

    async def end(self, reactor: Any) -> None:
        """End it, gently and then not."""
        assert self.transport is not None
        self.transport.closeStdin()
        last = reactor.callLater(5, self._force)
        await self._over
        if last.active():
            last.cancel()

    def _force(self) -> None:
        assert self.transport is not None
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
