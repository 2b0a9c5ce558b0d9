"""All ways to the destinations that are ours."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from smfd.delivery.lane import Lane
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome

Done = Callable[[Sequence[Consignment], Sequence[Outcome]], object]


class Lanes:
    """One for each destination."""

    def __init__(
        self,
        destinations: Iterable[IDestination],
        clock: IReactorTime,
        done: Done,
        size: int,
        delay: float,
    ) -> None:
        """
        @param size: the most consignments in a batch.
        @param delay: seconds that the first of a batch waits for others.
        """
        self._lanes = {d.name: Lane(d, clock, done, size, delay) for d in destinations}

    def put(self, consignment: Consignment) -> None:
        """
        Put one on its lane.

        @raise LookupError: no destination has its name.
        """
        self._lanes[consignment.recipient.destination].put(consignment)

    def close(self) -> "Deferred[Any]":
        """Start no batch any more; fires when those in hand are done."""
        return gatherResults([lane.close() for lane in self._lanes.values()])
