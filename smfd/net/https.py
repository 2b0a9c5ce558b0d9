"""
One request over HTTPS to a server of strangers, and what came of it.

No redirect is followed, no cookie kept, no connection used twice; the other
side has a deadline for all of it, and may say so much and no more.

Standards: RFC 8461 §3.3, RFC 8460 §5.4.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from OpenSSL import SSL
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, FileBodyProducer, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from smfd.model.hop import NextHop
from smfd.net.dns import DNSTrouble, Lookup
from smfd.net.smtp_client import Trouble
from smfd.net.smtp_client_tls import Contexts, Handshake
from smfd.policy.mx import by_turns, is_public
from smfd.policy.networks import Networks, within

#: Seconds that an answer may take, where nobody says how many; octets of what is
#: answered to what was handed in.
PATIENCE, _ANSWER = 60.0, 4096

#: Seconds for a connection to one address, and how many are tried.
_CONNECT, _ADDRESSES = 10.0, 4

#: How it ends that somebody waits no longer.
_LATE = (defer.TimeoutError, defer.CancelledError, ConnectingCancelledError)

#: Octets that come beside the page: TLS, and the header of the answer.
_AROUND = 65_536


class NoPage(Exception):
    """
    Nothing came of it, for now; why, in words.

    @ivar insecure: the other side did not prove who it is.
    """

    def __init__(self, why: str, insecure: bool = False) -> None:
        super().__init__(why)
        self.insecure = insecure


@frozen
class Page:
    """
    An answer.

    @ivar kind: its Content-Type, lower case, without parameters; or "".
    """

    code: int
    kind: str
    body: bytes


class HTTPS:
    """
    Asks servers that prove to be who they are.

    @ivar closed: nobody is asked any more.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: Lookup,
        trusted: Path | None = None,
        networks: Networks = (),
        port: int = 443,
    ) -> None:
        """
        @param trusted: PEM: the authorities that we believe; None takes those
            of the system.
        @param networks: addresses that may be spoken to though the world has
            no such.
        @param port: where the servers of addresses without a port listen.
        """
        self._reactor = reactor
        self._resolver = resolver
        self._contexts = Contexts(trusted)
        self._networks = networks
        self._port = port
        self._asking: set[Deferred[Page]] = set()
        self.closed = False

    def get(
        self, url: str, largest: int, seconds: float = PATIENCE
    ) -> "Deferred[Page]":
        """
        Fetch a page.

        @param largest: octets it may have.
        @param seconds: for all of it.
        Fails with L{NoPage}, never with anything else.
        """
        return self._ask("GET", url, None, {}, largest, seconds)

    def post(self, url: str, body: Any, kind: str) -> "Deferred[Page]":
        """
        Hand something in.

        @param body: a file, open for reading.
        @param kind: its Content-Type.
        Fails with L{NoPage}, never with anything else.
        """
        producer = FileBodyProducer(body)
        fields = {"Content-Type": kind}
        return self._ask("POST", url, producer, fields, _ANSWER, PATIENCE)

    def _ask(
        self,
        method: str,
        url: str,
        body: Any,
        fields: Mapping[str, str],
        largest: int,
        seconds: float,
    ) -> "Deferred[Page]":
        if self.closed:
            return defer.fail(NoPage("we are stopping"))
        asking = self._asked(method, url, body, fields, largest)
        d = Deferred.fromCoroutine(asking)
        self._asking.add(d)
        d.addTimeout(seconds, self._reactor).addErrback(_failed)
        return d.addBoth(self._done, d)

    def _done(self, result: Any, d: "Deferred[Page]") -> Any:
        self._asking.discard(d)
        return result

    def close(self) -> None:
        """Wait for no answer any more, and ask nobody."""
        self.closed = True
        for d in list(self._asking):
            d.cancel()

    async def _asked(
        self,
        method: str,
        url: str,
        body: Any,
        fields: Mapping[str, str],
        largest: int,
    ) -> Page:
        if not url.isascii() or not url.lower().startswith("https://"):
            raise NoPage("only https is spoken")
        way = _Way(self._reactor, self, largest + _AROUND)
        agent = Agent.usingEndpointFactory(self._reactor, way)
        headers = Headers({"User-Agent": ["smfd"]})
        for name, value in fields.items():
            headers.addRawHeader(name, value)
        try:
            asked = url.encode("ascii")
            response = await agent.request(method.encode(), asked, headers, body)
            reading = _Reading(largest)
            response.deliverBody(reading)
            return Page(response.code, _kind(response), await reading.whole())
        finally:
            way.hang_up()

    def port(self, uri: URI) -> int:
        """Where the server of a page listens."""
        return self._port if uri.port == 443 else uri.port

    def handshake(self, host: str) -> Handshake:
        """TLS with a server that must be the one that is meant."""
        return self._contexts.handshake(NextHop("https", host, 443, tls="verify"))

    async def addresses(self, host: str) -> list[str]:
        """
        Those of a host that may be spoken to.

        @raise NoPage: there is none.
        """
        found: list[str] = []
        why = "it has no address"
        for rdtype in ("AAAA", "A"):
            try:
                found += (await self._resolver.lookup(host, rdtype)).records
            except DNSTrouble as error:
                why = str(error)
        good = [a for a in by_turns(found) if is_public(a) or within(a, self._networks)]
        if found and not good:
            why = "it has no address that the world may have"
        if not good:
            raise NoPage(f"{host}: {why}")
        return good[:_ADDRESSES]


