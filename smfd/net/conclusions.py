"""What was concluded from answers, for as long as they are good."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from attrs import define, field

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@define
class Conclusions(Generic[K, V]):
    """
    The conclusions drawn last.

    @ivar seconds: the clock by which answers are good.
    @ivar entries: how many are held.
    """

    seconds: Callable[[], float] = time.time
    entries: int = 2000
    _drawn: OrderedDict[K, tuple[float, V]] = field(factory=OrderedDict, init=False)

    def __len__(self) -> int:
        """How many are held, those that hold no longer too."""
        return len(self._drawn)

    def get(self, key: K) -> V | None:
        """What was concluded, if it still holds."""
        drawn = self._drawn.get(key)
        if drawn is None:
            return None
        if drawn[0] <= self.seconds():
            del self._drawn[key]
            return None
        self._drawn.move_to_end(key)
        return drawn[1]

    def drop(self, key: K) -> None:
        """It holds no longer."""
        self._drawn.pop(key, None)

    def put(self, key: K, value: V, until: float) -> None:
        """Keep a conclusion that holds until then; the oldest make room."""
        if until <= self.seconds():
            return
        self._drawn[key] = (until, value)
        self._drawn.move_to_end(key)
        if len(self._drawn) > self.entries:
            self._drawn.popitem(last=False)
