"""
TCP connections that send at once what can be sent, and go at once when it is.

Twisted's own wait for the next turn of the reactor with every write, and ask
the kernel twice for it.  A mail session is a score of short replies to a client
that waits for each: sending at once saved a fifth of the whole time.
"""

import resource
import socket
from typing import Any

from twisted.internet._newtls import startTLS
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.tcp import Connection, Port, Server
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from smfd.net.descriptors import PatientSocket

_log = Logger()

#: Seconds without accepting anybody, when there is nothing to do it with.
REST = 1.0

#: As Twisted's own: why a connection is gone that we closed.
_DONE = Failure(ConnectionDone())


class Eager(Connection):
    """What the kernel does not take now, waits; with TLS and without."""

    def write(self, data: bytes) -> None:
        """Send, or keep in order behind what waits already."""
        if not self.TLS:
            _send(self, data)
        elif self.connected:
            # Its own gathers until the next turn.
            tls: Any = self.protocol
            TLSMemoryBIOProtocol.write(tls, data)

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """Begin TLS; it is sent at once, too."""
        begin: Any = startTLS
        begin(self, ctx, normal, _Below)

    def loseConnection(self) -> None:
        """Close when all is sent; if it is, without waiting until we may write."""
        if not self.TLS and _is_idle(self):
            self.disconnecting = True
            self.stopReading()
            clock: Any = self.reactor
            clock.callLater(0, self.connectionLost, _DONE)
        else:
            super().loseConnection()


class _Below(FileDescriptor):
    """The connection that TLS writes to."""

    def write(self, data: bytes) -> None:
        """Send, or keep in order behind what waits already."""
        _send(self, data)


def _send(to: Any, data: bytes) -> None:
    try:
        sent = to.socket.send(data) if data and _is_idle(to) else 0
    except OSError:
        # Full; or lost, which is noticed by the reactor, not here.
        sent = 0
    if sent < len(data):
        FileDescriptor.write(to, data[sent:])


def _is_idle(connection: Any) -> bool:
    """Whether nothing waits to be sent."""
    return connection.connected and not (
        connection.disconnecting or connection._tempDataLen or connection.dataBuffer
    )


class EagerServer(Eager, Server):
    """A server's connection."""

    _client: IPv4Address | IPv6Address | None = None

    def speaks_for(self, client: IPv4Address | IPv6Address) -> None:
        """It is a proxy's; this is whom it brings."""
        self._client = client

    def getPeer(self) -> Any:
        """The client, however he was brought here."""
        return self._client or super().getPeer()


class EagerTLSFactory(TLSMemoryBIOFactory):
    """TLS from the first octet on, over an eager connection."""

    #: Twisted's other one gathers until the next turn.
    protocol = TLSMemoryBIOProtocol


class EagerPort(Port):
    """
    Accepts L{EagerServer} connections.

    When there is nothing left to accept with, it listens again a while later.
    An IPv6 address is only that: C{[::]:25} stands beside C{0.0.0.0:25}.
    """

    transport = EagerServer

    def createInternetSocket(self) -> socket.socket:
        """A socket of one family."""
        made: socket.socket = super().createInternetSocket()
        if self.addressFamily == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return self._patient(made)

    def startListening(self) -> None:
        """Listen; on a socket that somebody else opened, too."""
        if self._preexistingSocket is not None:
            self._preexistingSocket = self._patient(self._preexistingSocket)
        super().startListening()

    def _patient(self, made: socket.socket) -> socket.socket:
        patient = PatientSocket(fileno=made.detach())
        patient.spent = self._spent
        patient.keep(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        return patient

    def _spent(self, why: str) -> None:
        """Nothing to accept with: to ask again at once would help nobody."""
        self.stopReading()
        clock: Any = self.reactor
        clock.callLater(REST, self._again)
        _log.error("no connection is taken for {s:g} s: {why}", s=REST, why=why)

    def _again(self) -> None:
        if self.connected:
            listening: Any = self.socket
            listening.resting = False
            self.startReading()
