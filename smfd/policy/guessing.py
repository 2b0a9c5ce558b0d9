"""
How often somebody may guess a password, without a clock.

Each guess is taken from what an address, its network and the account have left
in a minute, and given back when it was right.  Whoever logged in from an
address before has some left there that nobody else can use up: guessing from
elsewhere locks no owner out.
"""

from collections import OrderedDict
from collections.abc import Sequence

from attrs import define, field, frozen

from smfd.policy.bucket import TokenBucket
from smfd.policy.networks import network_of

#: How many of the longest unused entries of a full table are looked at.
_LOOKS = 8

_MINUTE = 60.0


@frozen
class Terms:
    """
    How many wrong guesses a minute may have.

    @ivar account: for one account, and from one address.
    @ivar network: from the network of an address.
    @ivar size: how many addresses, networks and accounts are remembered, each.
    @ivar homes: how many addresses of its owner an account has, at most.
    """

    account: int = 10
    network: int = 30
    size: int = 20_000
    homes: int = 8


@define(eq=False)
class Guesses:
    """
    What one of them has left.

    @ivar held: guesses that nobody has judged yet.
    """

    bucket: TokenBucket
    held: int = 0

    def at_rest(self, now: float) -> bool:
        """Whether to forget it would change nothing."""
        return not self.held and self.bucket.full(now)


@define
class Table:
    """
    Those of one kind; the longest unused go, unless something is used of them.

    A full table has all newcomers share one, so that to fill it opens nothing.
    """

    size: int
    most: int
    _held: "OrderedDict[str, Guesses]" = field(factory=OrderedDict, init=False)
    _others: Guesses | None = field(default=None, init=False)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._held)

    def of(self, key: str, now: float) -> Guesses:
        """What somebody has left."""
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
            return found
        if len(self._held) >= self.size and not self._forget(now):
            self._others = self._others or self._new(now)
            return self._others
        found = self._held[key] = self._new(now)
        return found

    def _new(self, now: float) -> Guesses:
        return Guesses(TokenBucket.filled(self.most, _MINUTE, now))

    def _forget(self, now: float) -> bool:
        for _ in range(min(_LOOKS, len(self._held))):
            key, found = next(iter(self._held.items()))
            if found.at_rest(now):
                del self._held[key]
                return True
            self._held.move_to_end(key)
        return False


@frozen
class TooMany:
    """
    No more guesses for now.

    @ivar seconds: until there may be one.
    @ivar pending: or sooner, when one of those under way turns out right.
    """

    seconds: float
    pending: bool


@define(eq=False)
class Attempt:
    """
    One guess under way; exactly one of its methods ends it.

    @ivar at_home: its owner has logged in from there before.
    """

    at_home: bool
    _throttle: "Throttle"
    _account: str
    _client: str
    _taken: Sequence[Guesses]

    def right(self, now: float) -> None:
        """It was the owner, and this is an address of his."""
        self.spare()
        self._throttle.welcome(self._account, self._client, now)

    def wrong(self) -> None:
        """It was not, or nobody will ever know."""
        for guesses in self._taken:
            guesses.held -= 1

    def spare(self) -> None:
        """It was not judged, and that is our own affair."""
        self.wrong()
        for guesses in self._taken:
            guesses.bucket.give_back()


class Throttle:
    """Counts the guesses of everybody."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._accounts = Table(terms.size, terms.account)
        self._addresses = Table(terms.size, terms.account)
        self._networks = Table(terms.size, terms.network)
        # Only who was right gets in here.
        self._homes: OrderedDict[str, OrderedDict[str, Guesses]] = OrderedDict()

    def begin(self, account: str, client: str, now: float) -> Attempt | TooMany:
        """Take a guess at an account, if there is one left."""
        homes = self._homes.get(account)
        home = homes.get(client) if homes else None
        taken = [home] if home is not None else self._of(account, client, now)
        wait = max(guesses.bucket.wait(now) for guesses in taken)
        if wait > 0:
            short = [g for g in taken if g.bucket.wait(now) > 0]
            return TooMany(wait, all(guesses.held for guesses in short))
        for guesses in taken:
            guesses.bucket.take(now)
            guesses.held += 1
        return Attempt(home is not None, self, account, client, taken)

    def welcome(self, account: str, client: str, now: float) -> None:
        """An owner has logged in from there."""
        homes = self._homes.setdefault(account, OrderedDict())
        self._homes.move_to_end(account)
        if client not in homes:
            bucket = TokenBucket.filled(self._terms.account, _MINUTE, now)
            homes[client] = Guesses(bucket)
        homes.move_to_end(client)
        if len(homes) > self._terms.homes:
            homes.popitem(last=False)
        if len(self._homes) > self._terms.size:
            self._homes.popitem(last=False)

    def _of(self, account: str, client: str, now: float) -> list[Guesses]:
        network = network_of(client)
        # Who has an IPv6 network has all its addresses.
        address = network if ":" in client else client
        return [
            self._addresses.of(address, now),
            self._networks.of(network, now),
            self._accounts.of(account, now),
        ]
