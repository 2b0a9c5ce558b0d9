"""All ways to all destinations."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from smfd.delivery.lane import Lane
from smfd.delivery.load import Load
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome

Done = Callable[[Sequence[Consignment], Sequence[Outcome]], object]

#: The most lanes to other servers that are kept though nothing is on them.
IDLE = 1000


@frozen
class Remote:
    """
    How much may wait for servers that are not ours, in memory.

    A server that stalls must not hold up what goes elsewhere, and must not
    make us too full to take mail: what finds no room waits in the ledger.

    @ivar size: the most consignments of one batch: what was sent is settled
        soon, for it cannot be sent twice harmlessly.
    @ivar lane: the most consignments for one domain.
    @ivar all: the most for all of them.
    @ivar octets: the most octets of bodies for all of them, a fourth of them
        for one.
    """

    size: int = 16
    lane: int = 1250
    all: int = 5000
    octets: int = 16_777_216


class Lanes:
    """
    One for each destination; to other servers, one for each domain.
    """

    def __init__(
        self,
        destinations: Iterable[IDestination],
        elsewhere: Iterable[IDestination],
        clock: IReactorTime,
        done: Done,
        size: int,
        delay: float,
        remote: Remote | None = None,
    ) -> None:
        """
        @param elsewhere: destinations that are other servers.
        @param size: the most consignments in a batch.
        @param delay: seconds that the first of a batch waits for others.
        """
        self._near = {d.name: Lane(d, clock, done, size, delay) for d in destinations}
        self._far = {d.name: d for d in elsewhere}
        self._by_domain: dict[tuple[str, str], Lane] = {}
        self._clock = clock
        self._done = done
        self._delay = delay
        self._remote = remote or Remote()
        self._load = Load()

    def put(self, consignment: Consignment) -> bool:
        """
        Put one on its lane; whether there was room.

        @raise LookupError: no destination has its name.
        """
        name = consignment.recipient.destination
        lane = self._near.get(name)
        if lane is None:
            lane = self._to_domain(name, consignment.recipient.address)
            if self._full(lane.load):
                return False
        lane.put(consignment)
        return True

    def close(self) -> "Deferred[Any]":
        """Start no batch any more; fires when those in hand are done."""
        lanes = (*self._near.values(), *self._by_domain.values())
        return gatherResults([lane.close() for lane in lanes])

    def _to_domain(self, name: str, address: str) -> Lane:
        destination = self._far[name]
        key = name, address.rpartition("@")[2]
        lane = self._by_domain.get(key)
        if lane is None:
            self._forget_idle()
            lane = self._by_domain[key] = Lane(
                destination,
                self._clock,
                self._done,
                self._remote.size,
                self._delay,
                Load(self._load),
            )
        return lane

    def _full(self, one: Load) -> bool:
        most, all_ = self._remote, self._load
        return (
            one.count >= most.lane
            or one.octets * 4 >= most.octets
            or all_.count >= most.all
            or all_.octets >= most.octets
        )

    def _forget_idle(self) -> None:
        if len(self._by_domain) >= IDLE:
            busy = {k: lane for k, lane in self._by_domain.items() if lane.load.count}
            self._by_domain = busy
