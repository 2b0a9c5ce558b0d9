"""What somebody else said a while ago, bounded in number and in time."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from attrs import define, field

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@define
class Recent(Generic[K, V]):
    """
    Values by key, each until its end; the oldest goes when there are too many.

    @ivar limit: how many are kept.
    """

    limit: int
    _held: OrderedDict[K, tuple[V, float]] = field(factory=OrderedDict, init=False)

    def __len__(self) -> int:
        """How many it holds, those at their end too."""
        return len(self._held)

    def get(self, key: K, now: float) -> V | None:
        """The value, if its end has not come."""
        found = self._held.get(key)
        if found is None:
            return None
        if found[1] <= now:
            del self._held[key]
            return None
        return found[0]

    def keep(self, key: K, value: V, end: float) -> None:
        """Keep it until then, in seconds of the clock that L{get} is told."""
        self._held.pop(key, None)
        self._held[key] = (value, end)
        if len(self._held) > self.limit:
            self._held.popitem(last=False)
