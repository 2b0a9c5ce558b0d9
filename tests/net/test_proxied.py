"""Tests of smfd.net.proxied, on real sockets."""

import socket
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from smfd.net.eager import EagerPort
from smfd.net.proxied import ProxiedFactory
from smfd.policy.networks import networks
from tests.proto.test_proxy import addresses, version_2

reactor: Any = installed


class Met(Protocol):
    """Says whom it met, and keeps what it hears."""

    def connectionMade(self) -> None:
        """Greet."""
        assert self.factory is not None and self.transport is not None
        self.peer: Any = self.transport.getPeer()
        self.heard = b""
        self.lost = False
        self.factory.met.append(self)
        self.transport.write(b"hello\n")

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Over."""
        self.lost = True


class ProxiedTests(TestCase):
    """Who comes from a proxy's network says for whom."""

    timeout = 20

    def listen(self, network: str = "127.0.0.0/8", deadline: float = 5.0) -> None:
        """Open a port."""
        self.factory = ServerFactory.forProtocol(Met)
        self.met: list[Met] = []
        self.factory.met = self.met  # type: ignore[attr-defined]
        proxied = ProxiedFactory(networks([network]), self.factory, reactor, deadline)
        self.port = EagerPort(0, proxied, 5, "127.0.0.1", reactor)
        self.port.startListening()
        self.addCleanup(self.port.stopListening)

    async def come(self, *pieces: bytes) -> socket.socket:
        """Connect, and send these one by one."""
        client = socket.create_connection(self.port.socket.getsockname())
        client.setblocking(False)
        self.addCleanup(client.close)
        for piece in pieces:
            client.send(piece)
            await deferLater(reactor, 0.01)
        return client

    async def heard(self, client: socket.socket) -> bytes:
        """What the client hears until the end, or what is there."""
        octets = b""
        for _ in range(100):
            await deferLater(reactor, 0.005)
            try:
                more = client.recv(100)
            except BlockingIOError:
                if octets:
                    return octets
                continue
            except ConnectionError:
                return octets + b"<reset>"
            if not more:
                return octets + b"<end>"
            octets += more
        return octets

    async def test_both_versions(self) -> None:
        """The address is the client's; what came behind the header is not lost."""
        self.listen()
        for header, host in {
            b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n": "192.0.2.7",
            version_2(addresses("2001:db8::7", 4711), 0x21): "2001:db8::7",
        }.items():
            client = await self.come(header + b"first words")
            self.assertEqual(b"hello\n", await self.heard(client))
            met = self.met.pop()
            self.assertEqual((host, 4711), (met.peer.host, met.peer.port))
            self.assertEqual(b"first words", met.heard)

    async def test_octet_by_octet(self) -> None:
        """Nobody is greeted before the header is whole."""
        self.listen()
        header = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n"
        client = await self.come(*(bytes([octet]) for octet in header[:-1]))
        self.assertEqual([], self.met)
        client.send(b"\nx")
        self.assertEqual(b"hello\n", await self.heard(client))
        self.assertEqual(b"x", self.met[0].heard)

    async def test_for_itself(self) -> None:
        """A health check is met as what it is."""
        self.listen()
        await self.heard(await self.come(version_2(b"", 0, 0x20)))
        self.assertEqual("127.0.0.1", self.met[0].peer.host)

    async def test_without(self) -> None:
        """A proxy that says nothing, or something else, is cut off unheard."""
        self.listen(deadline=0.05)
        for octets in (b"", b"EHLO x\r\n", b"\x16\x03\x01", b"PROXY TCP4 "):
            client = await self.come(octets)
            self.assertEqual(b"<reset>", await self.heard(client))
        self.assertEqual([], self.met)

    async def test_from_elsewhere(self) -> None:
        """From anywhere else a header is just octets, and nobody is believed."""
        self.listen("10.0.0.0/8")
        header = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n"
        await self.heard(await self.come(header))
        self.assertEqual("127.0.0.1", self.met[0].peer.host)
        self.assertEqual(header, self.met[0].heard)

    async def test_gone(self) -> None:
        """A proxy that goes before its header is whole leaves nothing."""
        self.listen()
        (await self.come(b"PROXY ")).close()
        await deferLater(reactor, 0.02)
        self.assertEqual([], self.met)
