"""The way to one destination: batches, one at a time."""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from smfd.delivery.load import Load
from smfd.delivery.tried import tried
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome
from smfd.store.ended import ended

#: The most octets of bodies in one batch: they are in memory once more while
#: they are handed over.
OCTETS = 1_048_576


class Lane:
    """
    Gathers consignments for a destination into batches.

    A batch goes when it is full, or when its first consignment has waited for
    C{delay} seconds; what comes while a batch is under way makes the next,
    which gathers as long, unless it is full.

    @param done: called with the consignments of a batch and their outcomes,
        one for each.
    @ivar load: what waits or is under way.
    """

    _log = Logger()

    def __init__(
        self,
        destination: IDestination,
        clock: IReactorTime,
        done: Callable[[Sequence[Consignment], Sequence[Outcome]], object],
        size: int,
        delay: float,
    ) -> None:
        self._destination = destination
        self._clock = clock
        self._done = done
        self._size = size
        self._delay = delay
        self._waiting: list[Consignment] = []
        self.load = Load()
        self._under_way: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._open = True
        self._batch: Sequence[Consignment] = ()

    def put(self, consignment: Consignment) -> None:
        """Take one more; it goes with the next batch."""
        self._waiting.append(consignment)
        self.load.add(consignment)
        if self._under_way is not None or not self._open:
            return
        if self._full:
            self._go()
        elif self._timer is None:
            self._timer = self._clock.callLater(self._delay, self._go)

    def close(self) -> "Deferred[None]":
        """
        Start no batch any more; fires when the one in hand is done.

        What still waits stays due.
        """
        self._open = False
        self._stop_timer()
        if self._under_way is None:
            return succeed(None)
        return ended(self._under_way)

    @property
    def _full(self) -> bool:
        """While nothing is under way: whether what waits is a batch already."""
        return self.load.count >= self._size or self.load.octets >= OCTETS

    def _go(self) -> None:
        self._stop_timer()
        batch = self._batch = self._waiting[: self._fitting()]
        del self._waiting[: len(batch)]
        self._under_way = Deferred.fromCoroutine(self._deliver(batch))
        # Whatever broke, the next batch goes.
        self._under_way.addErrback(
            lambda f: self._log.failure("a batch could not be reported", failure=f)
        )
        self._under_way.addCallback(self._next)

    def _fitting(self) -> int:
        """How many make the next batch."""
        octets = 0
        for n, consignment in enumerate(self._waiting[: self._size]):
            octets += consignment.octets
            if octets > OCTETS and n:
                return n
        return self._size

    def _next(self, _: None) -> None:
        self._under_way = None
        self.load.remove(self._batch)
        self._batch = ()
        if self._waiting and self._open:
            # Not from here: a destination that answers at once must not
            # cost stack.
            delay = 0.0 if self._full else self._delay
            self._timer = self._clock.callLater(delay, self._go)

    async def _deliver(self, batch: Sequence[Consignment]) -> None:
        self._done(batch, await tried(self._destination, batch))

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
