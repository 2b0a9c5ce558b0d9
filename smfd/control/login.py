"""
Logging in, whatever the door.

Nobody who fails learns why: not whether there is such an account, nor whether
its password is good for other things.  Guessing is bounded for each address,
network and account, and costs no owner his way in (see
L{smfd.policy.guessing}).
"""

import hmac
import re
import secrets
from collections import OrderedDict

from attrs import Factory, define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.control.passwords import Busy, Passwords
from smfd.control.turns import Turns
from smfd.model.credentials import AppPassword, Credentials
from smfd.model.directory import Refused
from smfd.policy.guessing import Attempt, Throttle, TooMany, place_of
from smfd.policy.networks import networks, within
from smfd.store.directory_passwords import Keys
from smfd.store.directory_rules import address
from smfd.store.history import Shelf
from smfd.store.homes import Homes

#: How an app password begins: its number.
_APP = re.compile(r"app([1-9][0-9]{0,14})-(.+)", re.DOTALL)

_DAY = 86400.0


@frozen
class LoginRefused:
    """
    Nobody is logged in.

    @ivar kind: "wrong"; "restricted", which he is told as "wrong": an app password
        that is right, and not for this service or network; or "throttled" or
        "busy", and he may come again.
    @ivar account: whose door it was meant to be: an address of a domain that is
        ours, whether there is such an account or not; else "", for what was
        typed may be a password.
    @ivar seconds: when to come again.
    """

    kind: str
    text: str
    account: str = ""
    seconds: float = 0.0


WRONG = "The user or the password is wrong"
BUSY = LoginRefused("busy", "Too many logins at once, try again later")


@define(eq=False)
class Remembered:
    """
    What was right a short while ago, so that it need not be hashed again.

    No password is in it: what it keeps nobody can hold a guess against who has
    not this process's key.

    @ivar seconds: how long; 0 for not at all.
    @ivar size: how many.
    """

    seconds: float
    size: int
    _key: bytes = Factory(lambda: secrets.token_bytes(32))
    _until: "OrderedDict[bytes, float]" = field(factory=OrderedDict, init=False)

    def mark(self, stored: str, password: str) -> bytes:
        """What a password with its hash is known by; another hash, another mark."""
        said = f"{len(stored)} {stored}{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, said, "sha256")

    def has(self, mark: bytes, now: float) -> bool:
        """Whether it was right lately."""
        return now < self._until.get(mark, 0.0) <= now + self.seconds

    def keep(self, mark: bytes, now: float) -> None:
        """It was right."""
        self._until[mark] = now + self.seconds
        self._until.move_to_end(mark)
        if len(self._until) > self.size:
            self._until.popitem(last=False)


@frozen
class Tried:
    """
    What a password is held against.

    @ivar account: "" when there is no such account.
    @ivar stored: the hash, or "" for none.
    @ivar app: whose it is, if it is an app password's.
    """

    account: str
    stored: str = field(repr=False)
    password: str = field(repr=False)
    app: AppPassword | None = None


