"""
Connections that a proxy brings: heard under the client's own address.

The header comes first, in the clear, even where TLS begins at once.
"""

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.net.eager import EagerServer
from smfd.policy.networks import Networks, within
from smfd.proto.proxy import Header, NotProxied, Source, read_header

#: Seconds a proxy has for its header; it has nothing else to say.
DEADLINE = 5.0


class ProxiedFactory(Factory):
    """
    Asks those who come from a proxy's network for whom they speak.

    Everybody else is met as he comes: a header from him is junk.
    """

    noisy = False

    def __init__(
        self,
        networks: Networks,
        factory: IProtocolFactory,
        clock: IReactorTime,
        deadline: float = DEADLINE,
    ) -> None:
        """
        @param factory: meets the clients.
        @param deadline: seconds a proxy has for its header.
        """
        self.factory = factory
        self.clock = clock
        self.deadline = deadline
        self._networks = networks

    def doStart(self) -> None:
        """Somebody listens."""
        super().doStart()
        self.factory.doStart()

    def doStop(self) -> None:
        """Nobody does any more."""
        super().doStop()
        self.factory.doStop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """The client's, or one that reads the header first."""
        if within(getattr(addr, "host", ""), self._networks):
            return HeaderProtocol(self)
        return self.factory.buildProtocol(addr)  # type: ignore[arg-type]


class HeaderProtocol(Protocol):
    """Reads a header, and leaves the connection to whom it is for."""

    transport: Any
    _log = Logger()

    def __init__(self, factory: ProxiedFactory) -> None:
        self._factory = factory
        self._octets = b""
        self._late: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """A proxy came; it must say for whom."""
        factory = self._factory
        self._late = factory.clock.callLater(
            factory.deadline, self._refuse, "no PROXY header in time"
        )

    def dataReceived(self, data: bytes) -> None:
        """Octets came, of the header and perhaps of the client."""
        self._octets += data
        try:
            header = read_header(self._octets)
        except NotProxied as why:
            self._refuse(f"no PROXY header: {why}")
        else:
            if header is not None:
                self._leave(header)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It went without a word."""
        self._stop()

    def _leave(self, header: Header) -> None:
        """Another protocol has the connection from here on."""
        self._stop()
        transport: EagerServer = self.transport
        if header.source.host:
            transport.speaks_for(_address(header.source))
        inner = self._factory.factory.buildProtocol(transport.getPeer())
        if inner is None:
            transport.abortConnection()
            return
        transport.protocol = inner
        inner.makeConnection(transport)
        rest = self._octets[header.size :]
        if rest and not transport.disconnected:
            # TLS, or who began it, may have put itself there meanwhile.
            transport.protocol.dataReceived(rest)

    def _refuse(self, why: str) -> None:
        self._stop()
        peer = self.transport.getPeer()
        self._log.info("proxy {host}: {why}", host=peer.host, why=why)
        self.transport.abortConnection()

    def _stop(self) -> None:
        late, self._late = self._late, None
        if late is not None and late.active():
            late.cancel()


def _address(source: Source) -> IPv4Address | IPv6Address:
    kind = IPv6Address if ":" in source.host else IPv4Address
    return kind("TCP", source.host, source.port)
