"""A token bucket without a clock: whoever asks says what time it is."""

from attrs import define


@define
class TokenBucket:
    """
    So many at once, and so many more as time goes by.

    @ivar size: tokens it holds at most; it begins full.
    @ivar rate: tokens it gains a second.
    @ivar level: tokens there were at the time C{at}.
    @ivar at: the latest time it was asked.
    """

    size: float
    rate: float
    level: float
    at: float

    @classmethod
    def filled(cls, size: float, seconds: float, now: float) -> "TokenBucket":
        """A full one that fills again within so many seconds."""
        return cls(size, size / seconds, size, now)

    def take(self, now: float, tokens: float = 1.0) -> bool:
        """Take some; all or none, and whether they were taken."""
        self._flow(now)
        if self.level < tokens:
            return False
        self.level -= tokens
        return True

    def drain(self, now: float, tokens: float = 1.0) -> bool:
        """Take some even if they are not all there; whether they were."""
        enough = self.take(now, tokens)
        if not enough:
            self.level = 0.0
        return enough

    def give_back(self, tokens: float = 1.0) -> None:
        """Return what was taken."""
        self.level = min(self.size, self.level + tokens)

    def wait(self, now: float, tokens: float = 1.0) -> float:
        """Seconds until so many are there."""
        self._flow(now)
        return max(0.0, (min(tokens, self.size) - self.level) / self.rate)

    def full(self, now: float) -> bool:
        """Whether it is as if nobody had ever asked."""
        self._flow(now)
        return self.level >= self.size

    def _flow(self, now: float) -> None:
        # A clock that was set back neither fills nor empties it.
        if now > self.at:
            self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now
