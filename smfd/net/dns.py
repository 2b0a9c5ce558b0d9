"""
The resolver: every look-up of the house goes through one of these.

dnspython writes, reads and checks the messages; sockets, cache, limits and
the end of all patience are ours.  Nothing here blocks.

Standards: RFC 1035, RFC 2181 §5, RFC 2308, RFC 5452.
"""

import ipaddress
from collections.abc import Iterable
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.name
import dns.nameserver
import dns.resolver
from twisted.internet.defer import Deferred, DeferredSemaphore, fail, succeed
from twisted.logger import Logger

from smfd.config.judging import DNS
from smfd.config.value import split_server
from smfd.net.dns_answer import (
    IMPOSSIBLE,
    Answer,
    DNSTrouble,
    Key,
    Lookup,
    Records,
    Static,
    plain,
    question,
)
from smfd.net.dns_backend import Backend
from smfd.net.dns_breaker import Breaker
from smfd.net.dns_budget import Budget
from smfd.net.dns_cache import Cache

__all__ = [
    "Answer",
    "Budget",
    "DNSTrouble",
    "Key",
    "Lookup",
    "Resolver",
    "Static",
    "resolver",
]


class Resolver:
    """Asks the servers it is given, and remembers what they said."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        servers: Iterable[str] = (),
        timeout: float = 2.0,
        lifetime: float = 6.0,
        cache: int = 10_000,
        static: Iterable[Static] = (),
        offline: bool = False,
        sockets: int = 200,
        queue: int = 2_000,
    ) -> None:
        """
        @param servers: C{"127.0.0.1:5300"}, C{"[::1]:53"} or an address alone;
            none: those of the system's resolv.conf.
        @param timeout: seconds one server has for one query.
        @param lifetime: seconds for a whole look-up.
        @param cache: how many answers are remembered.
        @param static: records answered from here and never asked for; a TXT
            value is text or bytes, an MX value C{"10 mx.example"}.
        @param offline: everything else is L{DNSTrouble} at once.
        @param sockets: queries under way at once.
        @param queue: look-ups that may wait for one of those.
        """
        self._reactor = reactor
        self._offline = offline
        self._static = Records(static)
        self._cache = Cache(cache)
        self._asking: dict[Key, list[Deferred[Answer]]] = {}
        self._slots = DeferredSemaphore(sockets)
        self._queue = queue
        self._asker = _asker(servers, timeout, lifetime)
        self._local = all(_loopback(s) for s in self._asker.nameservers)
        self._breaker = Breaker(reactor, self._probe, self._give_up)
        self._backend = Backend(reactor, self._breaker)

    def known(self, name: str, rdtype: str) -> Answer | None:
        """
        The answer that needs no question; None when one must be asked.

        @raise DNSTrouble: it was asked a moment ago, without an answer.
        """
        key = _key(name, rdtype)
        given = self._static.get(key)
        if given is not None:
            return given
        kept, answer = self._cache.get(key, self._reactor.seconds())
        if kept and answer is None:
            raise DNSTrouble(f"{name} {rdtype}: no answer just now")
        return answer

    def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
        """
        Look a name up; fires with what is there, or that nothing is.

        Fails with L{DNSTrouble}, never with anything else.
        """
        try:
            known = self.known(name, rdtype)
        except DNSTrouble as e:
            return fail(e)
        if known is not None:
            return succeed(known)
        key = _key(name, rdtype)
        waiting = self._asking.get(key)
        if waiting is None:
            refusal = self._refusal()
            if refusal:
                return fail(DNSTrouble(f"{name} {rdtype}: {refusal}"))
            waiting = self._asking[key] = []
            return self._join(waiting, key)
        return self._join(waiting)

    def forget(self, name: str, rdtype: str) -> None:
        """Ask anew the next time."""
        self._cache.forget(_key(name, rdtype))

    def _join(
        self, waiting: list[Deferred[Answer]], begin: Key | None = None
    ) -> Deferred[Answer]:
        """Wait with the others for one query; the first of them begins it."""
        d: Deferred[Answer] = Deferred(waiting.remove)
        waiting.append(d)
        if begin is not None:
            Deferred.fromCoroutine(self._settle(begin))
        return d

    def _refusal(self) -> str:
        """Why nothing is asked now, or nothing."""
        if self._offline:
            return "no look-ups are made here"
        if not self._breaker.allows():
            return "no name server answers"
        if len(self._slots.waiting) >= self._queue:
            return "too many look-ups are waiting"
        return ""

    async def _settle(self, key: Key) -> None:
        """Ask, remember, and tell all who wait."""
        answer: Answer | None = None
        why = DNSTrouble()
        try:
            answer = await self._slots.run(self._resolve, *key)
        except DNSTrouble as e:
            why = e
        except Exception as e:
            # Whoever waits must hear of it, and the next may ask anew.
            self._log.failure("{name}: a fault of ours", name=key[0])
            why = DNSTrouble(f"{key[0]} {key[1]}: {type(e).__name__}")
        answer = self._cache.put(key, answer, self._reactor.seconds())
        for d in self._asking.pop(key):
            if answer is None:
                d.errback(why)
            else:
                d.callback(answer)

    async def _resolve(self, name: str, rdtype: str) -> Answer:
        asked = question(name)
        if asked is None:
            return IMPOSSIBLE
        try:
            found = await self._asker.resolve(
                asked,
                rdtype,
                raise_on_no_answer=False,
                search=False,
                backend=self._backend,
            )
            if found.response.flags & dns.flags.TC:
                raise DNSTrouble(f"{name} {rdtype}: cut, even over TCP")
            secure = bool(found.response.flags & dns.flags.AD) and self._local
            return plain(found, secure)
        except dns.resolver.NXDOMAIN as e:
            return _nxdomain(e)
        except DNSTrouble:
            raise
        except Exception as e:
            # What a broken server sends may break dnspython anywhere; none
            # of it is an answer.
            raise DNSTrouble(f"{name} {rdtype}: {type(e).__name__}") from e

    def _probe(self) -> Deferred[object]:
        """One question every resolver has an answer to: who serves the root."""
        asking = self._asker.resolve(
            dns.name.root,
            "NS",
            raise_on_no_answer=False,
            search=False,
            lifetime=self._asker.timeout,
            backend=self._backend,
        )
        return Deferred.fromCoroutine(asking)

    def _give_up(self) -> None:
        """Nobody answers: let those who wait go on without."""
        for key, waiting in list(self._asking.items()):
            while waiting:
                waiting.pop().errback(DNSTrouble(f"{key[0]}: no name server answers"))


def resolver(settings: DNS, reactor: Any) -> Resolver:
    """One as the settings have it; it shares nothing with others."""
    return Resolver(
        reactor,
        settings.servers,
        settings.timeout,
        settings.lifetime,
        settings.cache,
        [(r.name, r.type, r.value) for r in settings.record],
        settings.offline,
    )


def _key(name: str, rdtype: str) -> Key:
    return name.lower().rstrip("."), rdtype


def _nxdomain(e: dns.resolver.NXDOMAIN) -> Answer:
    """RFC 2308 §5: the TTL of a negative answer comes from its SOA."""
    ttls = [r.resolve_chaining().minimum_ttl for r in e.responses().values()]
    return Answer("nxdomain", ttl=min(ttls, default=0))


def _asker(
    servers: Iterable[str], timeout: float, lifetime: float
) -> dns.asyncresolver.Resolver:
    """dnspython's part, set up."""
    named = [_server(text) for text in servers]
    try:
        asker = dns.asyncresolver.Resolver(configure=not named)
    except dns.resolver.NoResolverConfiguration:
        asker = dns.asyncresolver.Resolver(configure=False)
    if named:
        asker.nameservers = named
    asker.timeout = timeout
    asker.lifetime = lifetime
    # RFC 6891 §6.2.3, in a size that no path cuts into fragments.
    asker.use_edns(0, 0, 1232)
    # RFC 6840 §5.7: AD in a question asks for AD in the answer.
    asker.flags = dns.flags.RD | dns.flags.AD
    return asker


def _server(text: str) -> dns.nameserver.Nameserver:
    """
    The server for C{"192.0.2.1"}, C{"192.0.2.1:53"} or C{"[2001:db8::1]:53"}.

    @raise ValueError: it is none of these.
    """
    return dns.nameserver.Do53Nameserver(*split_server(text))


def _loopback(server: Any) -> bool:
    address = server if isinstance(server, str) else server.address
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
