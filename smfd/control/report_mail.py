"""
Reports that come by mail: read behind the flow, from the mailbox they come to.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as NoAnswer
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.model.transaction import Body
from smfd.scan.pool import Pool
from smfd.scan.workers import Busy, JobFailed, Overdue, WorkerDied
from smfd.store.ended import ended
from smfd.store.letters import Letters
from smfd.store.rounds import Rounds
from smfd.store.threads import Threads

#: Seconds between two looks into the mailbox.
ROUND = 120.0

#: Seconds for a letter, with the wait for a worker.
_PATIENCE = 60.0

#: Workers that may die of one letter.
_LIVES = 3

#: What is done with the words of a worker about a letter.
Act = Callable[[Any], Awaitable[object]]


@define(eq=False)
class ReportMail(Service):
    """
    Looks into a mailbox now and then, and has what is new read by a worker.

    @ivar hands: those of the letters.
    @ivar job: the worker's.
    @ivar arguments: of the job.
    @ivar act: may raise ValueError: then the letter counts as read.
    """

    letters: Letters
    hands: Threads
    workers: Pool
    job: str
    arguments: dict[str, Any]
    act: Act
    clock: IReactorTime
    _rounds: Rounds = field(init=False)
    _under_way: Deferred[None] | None = field(default=None, init=False)
    _deaths: tuple[str, int] = field(default=("", 0), init=False)

    _log = Logger()

    @_rounds.default
    def _looks(self) -> Rounds:
        return Rounds(self.look, self.clock, ROUND, "a mailbox is not looked into")

    def startService(self) -> None:
        """Look at once, and then now and then."""
        super().startService()
        self.hands.start()
        self._rounds.start(now=True)

    def stopService(self) -> Deferred[None]:
        """Finish the letter in hand."""
        super().stopService()
        self._rounds.stop()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._under_way is not None:
            await ended(self._under_way)
        self.hands.stop()

    def look(self) -> Deferred[None]:
        """Read what is new; never fails."""
        if self._under_way is not None:
            return ended(self._under_way)
        over: Deferred[None] = Deferred()
        self._under_way = over
        d = Deferred.fromCoroutine(self._look()).addErrback(self._failed)
        return d.addBoth(self._over, over)

    def _failed(self, failure: Any) -> None:
        self._log.warn(
            "{address} is not looked into: {why}",
            address=self.letters.address,
            why=failure.getErrorMessage(),
        )

    def _over(self, _: object, over: Deferred[None]) -> None:
        self._under_way = None
        over.callback(None)

    async def _look(self) -> None:
        for stem, path in await self.letters.unread():
            if not self.running:
                return
            data = await self.letters.read(path)
            if data is None:
                continue
            try:
                await self.act(await self._said(data))
            except (Busy, WorkerDied, NoAnswer) as trouble:
                if not self._is_deadly(stem, trouble):
                    # The next round finds it again.
                    return
                self._log.warn("{path} kills whoever reads it", path=path)
            except (Overdue, JobFailed, ValueError, TypeError, KeyError) as odd:
                self._log.warn("{path} cannot be read: {why}", path=path, why=str(odd))
            await self.letters.done(stem)

    def _is_deadly(self, stem: str, trouble: Exception) -> bool:
        """Whether enough workers have died of a letter: the others wait behind it."""
        if isinstance(trouble, WorkerDied):
            before, times = self._deaths
            self._deaths = stem, times + 1 if stem == before else 1
        return self._deaths == (stem, _LIVES)

    def _said(self, data: bytes) -> Deferred[Any]:
        d = self.workers.submit(self.job, Body(len(data), data), self.arguments)
        return d.addTimeout(_PATIENCE, self.clock)


def proven_sender(said: Any) -> str:
    """The domain that a worker found to have sent a letter, or ""."""
    sender = said.get("sender") if isinstance(said, dict) else None
    return sender[:253] if isinstance(sender, str) else ""
