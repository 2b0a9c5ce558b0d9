"""
dnspython's sockets, made of Twisted.

dnspython asks and checks (id, question, source address and port); this moves
datagrams and streams, on a fresh port of the kernel's choice for each query.

Standards: RFC 1035 §4.2, RFC 5452 §9 (ports and ids), RFC 7766 (TCP).
"""

import socket
from collections import deque
from contextlib import suppress
from typing import Any, TypeVar

import dns.asyncbackend
import dns.exception
from attrs import define
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.defer import TimeoutError as Late
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    connectProtocol,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

#: Datagrams that wait to be read; more are strangers', and dropped.
WAITING = 16

#: What we say we take (RFC 6891 §6.2.5), and a little more.
DATAGRAM = 4096

#: The largest answer over TCP that is read, in octets.
LARGEST = 16384

T = TypeVar("T")


async def _within(d: Deferred[T], seconds: float | None, clock: Any) -> T:
    """Await with a deadline, in dnspython's words."""
    if seconds is not None:
        d.addTimeout(max(0.0, seconds), clock)
    try:
        return await d
    except Late as e:
        raise dns.exception.Timeout(timeout=seconds) from e


class _Waiting:
    """What has come and was not read yet, or who waits for it."""

    def __init__(self) -> None:
        self._come: deque[Any] = deque()
        self._waiter: Deferred[Any] | None = None
        self._end: Failure | None = None

    def put(self, what: Any) -> None:
        """Something has come; beyond WAITING it is dropped."""
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            waiter.callback(what)
        elif len(self._come) < WAITING:
            self._come.append(what)

    def end(self, why: Failure) -> None:
        """Nothing will come any more, for that reason."""
        if self._end is not None:
            return
        self._end = why
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            waiter.errback(why)

    def get(self) -> Deferred[Any]:
        """Fires with the next that comes; one may wait at a time."""
        if self._come:
            return succeed(self._come.popleft())
        if self._end is not None:
            return fail(self._end)
        self._waiter = Deferred(self._forget)
        return self._waiter

    def _forget(self, _: Deferred[Any]) -> None:
        self._waiter = None


class _Datagrams:
    """
    A connected datagram socket that the reactor reads.

    Twisted's own writes four lines to the log for each, which are all that is
    in it when each query has a port of its own.
    """

    def __init__(self, af: int, peer: tuple[Any, ...], reactor: Any) -> None:
        """
        Connected, the kernel drops what comes from anywhere else (RFC 5452 §9.1),
        and chooses a port that nobody can foresee (§9.2).

        @raise OSError: there is no way to the peer.
        """
        self.waiting = _Waiting()
        self._reactor = reactor
        self._socket = socket.socket(af, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.connect(peer)
        except OSError:
            self._socket.close()
            raise
        reactor.addReader(self)

    def fileno(self) -> int:
        """For the reactor; -1 when closed."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "dns"

    def doRead(self) -> None:
        """Something came."""
        for _ in range(WAITING):
            try:
                self.waiting.put(self._socket.recv(DATAGRAM))
            except BlockingIOError:
                return
            except OSError:
                # Nobody listens there (ICMP port unreachable).
                self.waiting.end(Failure(ConnectionRefusedError()))
                return

    def connectionLost(self, reason: Failure) -> None:
        """The reactor found an error waiting: nobody listens there."""
        self.close()

    def send(self, datagram: bytes) -> None:
        """Send, or lose it, as the network may."""
        with suppress(BlockingIOError):
            self._socket.send(datagram)

    def close(self) -> None:
        """Give the port back; again does no harm."""
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._socket.close()
        self.waiting.end(Failure(ConnectionRefusedError()))


class _DatagramSocket(dns.asyncbackend.DatagramSocket):  # type: ignore[misc,name-defined]
    def __init__(self, af: int, datagrams: _Datagrams, backend: "Backend") -> None:
        super().__init__(af, socket.SOCK_DGRAM)
        self._datagrams = datagrams
        self._backend = backend
        self._peer: Any = None

    async def sendto(self, what: bytes, destination: Any, timeout: Any) -> int:
        """Send a query to the one peer there is."""
        self._peer = destination
        self._datagrams.send(what)
        return len(what)

    async def recvfrom(self, size: int, timeout: float | None) -> Any:
        """The next datagram of the peer, and the peer."""
        news = self._backend.news
        try:
            wire = await _within(
                self._datagrams.waiting.get(), timeout, self._backend.reactor
            )
        except (dns.exception.Timeout, ConnectionRefusedError):
            news.silence()
            raise
        news.heard()
        return wire, self._peer

    async def close(self) -> None:
        """Give the port back."""
        self._datagrams.close()


class _Stream(Protocol):
    def __init__(self) -> None:
        self.waiting = _Waiting()

    def dataReceived(self, data: bytes) -> None:
        # One read at a time: the peer cannot fill our memory.
        transport: Any = self.transport
        transport.pauseProducing()
        self.waiting.put(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.waiting.end(Failure(EOFError("closed")))


class _StreamSocket(dns.asyncbackend.StreamSocket):  # type: ignore[misc,name-defined]
    def __init__(self, af: int, protocol: _Stream, reactor: Any) -> None:
        super().__init__(af, socket.SOCK_STREAM)
        self._protocol = protocol
        self._reactor = reactor
        self._rest = b""

    async def sendall(self, what: bytes, timeout: float | None) -> None:
        """Send a query."""
        assert self._protocol.transport is not None
        self._protocol.transport.write(what)

    async def recv(self, size: int, timeout: float | None) -> bytes:
        """At most C{size} octets; OSError for an answer over LARGEST."""
        if size > LARGEST:
            raise OSError(f"an answer of {size} octets")
        if not self._rest:
            transport: Any = self._protocol.transport
            transport.resumeProducing()
            self._rest = await _within(
                self._protocol.waiting.get(), timeout, self._reactor
            )
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    async def close(self) -> None:
        """Hang up."""
        transport: Any = self._protocol.transport
        if transport is not None:
            transport.abortConnection()


class News:
    """Hears whether servers speak; L{Breaker <smfd.net.dns_breaker.Breaker>}."""

    def heard(self) -> None:
        """Some server answered, whatever it said."""

    def silence(self) -> None:
        """A query got no answer in its time."""


@define
class Backend(dns.asyncbackend.Backend):  # type: ignore[misc,name-defined]
    """
    Opens sockets for dnspython.

    @ivar reactor: has UDP, TCP and time.
    @ivar news: is told who speaks.
    """

    reactor: Any
    news: News

    def name(self) -> str:
        """dnspython's word for us."""
        return "twisted"

    def datagram_connection_required(self) -> bool:
        """We connect datagram sockets, so that the kernel sorts out others."""
        return True

    async def sleep(self, interval: float) -> None:
        """Wait that many seconds."""
        await deferLater(self.reactor, interval)

    async def make_socket(
        self,
        af: int,
        socktype: int,
        proto: int = 0,
        source: Any = None,
        destination: Any = None,
        timeout: float | None = None,
        ssl_context: Any = None,
        server_hostname: Any = None,
    ) -> Any:
        """Open a socket to C{destination}, (address, port)."""
        if socktype == socket.SOCK_DGRAM:
            datagrams = _Datagrams(af, destination, self.reactor)
            return _DatagramSocket(af, datagrams, self)
        endpoint = TCP6ClientEndpoint if af == socket.AF_INET6 else TCP4ClientEndpoint
        stream = _Stream()
        connecting = connectProtocol(endpoint(self.reactor, *destination), stream)
        await _within(connecting, timeout, self.reactor)
        return _StreamSocket(af, stream, self.reactor)
