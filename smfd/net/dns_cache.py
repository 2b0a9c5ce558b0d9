"""
Answers that are still good.

Standards: RFC 1035 §7.4, RFC 2308 §5 and §7.1.
"""

from collections import OrderedDict

from attrs import define, evolve, field, frozen

from smfd.model.hop import TLSA
from smfd.net.dns_answer import Answer, Key


@frozen
class Lifetimes:
    """
    How long an answer is kept, whatever its TTL says; seconds.

    @ivar trouble: how long a look-up that had no answer is not tried again
        (RFC 2308 §7.1: at most five minutes).
    """

    least: int = 5
    most: int = 3600
    negative: int = 300
    trouble: int = 5

    def of(self, answer: Answer) -> int:
        """The seconds to keep an answer."""
        most = self.most if answer.status == "ok" else self.negative
        return max(self.least, min(answer.ttl, most))


@define
class Cache:
    """
    The answers used last.  It has no clock: the caller says what time it is.

    @ivar entries: how many it holds.
    @ivar octets: how many octets of records it holds.
    """

    entries: int
    octets: int = 8_000_000
    lifetimes: Lifetimes = Lifetimes()
    _kept: OrderedDict[Key, tuple[float, int, Answer | None]] = field(
        factory=OrderedDict
    )
    _held: int = 0

    def get(self, key: Key, now: float) -> tuple[bool, Answer | None]:
        """
        What is known.

        @return: (True, answer), (True, None) for trouble that is still too
            young to try again, or (False, None).
        """
        kept = self._kept.get(key)
        if kept is None:
            return False, None
        if kept[0] <= now:
            self._drop(key)
            return False, None
        self._kept.move_to_end(key)
        return True, kept[2]

    def put(self, key: Key, answer: Answer | None, now: float) -> Answer | None:
        """
        Keep an answer, or None for trouble; the oldest make room.

        @return: the answer, which now says until when it is good.
        """
        self._drop(key)
        until = now + self._seconds(answer)
        size = 200
        if answer is not None:
            answer = evolve(answer, until=until)
            size += sum(map(_size, answer.records))
        self._kept[key] = (until, size, answer)
        self._held += size
        while len(self._kept) > self.entries or self._held > self.octets:
            self._drop(next(iter(self._kept)))
        return answer

    def forget(self, key: Key) -> None:
        """Whatever was known of it, nothing is."""
        self._drop(key)

    def _seconds(self, answer: Answer | None) -> int:
        if answer is None:
            return self.lifetimes.trouble
        return self.lifetimes.of(answer)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._held -= kept[1]


def _size(record: object) -> int:
    if isinstance(record, TLSA):
        return 64 + len(record.octets)
    return len(record) if isinstance(record, bytes | str) else 64
