"""
How often somebody may guess a password, without a clock.

Each guess is taken from what an address, its network and the account have left
in a minute, and given back when it was right.  Whoever logged in from an
address before is at home there, and has some left that nobody elsewhere can use
up: guessing locks no owner out.  All accounts that are at home at one address
share what it may have, however many they are; for any other account it is a
stranger.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import inf

from attrs import define, field, frozen

from smfd.policy.bucket import TokenBucket
from smfd.policy.networks import network_of
from smfd.policy.window import Window

#: How many of the longest unused entries of a full table are looked at.
_LOOKS = 8

_MINUTE = 60.0


@frozen
class Terms:
    """
    How many wrong guesses a minute may have.

    @ivar account: for one account, and from one address.
    @ivar network: from the network of an address.
    @ivar home: from one address, for all accounts together that are at home there.
    @ivar size: how many addresses, networks and accounts are remembered, each.
    @ivar homes: how many addresses of its owner an account has, at most.
    """

    account: int = 10
    network: int = 30
    home: int = 30
    size: int = 20_000
    homes: int = 8


@define(eq=False)
class Guesses:
    """
    What one of them has left.

    @ivar held: guesses that nobody has judged yet.
    @ivar wrong: when the last wrong one began, or 0.
    """

    bucket: Window | TokenBucket
    held: int = 0
    wrong: float = 0.0

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
    _filled: Callable[[int, float], Window | TokenBucket]
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
        return Guesses(self._filled(self.most, now))

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
    @ivar patient: it is at home, and its neighbours there used up what it needs.
    @ivar rank: whose is lower goes first: at whom nobody guessed for longest.
    """

    seconds: float
    pending: bool
    patient: bool = False
    rank: float = inf


@define(eq=False)
class Attempt:
    """
    One guess under way; exactly one of its methods ends it.

    @ivar at_home: its owner has logged in from there before.
    @ivar begun: when that was.
    """

    at_home: bool
    begun: float
    account: str
    client: str
    _throttle: "Throttle"
    _taken: Sequence[Guesses]

    def right(self, now: float) -> None:
        """It was the owner, and this is an address of his."""
        self.spare()
        self._throttle.welcome(self.account, self.client, now)

    def wrong(self) -> None:
        """It was not, or nobody will ever know."""
        for guesses in self._taken:
            guesses.held -= 1
            guesses.wrong = self.begun

    def spare(self) -> None:
        """It was not judged, and that is our own affair."""
        for guesses in self._taken:
            guesses.held -= 1
            guesses.bucket.give_back()


class Throttle:
    """Counts the guesses of everybody."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._accounts = Table(terms.size, terms.account, _window)
        self._addresses = Table(terms.size, terms.account, _window)
        self._networks = Table(terms.size, terms.network, _window)
        # Only who was right gets in here.
        self._homes: OrderedDict[str, OrderedDict[str, Guesses]] = OrderedDict()
        self._houses = Table(terms.size, terms.home, _share)

    def begin(self, account: str, client: str, now: float) -> Attempt | TooMany:
        """Take a guess at an account, if there is one left."""
        place = place_of(client)
        homes = self._homes.get(account)
        home = homes.get(place) if homes else None
        if home is not None:
            # However many are at home there, who guesses at them all has no more.
            taken = [home, self._houses.of(place, now)]
        else:
            taken = self._of(account, client, now)
        short = [guesses for guesses in taken if guesses.bucket.wait(now) > 0]
        if short:
            return TooMany(
                max(guesses.bucket.wait(now) for guesses in short),
                all(guesses.held for guesses in short),
                home is not None and home not in short,
                home.wrong if home else inf,
            )
        for guesses in taken:
            guesses.bucket.take(now)
            guesses.held += 1
        return Attempt(home is not None, now, account, client, self, taken)

    def is_home(self, account: str, client: str) -> bool:
        """Whether its owner is remembered to have logged in from there."""
        return place_of(client) in self._homes.get(account, ())

    def welcome(self, account: str, client: str, now: float) -> None:
        """An owner has logged in from there."""
        place = place_of(client)
        homes = self._homes.setdefault(account, OrderedDict())
        self._homes.move_to_end(account)
        if place not in homes:
            homes[place] = Guesses(_window(self._terms.account, now))
        homes.move_to_end(place)
        if len(homes) > self._terms.homes:
            homes.popitem(last=False)
        if len(self._homes) > self._terms.size:
            self._homes.popitem(last=False)

    def _of(self, account: str, client: str, now: float) -> list[Guesses]:
        return [
            self._addresses.of(place_of(client), now),
            self._networks.of(network_of(client), now),
            self._accounts.of(account, now),
        ]


def _window(most: int, now: float) -> Window:
    """So many in a minute, at once if they like."""
    return Window(most, _MINUTE)


def _share(most: int, now: float) -> TokenBucket:
    """
    So many in a minute, a third of them at once.

    The others come one by one, so that an owner never waits for long behind who
    guesses as fast as he can.
    """
    size = max(1.0, most / 3)
    return TokenBucket(size, max(1.0, most - size) / _MINUTE, size, now)


def place_of(client: str) -> str:
    """What an address is remembered by."""
    # Who has an IPv6 network has all its addresses.
    return network_of(client) if ":" in client else client
