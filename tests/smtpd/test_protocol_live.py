"""Tests of smfd.smtpd on real sockets."""

from itertools import count
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLClientConnectionCreator,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from smfd.net.tls import Pair, ServerTLS, make_self_signed
from smfd.proto.extension import Offer
from smfd.proto.limits import Limits
from smfd.proto.server import ServerMachine
from smfd.smtpd.connections import AT_ONCE
from smfd.smtpd.factory import SMTPFactory
from smfd.smtpd.protocol import SMTPProtocol
from tests.dialogs.dialog import Dialog, cut_replies, dialogs, mismatch
from tests.smtpd.doors import PlainDoor


@implementer(IOpenSSLClientConnectionCreator)
class AnyCertificate:
    """A client that checks nothing."""

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """As it comes."""
        connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        connection.set_connect_state()
        return connection


class Client(Protocol):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost: Deferred[None] = Deferred()
        self.closed = False
        self._waiting: list[tuple[int, Deferred[None]]] = []

    def dataReceived(self, data: bytes) -> None:
        """The server said something."""
        self.heard += data
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It hung up."""
        self.closed = True
        self.lost.callback(None)
        self._look()

    def replies(self, number: int) -> Deferred[None]:
        """Fires when there have been so many, or there will be no more."""
        d: Deferred[None] = Deferred()
        self._waiting.append((number, d))
        self._look()
        return d

    def _look(self) -> None:
        whole = self.heard.endswith(b"\r\n")
        answers = len(cut_replies(self.heard)) if whole and self._last() else -1
        for entry in list(self._waiting):
            if answers >= entry[0] or self.closed:
                self._waiting.remove(entry)
                entry[1].callback(None)

    def _last(self) -> bool:
        return self.heard.rstrip(b"\r\n").split(b"\r\n")[-1][3:4] == b" "


class LiveTestCase(TestCase):
    """A server on loopback."""

    timeout = 30

    def setUp(self) -> None:
        home = Path(self.mktemp())
        home.mkdir()
        certificate, key = make_self_signed("mx.test")
        (home / "cert.pem").write_bytes(certificate)
        (home / "key.pem").write_bytes(key)
        self.tls = ServerTLS(Pair(home / "cert.pem", home / "key.pem"))
        self.door = PlainDoor()

    def listen(
        self,
        limits: Limits | None = None,
        offer: Offer | None = None,
        tls: bool = False,
        implicit: bool = False,
        machine: type[ServerMachine] = ServerMachine,
    ) -> IListeningPort:
        """Open a port."""
        numbers = count()
        self.factory = SMTPFactory(
            self.door,
            clock=reactor,
            ids=lambda: str(next(numbers)),
            limits=limits,
            offer=offer,
            tls=self.tls if tls else None,
            machine=machine,
        )
        factory: Any = (
            TLSMemoryBIOFactory(self.tls, False, self.factory)
            if implicit
            else self.factory
        )
        port: IListeningPort = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port

    async def connect(self, port: IListeningPort, secure: bool = False) -> Client:
        """Come."""
        number = port.getHost().port  # type: ignore[attr-defined]
        endpoint: IStreamClientEndpoint = TCP4ClientEndpoint(
            reactor, "127.0.0.1", number
        )
        client = Client()
        if secure:
            endpoint = wrapClientTLS(AnyCertificate(), endpoint)
        await connectProtocol(endpoint, client)
        return client

    async def leave(self, client: Client) -> None:
        """Go, and wait until the server has noticed."""
        assert client.transport is not None
        client.transport.loseConnection()
        await client.lost
        while len(self.door.ends) < self.door.asked.count("connected"):
            await deferLater(reactor, 0.005, lambda: None)


class DialogTests(LiveTestCase):
    """The dialogues, by TCP."""

    async def converse(self, dialog: Dialog) -> None:
        """Have one of them."""
        self.door = PlainDoor()
        port = self.listen(
            dialog.limits, dialog.offer, dialog.tls, machine=dialog.machine
        )
        client = await self.connect(port)
        assert client.transport is not None
        due = 0
        for step in dialog.steps:
            client.transport.write(step.sent)
            due += len(step.replies) - step.replies.count("-")
            await client.replies(due)
            if "-" in step.replies:
                await client.lost
        self.assertEqual(
            "", mismatch(dialog.replies, client.heard, client.closed), dialog.name
        )
        if dialog.bodies:
            self.assertEqual(list(dialog.bodies), self.door.bodies, dialog.name)
        await self.leave(client)
        self.assertEqual(0, self.factory.post.budget.taken)

    async def test_dialogs(self) -> None:
        """What is said over a socket is answered as the files say."""
        for dialog in dialogs():
            await self.converse(dialog)


class SocketTests(LiveTestCase):
    """What only a socket shows."""

    async def test_why_is_heard(self) -> None:
        """
        A client that still sends learns why it is cut off: the last reply is
        not lost in a reset (R51).
        """
        client = await self.connect(self.listen())
        assert client.transport is not None
        client.transport.write(b"RSET\r\n" * 200_000)
        await client.lost
        self.assertEqual("421", cut_replies(client.heard)[-1][:3])
        await self.leave(client)

    async def test_half_closed(self) -> None:
        """
        A client that says all it has and closes its side still hears the
        answers, however slow they are.
        """
        self.door = PlainDoor(
            delay=lambda answer: deferLater(reactor, 0.01, lambda: answer)
        )
        client = await self.connect(self.listen())
        assert client.transport is not None
        client.transport.write(
            b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
            b"DATA\r\nhi\r\n.\r\n"
        )
        client.transport.loseWriteConnection()  # type: ignore[attr-defined]
        await client.lost
        self.assertEqual(6, len(cut_replies(client.heard)))
        self.assertEqual(["lost"], self.door.ends)

    async def test_gone_in_the_middle(self) -> None:
        """A client that goes in the middle of a message leaves nothing."""
        client = await self.connect(self.listen())
        assert client.transport is not None
        client.transport.write(
            b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
            b"DATA\r\nhi\r\n"
        )
        await client.replies(5)
        await self.leave(client)
        self.assertEqual([1], [basket.abandoned for basket in self.door.baskets])
        self.assertEqual(0, self.factory.post.budget.taken)

    async def test_big_message(self) -> None:
        """Ten megabytes with dots arrive as they were sent."""
        client = await self.connect(self.listen())
        assert client.transport is not None
        body = (b".x" * 40 + b"\r\n..\r\n" + b"y" * 998 + b"\r\n") * 9500
        client.transport.write(
            b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
            b"DATA\r\n" + body.replace(b"\r\n.", b"\r\n..").replace(b".", b"..", 1)
            + b".\r\n"
        )  # fmt: skip
        await client.replies(6)
        self.assertEqual([body], self.door.bodies)
        await self.leave(client)


class TLSTests(LiveTestCase):
    """STARTTLS, and TLS from the start."""

    async def test_starttls(self) -> None:
        """All is said again after the handshake, and the door knows of it."""
        client = await self.connect(self.listen(tls=True))
        assert client.transport is not None
        client.transport.write(b"EHLO old.example\r\n")
        await client.replies(2)
        self.assertIn(b"STARTTLS", client.heard)
        client.transport.write(b"STARTTLS\r\n")
        await client.replies(3)
        client.heard = b""
        client.transport.startTLS(AnyCertificate())  # type: ignore[attr-defined]
        client.transport.write(b"MAIL FROM:<a@b.example>\r\n")
        await client.replies(1)
        self.assertIn(b"503", client.heard)
        client.transport.write(
            b"EHLO new.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
            b"DATA\r\nhi\r\n.\r\n"
        )
        await client.replies(6)
        self.assertNotIn(b"STARTTLS", client.heard)
        self.assertEqual([b"hi\r\n"], self.door.bodies)
        session = self.door.sessions[-1]
        self.assertEqual("new.example", session.helo)
        self.assertTrue(session.tls.startswith("TLSv1.3 TLS_"), session.tls)
        await self.leave(client)

    async def test_forgotten(self) -> None:
        """What a client called itself in the clear is not known under TLS (R44)."""
        client = await self.connect(self.listen(tls=True))
        assert client.transport is not None
        client.transport.write(b"EHLO old.example\r\n")
        await client.replies(2)
        client.transport.write(b"STARTTLS\r\n")
        await client.replies(3)
        client.transport.startTLS(AnyCertificate())  # type: ignore[attr-defined]
        client.heard = b""
        client.transport.write(b"NOOP\r\n")
        await client.replies(1)
        await self.leave(client)
        session = self.door.sessions[-1]
        self.assertEqual(("", False), (session.helo, session.extended))
        self.assertTrue(session.tls)

    async def test_clear_text_behind_starttls(self) -> None:
        """What arrives in the clear where TLS should begin runs nothing (R44)."""
        client = await self.connect(self.listen(tls=True))
        assert client.transport is not None
        client.transport.write(b"EHLO c.example\r\n")
        await client.replies(2)
        client.transport.write(b"STARTTLS\r\n")
        await client.replies(3)
        client.transport.write(b"MAIL FROM:<a@b.example>\r\nQUIT\r\n")
        await client.lost
        self.assertNotIn("mail", self.door.asked)
        self.assertEqual(3, client.heard.count(b"220") + client.heard.count(b"250 "))
        await self.leave(client)

    async def test_implicit(self) -> None:
        """With TLS from the start, the door is asked when it is up."""
        client = await self.connect(self.listen(implicit=True), secure=True)
        assert client.transport is not None
        client.transport.write(b"EHLO c.example\r\nQUIT\r\n")
        await client.lost
        self.assertEqual(3, len(cut_replies(client.heard)))
        self.assertTrue(self.door.sessions[0].tls.startswith("TLSv1.3"))
        await self.leave(client)

    async def test_many_handshakes(self) -> None:
        """Nobody fills the house with handshakes that he does not finish."""
        port = self.listen(implicit=True)
        for _ in range(2):
            silent = [await self.connect(port) for _ in range(AT_ONCE)]
            one_more = await self.connect(port)
            await one_more.lost
            self.assertFalse(any(client.closed for client in silent))
            await self.all_leave(silent)
        clients = []
        for _ in range(AT_ONCE + 1):
            clients.append(await self.connect(port, secure=True))
            await clients[-1].replies(1)
            self.assertTrue(clients[-1].heard)
        await self.all_leave(clients)

    async def all_leave(self, clients: list[Client]) -> None:
        """They hang up, and the server has noticed."""
        for client in clients:
            assert client.transport is not None
            client.transport.loseConnection()
        while self.factory.connections:
            await deferLater(reactor, 0.005, lambda: None)

    async def test_at_once(self) -> None:
        """The greeting does not wait for a client to acknowledge session tickets."""
        client = await self.connect(self.listen(implicit=True), secure=True)
        await client.replies(1)
        (served,) = self.factory.connections._open
        assert isinstance(served, SMTPProtocol)
        transport: Any = served.transport
        self.assertTrue(transport.getTcpNoDelay())
        await self.leave(client)

    async def test_not_even_tls(self) -> None:
        """A client that never finishes the handshake never reaches the door."""
        port = self.listen(Limits(command_timeout=0.3), implicit=True)
        client = await self.connect(port)
        await client.lost
        self.assertEqual([], self.door.asked)
        self.assertEqual([], self.door.ends)
