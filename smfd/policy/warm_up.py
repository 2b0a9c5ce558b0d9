"""
How much a new address may send: little at first, twice as much each day.

Nobody believes an address that he has never seen and that sends thousands.
"""

from collections.abc import Mapping

from attrs import define, field

#: Days after which an address is as good as any.
DAYS = 12

#: Destinations that are counted one by one; those after them together.
_MOST = 5000

_DAY = 86_400


@define
class WarmUp:
    """
    Counts what new addresses of ours sent today, by provider.

    @ivar since: by address, the day it began, in days since the epoch.
    @ivar first: messages to one provider on the first day.
    """

    since: Mapping[str, int] = field(factory=dict)
    first: int = 50
    _day: int = field(default=0, init=False)
    _sent: dict[tuple[str, str], int] = field(factory=dict, init=False)

    def most(self, source: str, now: float) -> int | None:
        """Messages to one provider today; None: as many as you like."""
        begun = self.since.get(source)
        if begun is None:
            return None
        days = int(now // _DAY) - begun
        if days >= DAYS:
            return None
        # What begins tomorrow may send nothing today.
        return self.first << days if days >= 0 else 0

    def sent(self, source: str, provider: str, now: float) -> int:
        """How many went today from a new address."""
        self._turn(now)
        return self._sent.get(self._key(source, provider), 0)

    def count(self, source: str, provider: str, now: float, number: int = 1) -> None:
        """So many go."""
        if self.most(source, now) is None:
            return
        self._turn(now)
        key = self._key(source, provider)
        self._sent[key] = self._sent.get(key, 0) + number

    def wait(self, source: str, provider: str, now: float) -> float:
        """Seconds until one more may go; 0 for now."""
        most = self.most(source, now)
        if most is None or self.sent(source, provider, now) < most:
            return 0.0
        return (now // _DAY + 1) * _DAY - now

    def _key(self, source: str, provider: str) -> tuple[str, str]:
        key = source, provider
        return key if key in self._sent or len(self._sent) < _MOST else (source, "")

    def _turn(self, now: float) -> None:
        day = int(now // _DAY)
        if day != self._day:
            self._day, self._sent = day, {}
