"""What was read a moment ago, bounded, and never older than the last write."""

from collections import OrderedDict
from typing import Generic, TypeVar

from attrs import define, field

T = TypeVar("T")


@define
class Cache(Generic[T]):
    """
    Values by key; the one that was not asked for longest goes first.

    A value that was read while something was written is not kept: take the
    L{age} before reading and give it to L{keep}.

    @ivar limit: how much may be in it, in the weights given to L{keep}.
    @ivar age: how often something was dropped.
    """

    limit: int
    age: int = field(default=0, init=False)
    _held: OrderedDict[str, tuple[T, int]] = field(factory=OrderedDict, init=False)
    _weight: int = field(default=0, init=False)

    def __len__(self) -> int:
        """How many values it holds."""
        return len(self._held)

    def get(self, key: str) -> tuple[T] | None:
        """The value in a tuple, for it may be None; or None."""
        found = self._held.get(key)
        if found is None:
            return None
        self._held.move_to_end(key)
        return (found[0],)

    def keep(self, key: str, value: T, age: int, weight: int = 1) -> None:
        """Keep a value that was read at C{age}."""
        if age != self.age or weight > self.limit:
            return
        self._forget(key)
        self._held[key] = (value, weight)
        self._weight += weight
        while self._weight > self.limit:
            _, (_, lighter) = self._held.popitem(last=False)
            self._weight -= lighter

    def drop(self, *keys: str) -> None:
        """Something was written: forget these keys, or everything."""
        self.age += 1
        for key in keys:
            self._forget(key)
        if not keys:
            self._held.clear()
            self._weight = 0

    def _forget(self, key: str) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self._weight -= found[1]
