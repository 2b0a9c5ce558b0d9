"""How we part from our clients when we stop."""

from typing import Any

from twisted.internet import error
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientCreator, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.model.session import Session
from smfd.net.listener import Listener
from smfd.proto.reply import Reply
from smfd.smtpd.connections import Connections
from smfd.smtpd.factory import SMTPFactory
from smfd.smtpd.phrase import CLOSING
from smfd.smtpd.reception import Reception
from tests.smtpd.doors import PlainDoor
from tests.smtpd.test_protocol import MESSAGE, OPEN, PatientDoor, ProtocolTestCase

reactor: Any = installed

GOOD_BYE = b"421 4.3.2 The server stops, try again later\r\n"


class Caller:
    """A connection that does what it is told when it likes."""

    def __init__(self, account: str = "") -> None:
        self.session = Session("S", "192.0.2.1", 4242, 0.0, account=account)
        self.retired = 0
        self.aborted = ""
        self.last = ""

    def retire(self, last: Reply = CLOSING) -> None:
        """Asked to leave."""
        self.retired += 1
        self.last = last.lines[0]

    def abort(self, why: str) -> None:
        """Hung up on."""
        self.aborted = why


class ConnectionsTests(SynchronousTestCase):
    """All of them at once."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.connections = Connections(self.clock)
        self.callers = [Caller(), Caller()]
        for caller in self.callers:
            self.connections.add(caller)

    def test_log_out(self) -> None:
        """Those leave who came in as somebody, and nobody else."""
        ann = [Caller("ann@home.example"), Caller("ann@home.example")]
        for caller in ann:
            self.connections.add(caller)
        self.assertEqual(2, self.connections.log_out("ann@home.example"))
        self.assertEqual(
            ["What you logged in with is no more"] * 2, [c.last for c in ann]
        )
        self.assertEqual([0, 0], [caller.retired for caller in self.callers])

    def test_nobody(self) -> None:
        """An empty house is closed at once."""
        for caller in self.callers:
            self.connections.remove(caller)
        self.assertIsNone(self.successResultOf(self.connections.drain(20)))

    def test_last_one(self) -> None:
        """It is over when the last one has gone, and no clock ticks on."""
        d = self.connections.drain(20)
        self.assertEqual([1, 1], [caller.retired for caller in self.callers])
        self.connections.remove(self.callers[0])
        self.assertNoResult(d)
        self.connections.remove(self.callers[1])
        self.assertIsNone(self.successResultOf(d))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_deadline(self) -> None:
        """Who does not go in time is hung up on."""
        d = self.connections.drain(20)
        self.connections.remove(self.callers[0])
        self.clock.advance(19.9)
        self.assertEqual("", self.callers[1].aborted)
        self.clock.advance(0.1)
        self.assertEqual(["", "shutdown"], [one.aborted for one in self.callers])
        self.connections.remove(self.callers[1])
        self.assertIsNone(self.successResultOf(d))

    def test_latecomer(self) -> None:
        """Who comes while we close is sent away like the others."""
        d = self.connections.drain(20)
        late = Caller()
        self.connections.add(late)
        self.clock.advance(0)
        self.assertEqual(1, late.retired)
        for caller in (*self.callers, late):
            self.assertNoResult(d)
            self.connections.remove(caller)
        self.successResultOf(d)


class RetireTests(ProtocolTestCase):
    """One connection that is asked to leave."""

    def last(self) -> bytes:
        """The last reply."""
        said: bytes = self.wire.value()
        return said.splitlines(keepends=True)[-1]

    def test_idle(self) -> None:
        """Between two commands: 421, and hung up."""
        door = PlainDoor()
        protocol = self.connect(door)
        protocol.dataReceived(OPEN)
        self.assertEqual(1, len(self.factory.connections))
        protocol.retire()
        self.assertEqual(GOOD_BYE, self.last())
        self.assertTrue(self.wire.disconnecting)
        protocol.connectionLost()
        self.assertEqual(["shutdown"], door.ends)
        self.assertEqual(0, len(self.factory.connections))

    def test_body(self) -> None:
        """In the middle of a message: it is taken to its end first."""
        door = PlainDoor()
        protocol = self.connect(door)
        protocol.dataReceived(OPEN + b"DATA\r\nhel")
        protocol.retire()
        self.assertFalse(self.wire.disconnecting)
        protocol.dataReceived(b"lo\r\n.\r\nMAIL FROM:<a@b.example>\r\n")
        self.assertEqual([b"hello\r\n"], door.bodies)
        self.assertEqual(
            ["220", "250", "250", "250", "354", "250", "421"], self.replies()
        )
        self.assertTrue(self.wire.disconnecting)

    def test_chunks(self) -> None:
        """Between two chunks of one message the other chunk is awaited."""
        door = PlainDoor()
        protocol = self.connect(door)
        protocol.dataReceived(OPEN + b"BDAT 5\r\nhello")
        protocol.retire()
        self.assertFalse(self.wire.disconnecting)
        protocol.dataReceived(b"BDAT 2 LAST\r\n\r\n")
        self.assertEqual([b"hello\r\n"], door.bodies)
        self.assertEqual(["250", "421"], self.replies()[-2:])

    def test_judged(self) -> None:
        """While it is judged: the verdict first, then good-bye."""
        door = PatientDoor()
        protocol = self.connect(door)
        protocol.dataReceived(MESSAGE)
        while door.asked[-1] != "message":
            door.go()
        protocol.retire()
        self.assertEqual(b"354", self.last()[:3])
        door.go()
        self.assertEqual(["354", "250", "421"], self.replies()[-3:])
        self.assertTrue(self.wire.disconnecting)

    def test_good_bye_already(self) -> None:
        """Who says QUIT hears nothing more."""
        protocol = self.connect(PlainDoor())
        protocol.dataReceived(b"QUIT\r\n")
        said = self.wire.value()
        protocol.retire()
        self.assertEqual(said, self.wire.value())

    def test_deaf(self) -> None:
        """Who does not take our replies is hung up on at the deadline."""
        door = PlainDoor()
        protocol = self.connect(door)
        self.wire.producer.pauseProducing()
        d = self.factory.connections.drain(5)
        self.assertFalse(self.wire.aborted)
        self.clock.advance(5)
        self.assertTrue(self.wire.aborted)
        protocol.connectionLost()
        self.successResultOf(d)
        self.assertEqual(["shutdown"], door.ends)


class Hearer(Protocol):
    """A client that hears, and waits for the end."""

    def __init__(self) -> None:
        self.heard = b""
        self.greeted: Deferred[None] = Deferred()
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Something was said."""
        self.heard += data
        if not self.greeted.called:
            self.greeted.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        """It is over."""
        self.ended.callback(self.heard)


class ReceptionTests(TestCase):
    """The same on a real socket."""

    async def test_stop(self) -> None:
        """A client that waits hears 421, and nobody comes in after him."""
        factory = SMTPFactory(PlainDoor(), clock=reactor, ids=lambda: "id")
        listener = Listener(["127.0.0.1:0"], factory, reactor)
        reception = Reception([listener], [factory])
        reception.privilegedStartService()
        reception.startService()
        (port,) = listener._ports
        number = port.getHost().port  # type: ignore[attr-defined]
        client: Any = await ClientCreator(reactor, Hearer).connectTCP(
            "127.0.0.1", number
        )
        await client.greeted
        await reception.stopService()
        self.assertEqual(GOOD_BYE, (await client.ended).splitlines(True)[-1])
        # Stopped again it has nothing to do.
        await reception.stopService()
        with self.assertRaises(error.ConnectionRefusedError):
            await ClientCreator(reactor, Hearer).connectTCP("127.0.0.1", number)
