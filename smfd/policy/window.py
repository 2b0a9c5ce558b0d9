"""A sliding window without a clock: whoever asks says what time it is."""

from collections import deque

from attrs import define, field


@define
class Window:
    """
    So many in any so many seconds, and never one more.

    @ivar times: when those of the last seconds were.
    """

    most: int
    seconds: float
    times: deque[float] = field(factory=deque)

    def take(self, now: float) -> bool:
        """Take one, and whether there was one."""
        if self.wait(now) > 0:
            return False
        self.times.append(now)
        return True

    def give_back(self) -> None:
        """One that was taken does not count."""
        if self.times:
            self.times.pop()

    def wait(self, now: float) -> float:
        """Seconds until there is one."""
        self._slide(now)
        if len(self.times) < self.most:
            return 0.0
        return self.times[0] + self.seconds - now

    def full(self, now: float) -> bool:
        """Whether it is as if nobody had ever asked."""
        self._slide(now)
        return not self.times

    def _slide(self, now: float) -> None:
        times = self.times
        while times and times[0] + self.seconds <= now:
            times.popleft()
        # A clock that was set back makes nobody wait longer than for a window.
        while times and times[-1] > now:
            self.times = times = deque(min(time, now) for time in times)