@define(eq=False)
class Logins:
    """
    Lets people in.

    @ivar waiting: how many may wait for the guesses of their neighbours.
    @ivar patience: seconds that an owner at home waits, when his neighbours there
        have used up what he needs.
    @ivar homes: where owners were before the last start.
    """

    keys: Keys
    passwords: Passwords
    throttle: Throttle
    remembered: Remembered
    clock: IReactorTime
    waiting: int = 100
    patience: float = 4.0
    homes: Homes = Factory(lambda: Homes(Shelf(20_000)))
    _turns: Turns = Factory(lambda me: Turns(me.clock, me.waiting), takes_self=True)

    _log = Logger()

    def login(
        self, user: str, password: str, client: str, service: str
    ) -> Deferred[str | LoginRefused]:
        """
        Whose account it is.

        @param user: an address, as it was typed.
        @param client: the IP address he comes from.
        @param service: "submission", "imap", "pop3" or "console".
        """
        return Deferred.fromCoroutine(self._login(user, password, client, service))

    async def _login(
        self, user: str, password: str, client: str, service: str
    ) -> str | LoginRefused:
        name = account_of(user)
        found = await self._tried(name, user, password, client, service)
        if isinstance(found, str):
            return found
        ours = name and await self.keys.is_ours(name)
        return evolve(found, account=name if ours else "")

    async def _tried(
        self, name: str, user: str, password: str, client: str, service: str
    ) -> str | LoginRefused:
        attempt = await self._begin(name or user[:320].lower(), client)
        if isinstance(attempt, LoginRefused):
            return attempt
        fits = spared = False
        try:
            found = await self.keys.of(name) if name else None
            tried = _tried(found, password)
            right = await self._is_right(tried, attempt.at_home)
            fits = right and self._fits(tried, client, service)
            if fits:
                return tried.account
            kind = "restricted" if right else "wrong"
            return LoginRefused(kind, WRONG)
        except Busy:
            spared = True
            return BUSY
        finally:
            # Whoever hangs up meanwhile has guessed all the same.
            self._end(attempt, fits, spared)

    async def _begin(self, account: str, client: str) -> Attempt | LoginRefused:
        begun = self.clock.seconds()
        self._at_home(account, client, begun)
        # Whoever waits goes first, when time has brought what he waits for.
        self._turns.call()
        while True:
            now = self.clock.seconds()
            found = self.throttle.begin(account, client, now)
            if isinstance(found, Attempt):
                return found
            left = self.patience - (now - begun)
            waits = found.patient and left > 0
            if not waits and not found.pending:
                return _throttled(found)
            # Those before him may all be right, as when an office wakes up.
            seconds = min(found.seconds, left) if waits else None
            # Of the same rank, who came last will wait longest before he gives up.
            if not await self._turns.wait((found.rank, -begun), seconds):
                return BUSY

    def _at_home(self, account: str, client: str, now: float) -> None:
        """A restart, or a crowd, makes no owner a stranger."""
        if not self.throttle.is_home(account, client) and self.homes.has(
            account, place_of(client), now
        ):
            self.throttle.welcome(account, client, now)

    def _end(self, attempt: Attempt, right: bool, spared: bool) -> None:
        if spared:
            attempt.spare()
        elif right:
            now = self.clock.seconds()
            attempt.right(now)
            self.homes.keep(attempt.account, place_of(attempt.client), now)
        else:
            attempt.wrong()
        self._turns.call()

    async def _is_right(self, tried: Tried, preferred: bool) -> bool:
        mark = self.remembered.mark(tried.stored, tried.password)
        if tried.stored and self.remembered.has(mark, self.clock.seconds()):
            return True
        judged = await self.passwords.judge(tried.stored, tried.password, preferred)
        if judged.right:
            self.remembered.keep(mark, self.clock.seconds())
        if judged.renewed and tried.app is None:
            self._later(self.keys.renew(tried.account, tried.stored, judged.renewed))
        return judged.right

    def _fits(self, tried: Tried, client: str, service: str) -> bool:
        """Whether a password that is right may be used so."""
        app = tried.app
        if app is None:
            return True
        if service not in app.services:
            return False
        if app.networks and not within(client, networks(app.networks)):
            return False
        now = self.clock.seconds()
        if app.used is None or now - app.used >= _DAY:
            self._later(self.keys.used(app))
        return True

    def _later(self, writing: "Deferred[bool] | Deferred[None]") -> None:
        writing.addErrback(lambda failure: self._log.failure("a login", failure))


def account_of(user: str) -> str:
    """The address that is meant by what was typed; "" when it can be none."""
    try:
        return address(user)[0]
    except Refused:
        return ""


def _tried(found: Credentials | None, password: str) -> Tried:
    """One hash, and never all: an app password says its number."""
    if found is None:
        return Tried("", "", password)
    said = _APP.fullmatch(password)
    for app in found.apps if said else ():
        if said and app.id == int(said[1]):
            return Tried(found.account, app.password, said[2], app)
    return Tried(found.account, found.password, password)


def _throttled(excess: TooMany) -> LoginRefused:
    seconds = max(1, round(excess.seconds + 0.5))
    text = f"Too many wrong passwords, try again in {seconds} seconds"
    return LoginRefused("throttled", text, seconds=seconds)
