"""
What a source may use up, and what it has.

Everybody belongs to an address, to a network and to all; a sender to a domain
too.  What one of these may do in a while is a token bucket, what it may have
at once is a count.
"""

from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum

from attrs import Factory, define, field, frozen

from smfd.policy.bucket import TokenBucket

#: How many of the longest unused entries of a full table are looked at.
_LOOKS = 8

_FOREVER = float("inf")


class What(Enum):
    """What is limited, in the words a client is told."""

    CONNECTIONS = "connections at once"
    RATE = "connections"
    MESSAGES = "messages"
    RECIPIENTS = "recipients"
    ERRORS = "refused commands"
    UNKNOWN = "unknown recipients"
    OCTETS = "octets under way"


#: Counts of what is going on; all others are used up, and come back with time.
_AT_ONCE = frozenset({What.CONNECTIONS, What.OCTETS})


@frozen
class Limit:
    """
    So many of it.

    @ivar most: how many; one more is too many.
    @ivar seconds: within which time; 0 for what is counted at once.
    """

    most: float
    seconds: float = 0.0


@frozen
class Scope:
    """
    Whose use is added up.

    @ivar name: in the words a client is told, such as C{"your address"}.
    @ivar limits: what is limited; what is left out is not.
    """

    name: str
    limits: Mapping[What, Limit]


@frozen
class Excess:
    """
    Too much of something.

    @ivar seconds: until there may be more; 0 when nobody can know.
    @ivar first: nobody was told of it for a minute.
    """

    scope: str
    what: What
    seconds: float = 0.0
    first: bool = True

    def __str__(self) -> str:
        """As a client is told."""
        return f"Too many {self.what.value} from {self.scope}"


@define(eq=False)
class Tally:
    """
    What one source has used, and is using.

    @ivar barred: until when it is not heard, because of C{sins}.
    """

    scope: Scope
    barred: float = 0.0
    sins: What = What.ERRORS
    _at_once: dict[What, float] = Factory(dict)
    _buckets: dict[What, TokenBucket] = Factory(dict)
    _told: float = -_FOREVER

    def take(self, what: What, now: float, count: float = 1.0) -> Excess | None:
        """Use some; None when there was enough."""
        limit = self.scope.limits.get(what)
        if limit is None:
            return None
        if what in _AT_ONCE:
            held = self._at_once.get(what, 0.0)
            if held + count > limit.most:
                return self._excess(what, now, 0.0)
            self._at_once[what] = held + count
            return None
        bucket = self._bucket(what, limit, now)
        if bucket.take(now, count):
            return None
        return self._excess(what, now, bucket.wait(now, count))

    def give_back(self, what: What, count: float = 1.0) -> None:
        """What was going on is over."""
        held = self._at_once.get(what, 0.0) - count
        if held > 0:
            self._at_once[what] = held
        else:
            self._at_once.pop(what, None)

    def sin(self, what: What, now: float, penalty: float) -> Excess | None:
        """Note what should not be; the excess, when it is barred for it."""
        limit = self.scope.limits.get(what)
        if limit is None or self._bucket(what, limit, now).drain(now):
            return None
        self.barred, self.sins = now + penalty, what
        return self._excess(what, now, penalty)

    def bar(self, now: float) -> Excess | None:
        """Why it is not heard now, if it is not."""
        if self.barred <= now:
            return None
        return self._excess(self.sins, now, self.barred - now)

    def at_rest(self, now: float) -> bool:
        """Whether to forget it would change nothing."""
        return (
            not self._at_once
            and self.barred <= now
            and all(bucket.full(now) for bucket in self._buckets.values())
        )

    def _bucket(self, what: What, limit: Limit, now: float) -> TokenBucket:
        bucket = self._buckets.get(what)
        if bucket is None:
            bucket = TokenBucket.filled(limit.most, limit.seconds, now)
            self._buckets[what] = bucket
        return bucket

    def _excess(self, what: What, now: float, seconds: float) -> Excess:
        first = now - self._told >= 60.0
        if first:
            self._told = now
        return Excess(self.scope.name, what, seconds, first)


@define
class Table:
    """
    The tallies of one scope; the longest unused go.

    A tally that is not at rest is never forgotten: a full table of those has
    all newcomers share one, so that to fill it opens nothing.

    @ivar size: how many it holds.
    """

    scope: Scope
    size: int
    _tallies: "OrderedDict[object, Tally]" = field(factory=OrderedDict, init=False)
    _others: Tally = field(init=False)

    @_others.default
    def _shared(self) -> Tally:
        return Tally(self.scope)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._tallies)

    def of(self, key: object, now: float) -> Tally:
        """The tally of a source."""
        tally = self._tallies.get(key)
        if tally is not None:
            self._tallies.move_to_end(key)
            return tally
        if len(self._tallies) >= self.size and not self._forget(now):
            return self._others
        tally = self._tallies[key] = Tally(self.scope)
        return tally

    def known(self, key: object) -> Tally | None:
        """The tally of a source, if it has one."""
        return self._tallies.get(key)

    def _forget(self, now: float) -> bool:
        """Forget one that is at rest, if there is one among the oldest."""
        for _ in range(min(_LOOKS, len(self._tallies))):
            key, tally = next(iter(self._tallies.items()))
            if tally.at_rest(now):
                del self._tallies[key]
                return True
            self._tallies.move_to_end(key)
        return False
