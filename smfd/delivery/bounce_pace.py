"""How many reports one sender gets."""

from collections import OrderedDict, deque

from attrs import define, field


@define
class Pace:
    """
    So many within so many seconds, for each sender; exactly so many.

    @ivar senders: of how many it knows; of those heard of longest ago no more.
    """

    most: int
    seconds: float = 3600.0
    senders: int = 10_000
    _told: OrderedDict[str, deque[float]] = field(factory=OrderedDict, init=False)

    def left(self, sender: str, now: float) -> int:
        """How many more he may have now."""
        times = self._told.get(sender.lower())
        if times is None:
            return self.most
        # A clock that was set back has nobody wait for longer than before.
        while times and not now - self.seconds < times[0] <= now:
            times.popleft()
        return self.most - len(times)

    def count(self, sender: str, now: float) -> None:
        """He gets one."""
        times = self._told.setdefault(sender.lower(), deque(maxlen=self.most))
        times.append(now)
        self._told.move_to_end(sender.lower())
        if len(self._told) > self.senders:
            self._told.popitem(last=False)
