"""Connections that send at once."""

import os
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from smfd.net.eager import EagerPort
from smfd.net.eager_unix import EagerUNIXPort

LARGE = bytes(range(256)) * 40_000


class Talker(Protocol):
    """Says things of very different sizes, and good-bye."""

    def connectionMade(self) -> None:
        """Little, much more than the kernel takes at once, and little again."""
        assert self.transport is not None
        for said in (b"a", LARGE, b"b", b"", b"c"):
            self.transport.write(said)
        self.transport.loseConnection()


class EagerTests(TestCase):
    """Everything arrives, in order."""

    @inlineCallbacks
    def test_order(self) -> Any:
        """What the kernel did not take at once comes before what follows it."""
        clock: Any = reactor
        factory = ServerFactory.forProtocol(Talker)
        port = EagerPort(0, factory, 5, "127.0.0.1", clock)
        port.startListening()
        self.addCleanup(port.stopListening)
        heard: Deferred[bytes] = deferToThread(_hear, port.getHost().port)
        self.assertEqual(b"a" + LARGE + b"bc", (yield heard))

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


def _hear(place: int | str) -> bytes:
    """All that a server at a port or a path says, taken slowly."""
    with socket.socket(
        socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
    ) as peer:
        peer.settimeout(20)
        peer.connect(place if isinstance(place, str) else ("127.0.0.1", place))
        said = b""
        while data := peer.recv(50_000):
            said += data
        return said