@implementer(IAgentEndpointFactory)
class _Way:
    """Leads to a server, by one address after the other, and hangs up there."""

    def __init__(self, reactor: Any, https: HTTPS, most: int) -> None:
        self._reactor = reactor
        self._https = https
        self._most = most
        self._open: list[Any] = []

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        host = uri.host.decode("ascii")
        plain = _Plain(self, host, self._https.port(uri))
        return wrapClientTLS(self._https.handshake(host), plain)

    async def connect(self, host: str, port: int, factory: Any) -> Any:
        """
        A connection to a host.

        @raise NoPage: it has no address; else what was wrong with the last.
        """
        trouble: Exception = NoPage("nobody is there")
        for address in await self._https.addresses(host):
            make = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            endpoint = make(self._reactor, address, port, timeout=_CONNECT)
            try:
                capped: Any = await endpoint.connect(_Capping(factory, self._most))
            except _LATE:
                # The time for all of it is over, or we are going.
                raise
            except Exception as error:
                trouble = error
            else:
                self._open.append(capped)
                return capped.wrappedProtocol
        raise trouble

    def hang_up(self) -> None:
        """Whatever is still said there, nobody listens."""
        for capped in self._open:
            capped.transport.abortConnection()


@implementer(IStreamClientEndpoint)
@frozen
class _Plain:
    """One server."""

    way: _Way
    host: str
    port: int

    def connect(self, protocolFactory: Any) -> "Deferred[Any]":
        coroutine = self.way.connect(self.host, self.port, protocolFactory)
        return Deferred.fromCoroutine(coroutine)


class _Capping(WrappingFactory):
    """Makes connections that carry so much and no more."""

    noisy = False

    def __init__(self, wrapped: Any, most: int) -> None:
        super().__init__(wrapped)
        self.most = most

    def buildProtocol(self, addr: Any) -> Any:
        ours: Any = self
        return _Capped(ours, self.wrappedFactory.buildProtocol(addr))


class _Capped(ProtocolWrapper):
    factory: Any
    transport: Any
    _come = 0

    def dataReceived(self, data: bytes) -> None:
        self._come += len(data)
        if self._come > self.factory.most:
            self.transport.abortConnection()
        else:
            super().dataReceived(data)


class _Reading(Protocol):
    """The body of an answer."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._pieces: list[bytes] = []
        self._size = 0
        self._done: Deferred[bytes] = Deferred()

    def whole(self) -> "Deferred[bytes]":
        """Fires with all of it; fails with L{NoPage} where there is more."""
        return self._done

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        self._pieces.append(data)
        if self._size > self._largest:
            self._pieces.clear()
            self._end(Failure(NoPage(f"it is larger than {self._largest} octets")))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # What has no length may be cut by anybody.
        whole = reason.check(ResponseDone)
        self._end(b"".join(self._pieces) if whole else reason)

    def _end(self, result: Any) -> None:
        if not self._done.called:
            self._done.callback(result)


def _kind(response: Any) -> str:
    kinds = response.headers.getRawHeaders("Content-Type") or [""]
    kind: str = kinds[0].partition(";")[0].strip().lower()
    return kind


def _failed(failure: Failure) -> Failure:
    """Whatever it was, in words."""
    if failure.check(NoPage):
        return failure
    reasons = [failure, *getattr(failure.value, "reasons", ())]
    if failure.check(Trouble):
        return Failure(NoPage(failure.getErrorMessage()))
    if any(r.check(*_LATE) for r in reasons):
        return Failure(NoPage("no answer in time"))
    if any(reason.check(SSL.Error) for reason in reasons):
        return Failure(NoPage("it does not prove who it is", insecure=True))
    kind = reasons[-1].type
    return Failure(NoPage(f"no answer: {kind.__name__ if kind else ''}"))
