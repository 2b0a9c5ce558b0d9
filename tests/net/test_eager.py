"""Connections that send at once."""

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from smfd.net.eager import EagerPort

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


def _hear(port: int) -> bytes:
    """All that a server says, taken slowly."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        said = b""
        while data := peer.recv(50_000):
            said += data
        return said
