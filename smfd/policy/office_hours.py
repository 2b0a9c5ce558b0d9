"""
Days and hours: C{mon-fri 08:00-18:00 Europe/Berlin}.

Any of the three may be left out: every day, all day, UTC.
"""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from attrs import frozen

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(DAYS)
_DAYS = re.compile(rf"({_DAY})(?:-({_DAY}))?")
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,60}")
_DAY_MINUTES = 24 * 60
_WRONG = "is no time: write mon-fri 08:00-18:00 Europe/Berlin, or parts of that."


@frozen
class Hours:
    """
    Some hours of some days.

    @ivar first: the first day, 0 is Monday; C{last}, the last one.
    @ivar begin: minutes after midnight; C{end}, where it ends, itself not in
        it.  An end before the beginning is on the day after.
    @ivar zone: a name of the time zone database.
    """

    first: int
    last: int
    begin: int
    end: int
    zone: ZoneInfo

    def __str__(self) -> str:
        """As it is stored."""
        return (
            f"{DAYS[self.first]}-{DAYS[self.last]}"
            f" {_shown(self.begin)}-{_shown(self.end)} {self.zone.key}"
        )

    def holds(self, time: float) -> bool:
        """Whether a moment, in seconds since the epoch, is one of these."""
        try:
            at = datetime.fromtimestamp(time, self.zone)
        except (OverflowError, ValueError, OSError):
            return False
        minute, day = at.hour * 60 + at.minute, at.weekday()
        if self.begin < self.end:
            return self._on(day) and self.begin <= minute < self.end
        if minute >= self.begin:
            return self._on(day)
        return minute < self.end and self._on((day - 1) % 7)

    def _on(self, day: int) -> bool:
        return (day - self.first) % 7 <= (self.last - self.first) % 7


def parse_hours(text: str) -> Hours:
    """
    Read what a person wrote.

    @raise ValueError: with a sentence that says what is wrong.
    """
    words = text.split()
    if not words or len(text) > 100:
        raise ValueError(f"{text[:60]!r} {_WRONG}")
    first, last = 0, 6
    begin, end = 0, _DAY_MINUTES
    zone = ZoneInfo("UTC")
    if days := _DAYS.fullmatch(words[0].lower()):
        first = DAYS.index(days[1])
        last = DAYS.index(days[2]) if days[2] else first
        words.pop(0)
    if words and (clock := _CLOCK.fullmatch(words[0])):
        begin, end = _minutes(clock[1], clock[2]), _minutes(clock[3], clock[4])
        words.pop(0)
    if len(words) == 1 and words[0][0].isalpha():
        zone = _zone(words.pop())
    if words or max(begin, end) > _DAY_MINUTES or begin == end:
        raise ValueError(f"{text[:60]!r} {_WRONG}")
    return Hours(first, last, begin, end, zone)


def _minutes(hour: str, minute: str) -> int:
    return int(hour) * 60 + int(minute)


def _shown(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _zone(name: str) -> ZoneInfo:
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise ValueError(f"{name[:60]!r} is no time zone: write Europe/Berlin, or UTC.")
