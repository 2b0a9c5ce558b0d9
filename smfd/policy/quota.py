"""
What an account has used, without a clock: whoever asks says what time it is.

A meter's state is a short text, so that those who keep it (a table, Redis) need
not know what it means.  A bucket is C{LEVEL AT}; a rolling window is
C{SLOT:COUNT SLOT:COUNT ...}, each slot a 48th of its time: what is counted is
forgotten when all of its slot is over, never a moment too early.
"""

import re
from enum import Enum

from attrs import frozen

from smfd.policy.bucket import TokenBucket

#: Slots of a window.
SLOTS = 48

MINUTE = 60.0
DAY = 86400.0
FOREVER = float("inf")

#: How many things of one kind an account is known by; the oldest are forgotten.
REMEMBERED = 20_000


class Kind(Enum):
    """What a meter counts."""

    #: A token bucket.
    BUCKET = "bucket"
    #: All within a rolling time.
    WINDOW = "window"
    #: Things that were not seen before.
    NEW = "new"
    #: Things that were.
    REPEATED = "repeated"


@frozen
class Meter:
    """
    One thing that is counted for each account.

    @ivar name: as those who keep it know it.
    @ivar seconds: in which a bucket fills, or that a window looks back.
    @ivar kept: seconds for which a thing counts as seen.
    """

    name: str
    kind: Kind
    seconds: float
    kept: float = 0.0

    @property
    def sees(self) -> bool:
        """Whether it looks at things."""
        return self.kept > 0


CONNECTIONS = Meter("connections", Kind.BUCKET, MINUTE)
RATE = Meter("rate", Kind.BUCKET, MINUTE)
MESSAGES = Meter("messages", Kind.WINDOW, DAY)
RECIPIENTS = Meter("recipients", Kind.WINDOW, DAY)
NEW_RECIPIENTS = Meter("new_recipients", Kind.NEW, DAY, kept=180 * DAY)
NETWORKS = Meter("networks", Kind.NEW, DAY, kept=30 * DAY)
IDENTICAL = Meter("identical", Kind.REPEATED, DAY, kept=DAY)
BREACHES = Meter("breaches", Kind.NEW, DAY, kept=DAY)
UNKNOWN = Meter("unknown", Kind.WINDOW, DAY)
COMPLAINTS = Meter("complaints", Kind.WINDOW, DAY)

#: What L{is_state} takes.
_NUMBER = r"-?\d{1,18}(?:\.\d{1,9})?"
_BUCKET = re.compile(f"(?:{_NUMBER} {_NUMBER})?")
_WINDOW = re.compile(r"(?:-?\d{1,15}:\d{1,15}(?: (?!$)|$)){0,200}")

METERS = (
    *(CONNECTIONS, RATE, MESSAGES, RECIPIENTS),
    *(NEW_RECIPIENTS, NETWORKS, IDENTICAL, BREACHES, UNKNOWN, COMPLAINTS),
)


@frozen
class Draw:
    """
    So much of one meter.

    @ivar most: what there may be in its time.
    @ivar count: how much is wanted, of a meter that looks at no things.
    @ivar items: the things, each once.
    """

    meter: Meter
    most: float = FOREVER
    count: int = 1
    items: tuple[str, ...] = ()


@frozen
class Taken:
    """
    What was drawn, all of it.

    @ivar draws: with the counts that were taken, and only those things that
        had not been seen before.
    @ivar used: what each meter has in its time now.
    """

    draws: tuple[Draw, ...]
    used: tuple[float, ...]


@frozen
class Excess:
    """
    Too much; nothing was drawn.

    @ivar meter: the one that takes longest.
    @ivar wait: seconds until it has so much; infinite when it never has.
    """

    meter: Meter
    most: float
    wait: float


@frozen
class Level:
    """
    How a meter stands when some has been taken.

    @ivar state: to be kept even if nothing was taken: a clock that was set back
        is noted in it.
    @ivar wait: seconds until there is enough; when not 0 nothing was taken.
    """

    state: str
    used: float
    wait: float = 0.0


def is_state(meter: Meter, state: object) -> bool:
    """Whether that may be the state of a meter; what is not says nothing."""
    form = _BUCKET if meter.kind is Kind.BUCKET else _WINDOW
    return isinstance(state, str) and form.fullmatch(state) is not None


def take(draw: Draw, state: str, count: int, now: float) -> Level:
    """
    Take some of a meter.

    @param count: how much, what things were seen considered.
    """
    if draw.meter.kind is Kind.BUCKET:
        return _pour(draw, state, count, now)
    slots, here = _slots(draw.meter, state, now)
    used = sum(slots.values())
    if count and used + count > draw.most:
        return Level(_text(slots), used, _until(draw, slots, used + count, now))
    if count:
        slots[here] = slots.get(here, 0) + count
    return Level(_text(slots), used + count)


def give_back(draw: Draw, state: str, now: float) -> str:
    """What a meter is when what was taken of it comes back."""
    if draw.meter.kind is Kind.BUCKET:
        return _pour(draw, state, -draw.count, now).state
    slots, _ = _slots(draw.meter, state, now)
    left = draw.count
    for slot in sorted(slots, reverse=True):
        less = min(left, slots[slot])
        slots[slot] -= less
        left -= less
    return _text(slots)


def ends(meter: Meter) -> float:
    """Seconds after which a state that nobody touched says nothing."""
    return meter.seconds * (1 + 1 / SLOTS)


def _pour(draw: Draw, state: str, count: int, now: float) -> Level:
    most, seconds = draw.most, draw.meter.seconds
    if most == FOREVER:
        return Level(state, 0.0)
    bucket = TokenBucket.filled(most, seconds, now)
    if state:
        level, at = map(float, state.split())
        bucket.level, bucket.at = min(level, most), at
    wait = 0.0
    if not bucket.take(now, count):
        wait = FOREVER if count > most else bucket.wait(now, count)
    level = min(bucket.level, most)
    return Level(f"{level:.6f} {now:.3f}", most - level, wait)


def _slots(meter: Meter, state: str, now: float) -> tuple[dict[int, int], int]:
    """What still counts by slot, and the slot of now."""
    here = int(now * SLOTS // meter.seconds)
    slots = {}
    for word in state.split():
        slot, _, count = word.partition(":")
        slots[int(slot)] = int(count)
    # A clock that was set back takes the window with it: nothing is counted
    # for longer than its time, and nothing is forgotten earlier.
    ahead = max(0, max(slots, default=here) - here)
    return {s - ahead: n for s, n in slots.items() if s - ahead >= here - SLOTS}, here


def _until(draw: Draw, slots: dict[int, int], wanted: float, now: float) -> float:
    """Seconds until so many slots are over that what is wanted is not too much."""
    width = draw.meter.seconds / SLOTS
    for slot in sorted(slots):
        wanted -= slots[slot]
        if wanted <= draw.most:
            return max(1.0, (slot + 1 + SLOTS) * width - now)
    return FOREVER


def _text(slots: dict[int, int]) -> str:
    return " ".join(f"{slot}:{slots[slot]}" for slot in sorted(slots) if slots[slot])
