"""
What our users may send: asked before a message is taken, noted when it is.

Standards: RFC 5321 §4.2.2 (450, 452, 550, 552), RFC 3463 §3.6 and §3.8.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import ceil

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.control.times import span, utc
from smfd.interfaces import ICounters
from smfd.model.directory import Refused
from smfd.model.quota import Allowance, Hold
from smfd.policy import quota
from smfd.policy.networks import network_of
from smfd.policy.quota import FOREVER, Draw, Excess, Taken
from smfd.policy.suspicion import many_unknown, suspicious
from smfd.store.directory_cache import Cache
from smfd.store.directory_holds import Holds
from smfd.store.directory_limits import Allowances
from smfd.store.directory_rows import SMFD
from smfd.store.queue import Queue

#: Seconds within which too much is too much once.
_BREACH = 600.0

#: What too much of each is answered, and called.
_ANSWERS = {
    quota.CONNECTIONS: (450, "4.7.1", "logins a minute"),
    quota.RATE: (450, "4.7.1", "messages a minute"),
    quota.MESSAGES: (450, "4.7.1", "messages in 24 hours"),
    quota.RECIPIENTS: (452, "4.5.3", "recipients in 24 hours"),
    quota.NEW_RECIPIENTS: (452, "4.5.3", "first-time recipients in 24 hours"),
}


@frozen
class Granted:
    """
    It may be sent; it is counted already.

    @ivar held: why all that the account sends is held back, or "" (D5).
    """

    account: str
    taken: Taken
    held: str = ""


@frozen
class Exceeded:
    """
    It may not be sent; nothing was counted.

    @ivar text: which limit it is, and when it ends.
    @ivar wait: seconds until then; infinite when the message is too much by
        itself.
    """

    code: int
    status: str
    text: str
    wait: float = FOREVER


@frozen
class _Spent:
    """An account that may send nothing for a while."""

    excess: Excess
    at: float

    def left(self, now: float) -> Excess | None:
        """What is left of it; None: ask again."""
        wait = self.at + self.excess.wait - now
        # A clock that was set back proves nothing.
        return evolve(self.excess, wait=wait) if now >= self.at and wait > 0 else None


@define
class Breaches:
    """The accounts that wanted too much; the last thousand."""

    _times: OrderedDict[str, float] = field(factory=OrderedDict, init=False)

    def note(self, account: str, now: float) -> None:
        """It did just now."""
        self._times[account] = now
        self._times.move_to_end(account)
        if len(self._times) > 1000:
            self._times.popitem(last=False)

    def of_late(self, now: float) -> list[str]:
        """Those of the last 24 hours, the latest first."""
        return [a for a, at in reversed(self._times.items()) if at > now - quota.DAY]


@frozen
class Quota:
    """
    Counts what each account sends, and stops what is too much.

    What fails here is ours: nobody knows what was sent, and it is answered 4yz.

    @ivar spent: accounts that were stopped, so that they are stopped early.
    @ivar breaches: who wanted too much of late, since we run.
    @ivar queue: has what was accepted of them and is not yet gone.
    """

    counters: ICounters
    allowances: Allowances
    holds: Holds
    clock: IReactorTime
    spent: Cache[_Spent]
    breaches: "Breaches"
    queue: Queue | None = None

    _log = Logger()

    @classmethod
    def of(
        cls,
        counters: ICounters,
        allowances: Allowances,
        holds: Holds,
        clock: IReactorTime,
        queue: Queue | None = None,
    ) -> "Quota":
        """The quota by what is kept of it."""
        spent = allowances.directory.cache(10_000)
        return cls(counters, allowances, holds, clock, spent, Breaches(), queue)

    def login(self, account: str) -> Deferred[Exceeded | None]:
        """Somebody logged in; why he may not, if he did so too often (S20)."""
        return Deferred.fromCoroutine(self._login(account.lower()))

    def mail(self, account: str, size: int = 0) -> Deferred[Exceeded | None]:
        """
        MAIL FROM: why it is no use to go on; counts nothing.

        @param size: what the client says of it.
        """
        account = account.lower()
        found, now = self.spent.get(account), self.clock.seconds()
        left = found[0].left(now) if found is not None else None
        if left is None:
            return self._fits(account, size) if size else succeed(None)
        exceeded = _exceeded(account, left, now)
        breached = Deferred.fromCoroutine(self._breach(account))
        return breached.addCallback(lambda _: exceeded)

    def _fits(self, account: str, size: int) -> Deferred[Exceeded | None]:
        d = self.allowances.allowance(account)
        return d.addCallback(_too_big, account, size)

    def rcpt(self, account: str, count: int) -> Deferred[Exceeded | None]:
        """One more recipient, the C{count}th of a message; counts nothing."""
        d = self.allowances.allowance(account)
        return d.addCallback(_too_many, account.lower(), count)

    def spend(
        self,
        account: str,
        recipients: Sequence[str],
        size: int,
        digest: bytes,
        client: str,
    ) -> Deferred[Granted | Exceeded]:
        """
        Count a message before it is taken.

        @param digest: of its body, whatever the header says.
        @param client: the address it came from.
        """
        names = tuple(sorted({name.lower() for name in recipients}))
        message = _Message(account.lower(), names, size, digest.hex()[:16], client)
        return Deferred.fromCoroutine(self._spend(message))

    def refund(self, granted: Granted) -> Deferred[None]:
        """
        It was not sent after all.

        What it cost to find that out it has cost: of the minute it is gone.
        """
        self.spent.drop(granted.account)
        draws = tuple(d for d in granted.taken.draws if d.meter is not quota.RATE)
        refunded: Deferred[None] = self.counters.refund(
            granted.account, Taken(draws, ())
        )
        return refunded

    def refused(self, account: str) -> Deferred[None]:
        """A message was refused before it was counted: of the minute it counts."""
        return Deferred.fromCoroutine(self._refused(account.lower()))

    def bounced(self, account: str, unknown: int) -> Deferred[bool]:
        """
        So many recipients of what an account sent are nobody, for ever.

        Whoever writes to many that are not there has bought their addresses.

        @param account: who sent it; nothing is noted of C{""}.
        @return: whether the account is held now.
        """
        return Deferred.fromCoroutine(self._bounced(account.lower(), unknown))

    def hold(self, account: str, reason: str, actor: str = SMFD) -> Deferred[Hold]:
        """
        Hold what an account sends from now on, and what has not left yet (D5).

        What is accepted after it has fired does not leave.  For what waits
        already nobody waits: there may be much of it.
        """
        return self.holds.hold(account, reason, actor).addCallback(self._stop, actor)

    def _stop(self, made: Hold, actor: str) -> Hold:
        if self.queue is not None:
            stopped = self.queue.stop(made.account, actor)
            stopped.addErrback(
                lambda f: self._log.failure("mail of a held account goes on", f)
            )
        return made

    def complained(self, account: str) -> Deferred[bool]:
        """
        Somebody who got a message of an account called it spam.

        @return: whether the account is held now.
        """
        return Deferred.fromCoroutine(self._complained(account.lower()))

    async def _login(self, account: str) -> Exceeded | None:
        allowed = await self.allowances.allowance(account)
        if not allowed.connections:
            return None
        draws = (Draw(quota.CONNECTIONS, allowed.connections),)
        found: Taken | Excess = await self.counters.spend(account, draws)
        if isinstance(found, Excess):
            return await self._stopped(account, found)
        return None

    async def _spend(self, message: "_Message") -> Granted | Exceeded:
        account = message.account
        allowed = await self.allowances.allowance(account)
        many = len(message.recipients)
        much = _too_many(allowed, account, many) or _too_big(
            allowed, account, message.size
        )
        if much is not None:
            return much
        draws = tuple(message.draws(allowed))
        found: Taken | Excess = await self.counters.spend(account, draws)
        if isinstance(found, Excess):
            return await self._stopped(account, found)
        held = await self.holds.held(account)
        if held is None:
            why = suspicious(found, allowed)
            held = await self._hold(account, why) if why else None
        return Granted(account, found, held.reason if held else "")

    async def _refused(self, account: str) -> None:
        allowed = await self.allowances.allowance(account)
        if not allowed.rate:
            return
        draws = (Draw(quota.RATE, allowed.rate),)
        found: Taken | Excess = await self.counters.spend(account, draws)
        if isinstance(found, Excess):
            await self._stopped(account, found)

    async def _bounced(self, account: str, unknown: int) -> bool:
        if not account or unknown <= 0:
            return False
        draws = Draw(quota.UNKNOWN, count=unknown), Draw(quota.RECIPIENTS, count=0)
        found = await self.counters.spend(account, draws)
        assert isinstance(found, Taken)
        held = await self.holds.held(account)
        if held is None:
            allowed = await self.allowances.allowance(account)
            why = many_unknown(allowed, *found.used)
            held = await self._hold(account, why) if why else None
        return held is not None

    async def _complained(self, account: str) -> bool:
        found = await self.counters.spend(account, (Draw(quota.COMPLAINTS),))
        assert isinstance(found, Taken)
        held = await self.holds.held(account)
        if held is None:
            why = suspicious(found, await self.allowances.allowance(account))
            held = await self._hold(account, why) if why else None
        return held is not None

    async def _stopped(self, account: str, excess: Excess) -> Exceeded:
        now = self.clock.seconds()
        exceeded = _exceeded(account, excess, now)
        if await self._breach(account):
            self.breaches.note(account, now)
            self._log.warn("ALARM: {why}", why=exceeded.text)
        if excess.meter in (quota.RATE, quota.MESSAGES):
            self.spent.keep(account, _Spent(excess, now), self.spent.age)
        return exceeded

    async def _breach(self, account: str) -> bool:
        """Note that it wanted too much; too often, and it is held; if it is news."""
        items = (str(int(self.clock.seconds() // _BREACH)),)
        found = await self.counters.spend(account, (Draw(quota.BREACHES, items=items),))
        assert isinstance(found, Taken)
        why = suspicious(found, await self.allowances.allowance(account))
        if why and await self.holds.held(account) is None:
            await self._hold(account, why)
        return bool(found.draws[0].count)

    async def _hold(self, account: str, why: str) -> Hold | None:
        try:
            return await self.hold(account, why)
        except Refused as gone:
            self._log.warn("{account} is not held: {why}", account=account, why=gone)
            return None


@frozen
class _Message:
    """What counts of a message; its recipients are each there once."""

    account: str
    recipients: tuple[str, ...]
    size: int
    body: str
    client: str

    def draws(self, allowed: Allowance) -> Iterator[Draw]:
        """What it needs; what nobody limits is counted only where people look."""
        if allowed.rate:
            yield Draw(quota.RATE, allowed.rate)
        yield Draw(quota.MESSAGES, allowed.messages or FOREVER)
        many = len(self.recipients)
        yield Draw(quota.RECIPIENTS, allowed.recipients or FOREVER, many)
        items = tuple(_name(name) for name in self.recipients)
        most = allowed.new_recipients or FOREVER
        yield Draw(quota.NEW_RECIPIENTS, most, items=items)
        if allowed.hold_networks and self.client:
            yield Draw(quota.NETWORKS, items=(network_of(self.client),))
        if allowed.hold_identical:
            yield Draw(quota.IDENTICAL, items=(self.body,))


def _name(recipient: str) -> str:
    """Whom an account knows is nobody's business, and takes no room."""
    return blake2b(recipient.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _exceeded(account: str, excess: Excess, now: float) -> Exceeded:
    code, status, what = _ANSWERS[excess.meter]
    limit = f"{account} has a limit of {excess.most:g} {what}"
    if excess.wait == FOREVER:
        # RFC 3463 §3.6: more than there ever will be; to wait is no use.
        return Exceeded(550, "5.5.3", f"{limit}, and this message alone has more")
    wait = ceil(excess.wait)
    text = f"{limit}; try again in {span(wait)}, at {utc(now + wait)}"
    return Exceeded(code, status, text, excess.wait)


def _too_many(allowed: Allowance, account: str, count: int) -> Exceeded | None:
    most = allowed.message_recipients
    if not most or count <= most:
        return None
    # RFC 5321 §4.5.3.1.10: the client sends what is left by another message.
    limit = f"{account} has a limit of {most} recipients of one message"
    return Exceeded(452, "4.5.3", f"{limit}; send it to the others in another")


def _too_big(allowed: Allowance, account: str, size: int) -> Exceeded | None:
    most = allowed.message_size
    if not most or size <= most:
        return None
    limit = f"{account} has a limit of {most} octets for one message"
    return Exceeded(552, "5.3.4", f"{limit}; this one has {size}")
