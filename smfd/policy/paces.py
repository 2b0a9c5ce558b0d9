"""
How fast each provider is served from each of our addresses.

Who says that it is too much gets half as much, again and again down to one
message a minute; when he has said nothing for a while, twice as much again,
until it is as before.
"""

from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field, frozen

from smfd.model.cause import Cause
from smfd.policy.bucket import TokenBucket
from smfd.policy.providers import Provider, Providers
from smfd.policy.warm_up import WarmUp

#: Messages a minute where there is no limit, before the first half is taken.
BASE = 120.0

#: Seconds in which complaints are one complaint.
_ONCE = 60.0

#: Seconds without a complaint after which the pace doubles.
CALM = 900.0

#: Paces that are remembered.
_MOST = 2000


@frozen
class Pause:
    """
    How long to wait.

    @ivar seconds: 0 for not at all.
    @ivar why: a clause for the record.
    """

    seconds: float
    why: str = ""


#: Go.
NONE = Pause(0.0)


@define
class Pace:
    """
    How fast one provider is served from one address.

    @ivar usual: messages a minute; 0 for no limit.
    @ivar halves: how often half was taken off.
    @ivar since: when that was done, or undone, last.
    """

    usual: float
    halves: int = 0
    since: float = 0.0
    _bucket: TokenBucket | None = None

    def rate(self, now: float) -> float:
        """Messages a minute; 0 for no limit."""
        # A clock that was set back leaves it as slow as it is.
        calm = int(max(0.0, now - self.since) // CALM)
        if calm:
            self.halves = max(0, self.halves - calm)
            self.since += calm * CALM
        if not self.halves:
            return self.usual
        return max(self._least, (self.usual or BASE) / 2.0**self.halves)

    def slow_down(self, now: float) -> None:
        """They said that it is too much."""
        rate = self.rate(now)
        if self.halves and 0 <= now - self.since < _ONCE:
            return
        if rate != self._least:
            self.halves += 1
        self.since = now

    @property
    def _least(self) -> float:
        """What complaints leave: one a minute, or the limit where that is less."""
        return min(1.0, self.usual or BASE)

    def wait(self, now: float) -> float:
        """Seconds until a message may go; when that is now, it is counted."""
        rate = self.rate(now)
        if not rate:
            return 0.0
        # Half a message a minute is a whole one every other minute.
        size, bucket = max(1.0, rate), self._bucket
        if bucket is None:
            bucket = self._bucket = TokenBucket(size, rate / 60.0, size, now)
        bucket.size, bucket.rate = size, rate / 60.0
        bucket.level = min(bucket.level, size)
        return 0.0 if bucket.take(now) else bucket.wait(now)


@define
class Paces:
    """
    All of them.

    @ivar clock: says what time it is, in seconds since the epoch.
    @ivar slows: whether complaints slow us down.
    """

    clock: Callable[[], float]
    providers: Providers = field(factory=Providers)
    warm_up: WarmUp = field(factory=WarmUp)
    slows: bool = True
    _paces: OrderedDict[tuple[str, str], Pace] = field(factory=OrderedDict, init=False)

    def pause(self, host: str, source: str) -> Pause:
        """
        How long, and why, a message to a provider's host waits.

        When it goes now it is counted.
        """
        now, provider = self.clock(), self.providers.of(host)
        cold = self.warm_up.wait(source, provider.name, now)
        if cold:
            most = self.warm_up.most(source, now)
            return Pause(
                cold,
                f"warm-up: {source} is new and sends {most} a day to {provider.name}",
            )
        pace = self._pace(provider, source)
        if pace is not None and (wait := pace.wait(now)):
            return Pause(
                wait, f"a limit of ours: {pace.rate(now):g} a minute to {provider.name}"
            )
        self.warm_up.count(source, provider.name, now)
        return NONE

    def note(self, host: str, source: str, cause: Cause) -> None:
        """Why something was not taken."""
        if cause.slow_down and self.slows:
            provider = self.providers.of(host)
            pace = self._pace(provider, source) or self._new(provider, source)
            pace.slow_down(self.clock())

    def whose(self, host: str) -> tuple[str, int]:
        """Whose a host is, and his connections at once; 0: as many as anybody."""
        provider = self.providers.of(host)
        return provider.name, provider.connections

    def spent(self, host: str, source: str) -> bool:
        """Whether a new address of ours has sent there all that it may today."""
        now, provider = self.clock(), self.providers.of(host)
        return self.warm_up.wait(source, provider.name, now) > 0

    def slowed(self) -> dict[tuple[str, str], float]:
        """Messages a minute of those who complained, by provider and address."""
        now = self.clock()
        return {key: pace.rate(now) for key, pace in self._paces.items() if pace.halves}

    def _pace(self, provider: Provider, source: str) -> Pace | None:
        """The pace; None for one that has no limit and never complained."""
        key = provider.name, source
        pace = self._paces.get(key)
        if pace is not None:
            self._paces.move_to_end(key)
        elif provider.per_minute:
            pace = self._new(provider, source)
        return pace

    def _new(self, provider: Provider, source: str) -> Pace:
        pace = self._paces[provider.name, source] = Pace(provider.per_minute)
        if len(self._paces) > _MOST:
            self._paces.popitem(last=False)
        return pace
