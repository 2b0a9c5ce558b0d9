"""What is old goes: held messages first, then their records."""

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from smfd.delivery.quarantine import QuarantineDestination
from smfd.store.ledger import Ledger


class Retention(Service):
    """
    Looks every hour for what has been kept long enough.

    To be added to its parent after the ledger and the quarantine.
    """

    _log = Logger()

    def __init__(
        self,
        ledger: Ledger,
        quarantine: QuarantineDestination,
        clock: IReactorTime,
        days: float = 30.0,
        every: float = 3600.0,
    ) -> None:
        """
        @param days: how long held messages and records are kept.
        @param every: seconds between two looks.
        """
        self._ledger = ledger
        self._quarantine = quarantine
        self._clock = clock
        self._kept = days * 86400.0
        self._every = every
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock

    def startService(self) -> None:
        """Look now, then again and again."""
        super().startService()
        self._loop.start(self._every)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def look(self) -> "Deferred[None]":
        """Look once."""
        return Deferred.fromCoroutine(self._prune())

    def _look(self) -> "Deferred[None]":
        return self.look().addErrback(
            lambda failure: self._log.failure("cannot prune", failure=failure)
        )

    async def _prune(self) -> None:
        before = self._clock.seconds() - self._kept
        items = await self._ledger.expire_held(before)
        records = await self._ledger.prune(before)
        wanted = await self._ledger.bodies()
        files = await self._quarantine.prune(before, wanted)
        if items or records or files:
            self._log.info(
                "retention: {items} held items, {records} records, {files} files",
                items=items,
                records=records,
                files=files,
            )
