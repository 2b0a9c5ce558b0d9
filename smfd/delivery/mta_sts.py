"""
The MTA-STS policies of the domains that we send to.

A policy is fetched when mail goes to a domain for the first time, or when its
id has changed, and looked at again every day.  One that was fetched counts for
as long as it said, whatever becomes of the domain's web server or DNS: that is
what keeps an attacker from making it disappear.

Standards: RFC 8461 §3.3, §5.1, §10.2.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from smfd.delivery.tlspolicy import nobody
from smfd.net.dns import DNSTrouble, Lookup
from smfd.net.https import HTTPS, NoPage
from smfd.policy.mta_sts import LARGEST, MODES, STS, read_id, read_policy
from smfd.store.history import Row, Shelf
from smfd.store.rounds import Recurring, Rounds

#: Domains whose policies are remembered.
MOST = 10_000

#: Fetches at once, and those that may wait for one: however many web servers
#: stall, a domain's first mail waits for two fetches at most.
FETCHES, WAITING = 50, 50

#: RFC 8461 §3.3: seconds that a fetch may take, and until the next try.
PATIENCE, PAUSE = 60.0, 300.0

#: Seconds between two looks at what is old; what is old; who is forgotten.
ROUND, DAY, UNUSED = 3600.0, 86_400.0, 30 * 86_400.0

#: Policies that are looked at again in one round.
_SOME = 500

#: Is told what was wrong with a domain's policy: the word of RFC 8460 §4.3,
#: and the same for people.
Told = Callable[[str, str, str], object]


@frozen
class Known:
    """
    A policy that was fetched.

    @ivar id: the one of the DNS when it was.
    @ivar fetched: seconds since the epoch.
    @ivar used: when mail last went there, to the day.
    """

    sts: STS
    id: str
    fetched: float
    used: float

    def good(self, now: float) -> bool:
        """Whether it still counts."""
        return self.fetched <= now + DAY and now < self.fetched + self.sts.max_age

    def row(self) -> Row:
        """As a shelf keeps it."""
        sts = self.sts
        patterns = " ".join(sts.patterns)
        return sts.mode, patterns, sts.max_age, self.id, self.fetched, self.used


def known(row: Row | None) -> Known | None:
    """What a shelf has; None for what nobody can have put there."""
    try:
        mode, patterns, max_age, name, fetched, used = row or ()
        sts = STS(mode, tuple(patterns.split()), int(max_age))
        found = Known(sts, str(name), float(fetched), float(used))
    except (TypeError, ValueError, AttributeError):
        return None
    return found if mode in MODES else None


async def fetched(https: HTTPS, domain: str, seconds: float = PATIENCE) -> STS:
    """
    The policy of a domain, as it is now.

    @raise NoPage: it cannot be had.
    @raise ValueError: it is none.
    """
    url = f"https://mta-sts.{domain}/.well-known/mta-sts.txt"
    page = await https.get(url, LARGEST, seconds)
    # RFC 8461 §3.3: no redirect, and nothing but text.
    if page.code != 200:
        raise NoPage(f"the answer is {page.code}")
    if page.kind != "text/plain":
        raise ValueError(f"The policy is {page.kind[:80] or 'of no type'}.")
    return read_policy(page.body)


class Published(Recurring):
    """Knows the policies, and keeps them fresh."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        resolver: Lookup,
        https: HTTPS,
        shelf: Shelf | None = None,
        told: Told = nobody,
    ) -> None:
        """
        @param shelf: the policies, by domain.
        """
        self._reactor = reactor
        self._resolver = resolver
        self._https = https
        self._shelf = shelf or Shelf(MOST)
        self._told = told
        self._slots = DeferredSemaphore(FETCHES)
        self._fetching: dict[str, list[Deferred[Known | None]]] = {}
        self._failed: OrderedDict[str, float] = OrderedDict()
        self.rounds = Rounds(self.round, reactor, ROUND, "policies grow old")

    async def policy(self, domain: str) -> STS | None:
        """
        What a domain published, or None; never fails.

        It may take a minute for a domain that nobody wrote to before.
        """
        kept = self._kept(domain)
        named = await self._named(domain)
        if named and (kept is None or kept.id != named):
            kept = await self._fetched(domain, named) or kept
        if kept is None:
            return None
        self._use(domain, kept)
        return kept.sts

    def _kept(self, domain: str) -> Known | None:
        found = known(self._shelf.rows.get(domain))
        good = found is not None and found.good(self._reactor.seconds())
        return found if good else None

    def _use(self, domain: str, kept: Known) -> None:
        now = self._reactor.seconds()
        if now - kept.used > DAY:
            fresh = Known(kept.sts, kept.id, kept.fetched, now)
            self._shelf.put(domain, fresh.row())

    async def _named(self, domain: str) -> str:
        """The id that the DNS has; "" when there is none to be seen."""
        try:
            answer = await self._resolver.lookup(f"_mta-sts.{domain}", "TXT")
        except DNSTrouble:
            return ""
        return read_id(answer.records)

    async def _fetched(self, domain: str, named: str) -> Known | None:
        """Fetch, or wait for whoever does; None when it fails or just failed."""
        now = self._reactor.seconds()
        # A clock that was set back has nobody wait for longer.
        if 0 <= now - self._failed.get(domain, 0.0) < PAUSE:
            return None
        waiting = self._fetching.get(domain)
        if waiting is not None:
            d: Deferred[Known | None] = Deferred(waiting.remove)
            waiting.append(d)
            return await d
        if len(self._slots.waiting) >= WAITING:
            return None
        waiting = self._fetching[domain] = []
        found: Known | None = None
        try:
            found = await self._slots.run(self._fetch, domain, named)
        finally:
            for d in list(self._fetching.pop(domain)):
                d.callback(found)
        return found

    def _fetch(self, domain: str, named: str) -> "Deferred[Known | None]":
        return Deferred.fromCoroutine(self._try_to_fetch(domain, named))

    async def _try_to_fetch(self, domain: str, named: str) -> Known | None:
        try:
            sts = await fetched(self._https, domain)
        except NoPage as error:
            if self._https.closed:
                return None
            fault = "sts-webpki-invalid" if error.insecure else "sts-policy-fetch-error"
            self._fail(domain, fault, str(error))
        except ValueError as error:
            self._fail(domain, "sts-policy-invalid", str(error))
        else:
            now = self._reactor.seconds()
            before = known(self._shelf.rows.get(domain))
            used = now if before is None else before.used
            found = Known(sts, named, now, used)
            self._shelf.put(domain, found.row())
            return found
        return None

    def _fail(self, domain: str, fault: str, why: str) -> None:
        self._failed[domain] = self._reactor.seconds()
        self._failed.move_to_end(domain)
        while len(self._failed) > MOST:
            self._failed.popitem(last=False)
        self._log.info(
            "MTA-STS of {domain}: {fault}: {why}", domain=domain, fault=fault, why=why
        )
        self._told(domain, fault, why)

    async def round(self) -> None:
        """Look again at what is a day old; forget what nobody needs."""
        now = self._reactor.seconds()
        old: list[tuple[str, Known]] = []
        for domain, row in list(self._shelf.rows.items()):
            found = known(row)
            if found is None or not found.good(now) or now - found.used > UNUSED:
                self._shelf.drop(domain)
            elif now - found.fetched > DAY:
                old.append((domain, found))
        old.sort(key=lambda each: each[1].fetched)
        for domain, found in old[:_SOME]:
            # RFC 8461 §10.2: whatever the id says, and before it ends.
            await self._fetched(domain, found.id)
