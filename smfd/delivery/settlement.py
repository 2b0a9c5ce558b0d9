"""What was done is noted, however long the ledger cannot."""

from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from smfd.model.entry import Outcome
from smfd.store.ended import ended
from smfd.store.ledger import Ledger

#: Seconds until the ledger is asked again to note what it could not.
_AGAIN = 1.0


class Settlement:
    """
    Settles outcomes, again and again until the ledger has them.

    Meanwhile whoever asked keeps them in hand, so that nothing is done twice;
    ended before it is noted, it is found done at the next start.
    """

    _log = Logger()

    def __init__(self, ledger: Ledger, clock: IReactorTime) -> None:
        self._ledger = ledger
        self._clock = clock
        self._open = True
        self._under_way: set[Deferred[bool]] = set()
        self._dozing: set[Deferred[None]] = set()

    def settle(self, outcomes: Sequence[Outcome]) -> "Deferred[bool]":
        """Fires when it is noted, or with False when we end before."""
        d = Deferred.fromCoroutine(self._settle(outcomes))
        self._under_way.add(d)

        def ended(result: bool) -> bool:
            self._under_way.discard(d)
            return result

        return d.addBoth(ended)

    def stop(self) -> None:
        """Try what cannot be noted no more."""
        self._open = False
        for doze in list(self._dozing):
            doze.cancel()

    async def ended(self) -> None:
        """Return when nothing is under way."""
        while self._under_way:
            await gatherResults([ended(d) for d in self._under_way])

    async def _settle(self, outcomes: Sequence[Outcome]) -> bool:
        while True:
            try:
                await self._ledger.settle(outcomes)
            except Exception as error:
                self._log.error("cannot settle yet: {why}", why=error)
            else:
                return True
            if not self._open or not await self._doze():
                return False

    async def _doze(self) -> bool:
        """Wait a little; whether we still run."""
        doze: Deferred[None] = deferLater(self._clock, _AGAIN)
        self._dozing.add(doze)
        try:
            await doze
        except CancelledError:
            return False
        finally:
            self._dozing.discard(doze)
        return True
