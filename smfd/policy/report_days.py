"""
The days that domains are told of, and when.

Not all are told in the same second, but each at the same time of the day.

Standards: RFC 8460 §4.1; RFC 7489 has no word on it.
"""

from collections.abc import Iterable
from hashlib import sha256

from attrs import frozen

#: Seconds over which the reports on a day are spread.
SPREAD = 4 * 3600.0

#: Seconds until all that happened on a day is counted.
_COUNTED = 60.0

_DAY = 86_400


@frozen(order=True)
class Day:
    """
    A domain's day.

    @ivar number: days since the epoch.
    """

    number: int
    domain: str

    @property
    def begin(self) -> float:
        """Seconds since the epoch."""
        return float(self.number * _DAY)

    @property
    def end(self) -> float:
        """Its last second."""
        return self.begin + _DAY - 1

    @property
    def key(self) -> str:
        """Both in one word."""
        return f"{self.number} {self.domain}"

    def is_due(self, now: float) -> bool:
        """Whether it is over, and the domain's time has come."""
        digest = sha256(self.domain.encode("utf-8", "replace")).digest()
        share = int.from_bytes(digest[:4], "big") / 2**32
        return now > self.end + _COUNTED + share * SPREAD


def due(keys: Iterable[str], now: float, most: int) -> list[Day]:
    """The first of them that are due, the oldest first; what is no key is none."""
    days = (_day(key) for key in keys)
    return sorted(day for day in days if day is not None and day.is_due(now))[:most]


def _day(key: str) -> Day | None:
    number, _, domain = key.partition(" ")
    return Day(int(number), domain) if number.isdecimal() and domain else None
