"""Connections that send at once."""

import os
import socket
import ssl
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from smfd.net.eager import EagerPort, EagerTLSFactory
from smfd.net.eager_client import Eagerly
from smfd.net.eager_unix import EagerUNIXPort
from smfd.net.tls import Pair, ServerTLS, make_self_signed

LARGE = bytes(range(256)) * 40_000


class Talker(Protocol):
    """Says things of very different sizes, and good-bye."""

    def connectionMade(self) -> None:
        """Little, much more than the kernel takes at once, and little again."""
        assert self.transport is not None
        for said in (b"a", LARGE, b"b", b"", b"c"):
            self.transport.write(said)
        self.transport.loseConnection()


class Upgraded(Talker):
    """Begins TLS before it says anything."""

    def connectionMade(self) -> None:
        """Everything after this is TLS."""
        transport: Any = self.transport
        transport.startTLS(self.factory.tls)
        super().connectionMade()


class Prompt(Protocol):
    """Says something, and listens at once whether it was heard."""

    def connectionMade(self) -> None:
        """In the clear or not."""
        factory: Any = self.factory
        if factory.later:
            transport: Any = self.transport
            transport.startTLS(factory.tls)

    def dataReceived(self, data: bytes) -> None:
        """Within this turn of the reactor."""
        assert self.transport is not None
        factory: Any = self.factory
        self.transport.write(b"now")
        maybeDeferred(factory.peer.recv, 3).chainDeferred(factory.heard)


class EagerTests(TestCase):
    """Everything arrives, in order."""

    clock: Any = reactor

    def listen(self, factory: Any) -> int:
        """A port of its own."""
        port = EagerPort(0, factory, 5, "127.0.0.1", self.clock)
        port.startListening()
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def tls(self) -> ServerTLS:
        """What a server has that signed for itself."""
        folder = Path(self.mktemp())
        folder.mkdir()
        pair = Pair(folder / "cert.pem", folder / "key.pem")
        certificate, key = make_self_signed("mx.test")
        pair.certificate.write_bytes(certificate)
        pair.key.write_bytes(key)
        return ServerTLS(pair)

    @inlineCallbacks
    def test_order(self) -> Any:
        """What the kernel did not take at once comes before what follows it."""
        number = self.listen(ServerFactory.forProtocol(Talker))
        heard: Deferred[bytes] = deferToThread(_hear, number)
        self.assertEqual(b"a" + LARGE + b"bc", (yield heard))

    @inlineCallbacks
    def test_client(self) -> Any:
        """So it does from us to a server of others."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            heard: Deferred[bytes] = deferToThread(_hear_next, server)
            number = server.getsockname()[1]
            endpoint = TCP4ClientEndpoint(Eagerly(reactor), "127.0.0.1", number)
            yield endpoint.connect(Factory.forProtocol(Talker))
            self.assertEqual(b"a" + LARGE + b"bc", (yield heard))

    @inlineCallbacks
    def test_tls(self) -> Any:
        """So it does under TLS, begun at once or later."""
        later: Any = ServerFactory.forProtocol(Upgraded)
        later.tls = self.tls()
        begun = ServerFactory.forProtocol(Talker)
        for factory in later, EagerTLSFactory(later.tls, False, begun, self.clock):
            number = self.listen(factory)
            heard: Deferred[bytes] = deferToThread(_hear, number, _anybody())
            self.assertEqual(b"a" + LARGE + b"bc", (yield heard))

    @inlineCallbacks
    def test_at_once(self) -> Any:
        """What is said can be heard before the reactor's next turn."""
        tls = self.tls()
        for at_once, later in (False, False), (True, False), (False, True):
            prompt: Any = ServerFactory.forProtocol(Prompt)
            prompt.later, prompt.tls, prompt.heard = later, tls, Deferred()
            factory = prompt
            if at_once:
                factory = EagerTLSFactory(tls, False, prompt, self.clock)
            context = _anybody() if at_once or later else None
            number = self.listen(factory)
            prompt.peer = yield deferToThread(_connect, number, context)
            self.addCleanup(prompt.peer.close)
            prompt.peer.settimeout(1)
            prompt.peer.send(b"?")
            self.assertEqual(b"now", (yield prompt.heard))

    @inlineCallbacks
    def test_unix(self) -> Any:
        """So it does over a UNIX socket, which may be nobody else's."""
        path = os.path.relpath(self.mktemp())
        factory = ServerFactory.forProtocol(Talker)
        port = EagerUNIXPort(path.encode(), factory, mode=0o600, reactor=reactor)
        port.startListening()
        self.addCleanup(port.stopListening)
        self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
        heard: Deferred[bytes] = deferToThread(_hear, path)
        self.assertEqual(b"a" + LARGE + b"bc", (yield heard))


def _hear(place: int | str, tls: ssl.SSLContext | None = None) -> bytes:
    """All that a server at a port or a path says, taken slowly."""
    return _all(_connect(place, tls))


def _connect(place: int | str, tls: ssl.SSLContext | None = None) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX if isinstance(place, str) else socket.AF_INET)
    peer.settimeout(20)
    peer.connect(place if isinstance(place, str) else ("127.0.0.1", place))
    return tls.wrap_socket(peer) if tls else peer


def _hear_next(server: socket.socket) -> bytes:
    """All that the next one says who comes."""
    server.settimeout(20)
    return _all(server.accept()[0])


def _all(peer: socket.socket) -> bytes:
    peer.settimeout(20)
    said = b""
    with peer:
        while data := peer.recv(50_000):
            said += data
    return said


def _anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
