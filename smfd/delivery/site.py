"""One site: what goes to the server of a domain, and how it takes it."""

from collections import deque
from collections.abc import Iterable
from enum import Enum
from math import inf

from attrs import define, field, frozen

from smfd.delivery.load import Load
from smfd.model.entry import Consignment, Key
from smfd.model.queue import SiteState


@frozen
class Bounds:
    """
    How much goes to other servers at once, and how much waits in memory.

    What finds no room waits in the ledger: it costs no memory.

    @ivar connections: the most batches under way.
    @ivar per_site: the most of them to one site.
    @ivar messages: the most messages of one batch: what was sent is settled
        soon, for it cannot be sent twice harmlessly.
    @ivar recipients: the most recipients of one batch.
    @ivar window: the most recipients that wait in memory for all sites.
    @ivar share: the most of them for one.
    @ivar octets: the most octets of their bodies, a fourth of them for one site.
    @ivar page: the most octets of bodies read from the ledger for one batch.
    @ivar slow: seconds that a batch takes at most, while a site is quick.
    @ivar sites: the most sites that are known at once.
    """

    connections: int = 200
    per_site: int = 20
    messages: int = 16
    recipients: int = 100
    window: int = 5000
    share: int = 1250
    octets: int = 16_777_216
    page: int = 262_144
    slow: float = 30.0
    sites: int = 50_000


class Pace(Enum):
    """
    How a site took its last batch: those who do well wait for none who do not.

    A new one is FRESH; one whose server is not there, or takes long, is SLOW.
    """

    QUICK = 0
    FRESH = 1
    SLOW = 2


#: Seconds that a site is left alone, to be worth a row.
_WORTH = 30.0

#: How many batches go to a site at first.
_FIRST = 2


@define(eq=False)
class Site:
    """
    A site that has work, or had some lately.

    @ivar waiting: what is in memory and not under way.
    @ivar in_hand: who is waiting, under way or not settled yet.
    @ivar more: there may be due mail in the ledger that is not in hand.
    @ivar reading: it is being read.
    @ivar running: batches under way.
    @ivar limit: how many may be.
    @ivar next_try: when the server may be tried, seconds since the epoch.
    @ivar noted: the ledger knows that it is not well.
    @ivar well_at: when a batch ended that went well.
    @ivar attempts: how often nobody was there, one time after the other.
    @ivar wake_at: when to look into the ledger again, if nothing happens.
    @ivar queued: it waits for its turn, for what is in the ledger.
    @ivar urgent: it waits for its turn, for what is new.
    """

    name: str
    load: Load
    waiting: deque[Consignment] = field(factory=deque)
    in_hand: set[Key] = field(factory=set)
    more: bool = False
    reading: bool = False
    running: int = 0
    limit: int = _FIRST
    held: bool = False
    next_try: float = 0.0
    attempts: int = 0
    why: str = ""
    since: float = 0.0
    noted: bool = False
    well_at: float = -inf
    pace: Pace = Pace.FRESH
    wake_at: float = inf
    queued: bool = False
    urgent: bool = False

    @property
    def state(self) -> SiteState:
        """What is kept of it."""
        return SiteState(
            self.name,
            next_try=self.next_try,
            attempts=self.attempts,
            why=self.why,
            since=self.since,
        )

    @property
    def idle(self) -> bool:
        """Nothing is to be known of it that is not in the ledger."""
        known = self.held or self.attempts or self.queued or self.urgent
        known = known or self.wake_at < inf
        return not (self.in_hand or self.more or self.running or known)

    def asleep(self, now: float) -> bool:
        """It has nothing to do now, and the ledger knows when it has."""
        away = self.in_hand or self.running or self.queued or self.urgent
        return not away and (self.next_try > now or not self.more)

    @property
    def work(self) -> bool:
        """There is something to begin with."""
        return bool(self.waiting) or self.unread

    def shut(self, now: float) -> bool:
        """Nothing goes there now."""
        return self.held or self.next_try > now

    def ready(self, now: float) -> bool:
        """Something could go now."""
        return self.work and not self.shut(now)

    @property
    def unread(self) -> bool:
        """What is due is in the ledger, and nobody reads it just now."""
        return self.more and not self.reading

    def room(self, free: int, most: int) -> bool:
        """
        Whether one more batch may go.

        One always may.  The fewer connections are left for all, the fewer has
        one site: what is slow everywhere leaves some for the others.

        @param free: connections that nobody has.
        @param most: the most that one site may have.
        """
        if not self.running:
            return True
        return not self.attempts and self.running < min(self.limit, most, free)

    def know(self, state: SiteState) -> None:
        """Take over what is kept of it."""
        self.next_try, self.attempts = state.next_try, state.attempts
        self.why, self.since = state.why, state.since
        self.noted = bool(state.attempts or state.next_try)
        if self.attempts:
            self.pace = Pace.SLOW

    def put(self, consignment: Consignment) -> None:
        """One waits in memory."""
        self.waiting.append(consignment)
        self.in_hand.add(consignment.key)
        self.load.add(consignment)

    def batch(self, bounds: Bounds) -> list[Consignment]:
        """The next that go together; they do not wait any more."""
        found = fitting(self.waiting, bounds)
        for _ in found:
            self.waiting.popleft()
        self.load.remove(found)
        return found

    def forget_waiting(self) -> None:
        """What waits is read again from the ledger, as it is there now."""
        self.in_hand.difference_update(c.key for c in self.waiting)
        self.load.remove(self.waiting)
        self.waiting.clear()
        self.more = True

    def well(self, now: float, seconds: float, bounds: Bounds) -> bool:
        """A batch went well, and took so long; whether that is to be kept."""
        self.well_at = now
        was_down, self.attempts = self.attempts, 0
        noted, self.noted = self.noted, False
        self.next_try, self.why, self.since = 0.0, "", 0.0
        if seconds > bounds.slow:
            self.pace = Pace.SLOW
            return noted
        self.pace = Pace.QUICK
        self.limit = _FIRST if was_down else min(self.limit + 1, bounds.per_site)
        return noted

    def wait(self, now: float, next_try: float, why: str) -> bool:
        """
        The server is there, and wants to be left alone until a time; whether
        that is to be kept.
        """
        self.next_try, self.why = max(self.next_try, next_try), why
        self.since = self.since or now
        self.shaken()
        self.forget_waiting()
        self.noted = self.noted or next_try > now + _WORTH
        return self.noted

    def others_do(self, since: float) -> bool:
        """Other batches than this one go well since a time, or are under way."""
        return self.running > 1 or self.well_at >= since

    def shaken(self) -> None:
        """A batch went badly, others may go well: fewer go at once."""
        self.limit = max(1, self.limit // 2)
        self.more = True

    def down(self, now: float, next_try: float, why: str) -> None:
        """Nobody was there: all of it waits."""
        self.attempts += 1
        self.noted = True
        self.next_try, self.why = next_try, why
        self.since = self.since or now
        self.pace, self.limit = Pace.SLOW, 1
        if self.waiting:
            self.forget_waiting()
        self.more = True


def fitting(waiting: Iterable[Consignment], bounds: Bounds) -> list[Consignment]:
    """As many of the first as make one batch: all for one destination."""
    found: list[Consignment] = []
    entries = set[str]()
    for c in waiting:
        entries.add(c.entry_id)
        if len(entries) > bounds.messages or len(found) == bounds.recipients:
            break
        if found and c.recipient.destination != found[0].recipient.destination:
            break
        found.append(c)
    return found
