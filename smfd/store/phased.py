"""Services that end one after the other, so that nothing is lost between them."""

from collections.abc import Iterable, Sequence

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure


class Phased(MultiService):
    """
    Services that begin in one row and end in three steps.

    First whoever lets work in; then all who do it, at once, the last one first;
    when they have ended, those who keep what became of it, one by one.
    """

    _log = Logger()

    def __init__(
        self, services: Iterable[IService], first: IService, last: Sequence[IService]
    ) -> None:
        """
        @param services: in the order in which they start.
        @param first: one of them.
        @param last: some of them; the last of these ends before the others.
        """
        super().__init__()
        self._first = first
        self._last = last
        for service in services:
            service.setServiceParent(self)

    def stopService(self) -> "Deferred[None]":
        """Fires when all have ended; one that fails to keeps back no other."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._stopped(self._first)
        others = [one for one in self if one not in (self._first, *self._last)]
        await DeferredList([self._stopped(one) for one in reversed(others)])
        for one in reversed(self._last):
            await self._stopped(one)

    def _stopped(self, service: IService) -> "Deferred[object]":
        ending = maybeDeferred(service.stopService)
        return ending.addErrback(self._failed, service)

    def _failed(self, failure: Failure, service: IService) -> None:
        self._log.failure("{service} does not end well", failure, service=service)
