"""What the runner has in hand, counted."""

from attrs import define, field
from twisted.internet.defer import Deferred

from smfd.model.entry import Consignment, Key


@define(eq=False)
class Hand:
    """
    The consignments that are committed and not yet settled, as far as they
    are in memory.

    @ivar window: the most of them.
    @ivar memory: the most octets of their bodies.
    """

    window: int
    memory: int
    _octets: dict[Key, int] = field(factory=dict, init=False)
    _total: int = field(default=0, init=False)
    _waiters: list["Deferred[None]"] = field(factory=list, init=False)

    def __len__(self) -> int:
        return len(self._octets)

    def __contains__(self, key: Key) -> bool:
        return key in self._octets

    @property
    def full(self) -> bool:
        """Nothing more fits."""
        return len(self._octets) >= self.window or self._total >= self.memory

    @property
    def heavy(self) -> bool:
        """More than half full: who brings more should wait."""
        return len(self._octets) * 2 >= self.window or self._total * 2 >= self.memory

    def add(self, consignment: Consignment) -> None:
        """One more."""
        self._octets[consignment.key] = consignment.octets
        self._total += consignment.octets

    def remove(self, key: Key) -> None:
        """One less; may wake those who wait."""
        self._total -= self._octets.pop(key, 0)
        if self._waiters and not self.heavy:
            self.release_all()

    def lighter(self) -> "Deferred[None] | None":
        """None when there is room; else fires when there is."""
        if not self.heavy:
            return None
        waiter: Deferred[None] = Deferred(self._forget)
        self._waiters.append(waiter)
        return waiter

    def release_all(self) -> None:
        """Wake everybody who waits."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _forget(self, waiter: "Deferred[None]") -> None:
        """Somebody waits no longer."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
