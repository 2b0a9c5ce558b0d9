"""Tests of smfd.smtpd.protocol without a network."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from attrs import evolve
from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from smfd.model.session import Session
from smfd.proto.address import Address
from smfd.proto.limits import Limits
from smfd.proto.reply import Reply, reply
from smfd.smtpd.factory import SMTPFactory
from smfd.smtpd.protocol import SMTPProtocol
from tests.dialogs.dialog import cut_replies
from tests.smtpd.doors import Basket, PlainDoor

OPEN = b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
MESSAGE = OPEN + b"DATA\r\nhello\r\n.\r\n"


def raises(*args: object) -> Deferred[Any]:
    """Fail at once."""
    raise OSError("disk /var is full")


def fails(*args: object) -> Deferred[Any]:
    """Fail as it should be done."""
    return fail(OSError("disk /var is full"))


class Wire(StringTransport):
    """A transport that remembers how it ended."""

    producer: Any
    half = False
    aborted = False

    def loseWriteConnection(self) -> None:
        """Half of the end."""
        self.half = True

    def abortConnection(self) -> None:
        """All of it."""
        self.aborted = True


class PatientDoor(PlainDoor):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(delay=self._wait)
        self.waiting: list[tuple[Deferred[object], object]] = []

    def _wait(self, answer: object) -> Deferred[object]:
        d: Deferred[object] = Deferred()
        self.waiting.append((d, answer))
        return d

    def go(self) -> None:
        """Give the oldest answer."""
        d, answer = self.waiting.pop(0)
        d.callback(answer)


class ProtocolTestCase(SynchronousTestCase):
    """One connection to a door."""

    limits = Limits()

    def connect(self, door: PlainDoor, limits: Limits | None = None) -> SMTPProtocol:
        """Somebody comes."""
        self.clock = Clock()
        numbers: Iterator[int] = count(1)
        self.factory = SMTPFactory(
            door,
            clock=self.clock,
            ids=lambda: f"id{next(numbers)}",
            limits=limits or self.limits,
        )
        self.wire = Wire()
        directlyProvides(self.wire, ITCPTransport)
        protocol = self.factory.buildProtocol(None)
        protocol.makeConnection(self.wire)
        return protocol

    def replies(self) -> list[str]:
        """The codes of what was sent."""
        return [answer[:3] for answer in cut_replies(self.wire.value())]


class ConversationTests(ProtocolTestCase):
    """Questions to the door, and its answers."""

    def test_whole(self) -> None:
        """A message reaches the door with its envelope and its session."""
        door = PlainDoor()
        self.connect(door).dataReceived(MESSAGE + b"QUIT\r\n")

        self.assertEqual(
            ["220", "250", "250", "250", "354", "250", "221"], self.replies()
        )
        self.assertEqual([b"hello\r\n"], door.bodies)
        (envelope,) = door.envelopes
        self.assertEqual("id2", envelope.id)
        self.assertEqual(Address("a", "b.example"), envelope.sender)
        self.assertEqual(["c@d.example"], [str(f.address) for f in envelope.recipients])
        self.assertEqual("c.example", door.sessions[-1].helo)
        self.assertTrue(self.wire.disconnecting)
        self.assertEqual(0, self.factory.post.budget.taken)

    def test_in_order(self) -> None:
        """A slow answer to RCPT holds back what comes behind it, and its answer."""
        door = PatientDoor()
        protocol = self.connect(door)
        door.go()
        protocol.dataReceived(OPEN + b"RCPT TO:<nobody@d.example>\r\nNO")
        protocol.dataReceived(b"OP\r\nDATA\r\nx\r\n.\r\n")
        for asked in (["hello"], ["hello", "mail"], ["hello", "mail", "rcpt"]):
            self.assertEqual(asked, door.asked[1:])
            door.go()
        self.assertEqual(["220", "250", "250", "250"], self.replies())
        door.go()
        self.assertEqual(["550", "250"], self.replies()[4:])
        self.assertEqual("data", door.asked[-1])
        door.go()
        self.assertEqual(["354"], self.replies()[6:])
        door.go()
        self.assertEqual(["250"], self.replies()[7:])

    def test_before_the_greeting(self) -> None:
        """What a client sends before it was greeted waits."""
        door = PatientDoor()
        protocol = self.connect(door)
        protocol.dataReceived(b"EHLO c.example\r\n")
        self.assertEqual(b"", self.wire.value())
        door.go()
        self.assertEqual(["connected", "hello"], door.asked)

    def test_one_write(self) -> None:
        """What is answered at once is written at once (RFC 2920 §3.2)."""
        written: list[bytes] = []
        protocol = self.connect(PlainDoor())
        self.wire.write = written.append  # type: ignore[method-assign]
        protocol.dataReceived(OPEN)
        self.assertEqual(1, len(written))

    def test_flood(self) -> None:
        """20,000 commands at once cost no stack (R51)."""
        protocol = self.connect(PlainDoor(), Limits(junk=50_000))
        protocol.dataReceived(b"RSET\r\n" * 20_000)
        self.assertEqual(20_001, len(self.replies()))

    def test_session_after_refused_hello(self) -> None:
        """A name that was refused is not kept."""

        class Picky(PlainDoor):
            def hello(self, session: Session) -> Deferred[Reply]:
                self.sessions.append(session)
                good = session.helo == "c.example"
                return succeed(reply(250 if good else 550, "", "x"))

        door = Picky()
        protocol = self.connect(door)
        protocol.dataReceived(MESSAGE + b"EHLO bad.example\r\n" + MESSAGE[16:])
        self.assertEqual("c.example", door.sessions[-1].helo)
        self.assertEqual(2, len(door.bodies))

    def test_mapped_address(self) -> None:
        """An IPv4 client on an IPv6 socket has its IPv4 address."""
        door = PlainDoor()
        wire = Wire(peerAddress=IPv6Address("TCP", "::ffff:192.0.2.7", 4711))
        self.connect(PlainDoor())
        protocol = SMTPProtocol(evolve(self.factory.post, door=door))
        protocol.makeConnection(wire)
        self.assertEqual("192.0.2.7", door.sessions[0].client)
        self.assertEqual(4711, door.sessions[0].port)


class MistakeTests(ProtocolTestCase):
    """The door is told what the machine answers by itself, if it is a mistake."""

    def mistakes(self, octets: bytes) -> list[int]:
        """What it was told of."""
        door = PlainDoor()
        protocol = self.connect(door)
        try:
            protocol.dataReceived(octets)
        finally:
            protocol.connectionLost(Failure(ConnectionLost()))
        return door.mistakes

    def test_mistakes(self) -> None:
        """Unknown commands, wrong arguments, wrong order, bare LF, HTTP."""
        ehlo = b"EHLO c.example\r\n"
        for octets, codes in (
            (b"WHAT\r\n", [500]),
            (ehlo + b"MAIL FROM:<a@b\r\n", [501]),
            (ehlo + b"RCPT TO:<a@b.example>\r\n", [503]),
            (ehlo + b"NOOP\nNOOP\r\n", [500]),
            (ehlo + b"WHAT\r\n" * 11, [500] * 10 + [421]),
            (b"GET / HTTP/1.1\r\n", [554]),
            (ehlo + b"NOOP\r\nRSET\r\nHELP\r\nQUIT\r\n", []),
        ):
            self.assertEqual(codes, self.mistakes(octets), octets)

    def test_nobody_left(self) -> None:
        """Who pipelines cannot know that all his recipients were refused."""
        octets = OPEN.replace(b"<c@", b"<no@") + b"DATA\r\n"
        self.assertEqual([], self.mistakes(octets))

    def test_fault(self) -> None:
        """A door that breaks over a mistake is answered for all the same."""
        door = PlainDoor()
        door.erred = raises  # type: ignore[assignment]
        protocol = self.connect(door)
        protocol.dataReceived(b"WHAT\r\n")
        self.assertIn(b"\r\n500 ", self.wire.value())
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))


class FaultTests(ProtocolTestCase):
    """When we break, the client is told to come back, and not why."""

    def broken(self, method: str, how: Callable[..., object] = raises) -> PlainDoor:
        """A door of which one method fails."""
        door = PlainDoor()
        setattr(door, method, how)
        return door

    def test_each_question(self) -> None:
        """Whatever fails is 451, never 5yz, and we stay in step (R47)."""
        for method in ("hello", "mail", "rcpt", "data", "message"):
            for how in (raises, fails):
                door = self.broken(method, how)
                self.connect(door).dataReceived(MESSAGE + b"RSET\r\nNOOP\r\n")
                self.assertEqual(1, len(self.flushLoggedErrors(OSError)), method)
                sent = self.wire.value()
                self.assertIn(b"451 4.3.0 Local error, try again later\r\n", sent)
                self.assertNotIn(b"disk", sent)
                self.assertEqual(0, self.factory.post.budget.taken)
                self.assertTrue(all(b.finished != b.abandoned for b in door.baskets))
                if method == "message":
                    self.assertEqual(["451", "250", "250"], self.replies()[-3:])

    def test_greeting(self) -> None:
        """When nobody can be greeted, he is told to come back later."""
        self.connect(self.broken("connected"))
        self.assertEqual(b"421 4.3.0", self.wire.value()[:9])
        self.flushLoggedErrors(OSError)

    def test_write(self) -> None:
        """
        When the body cannot be kept, its rest is taken, answered 451, and not
        read as commands.
        """
        for room in (raises, fails):
            door = PlainDoor(basket=lambda room=room: Basket(room=room))  # type: ignore[misc]
            self.connect(door).dataReceived(
                OPEN + b"DATA\r\nNOOP\r\nQUIT\r\n.\r\nNOOP\r\n"
            )
            self.assertEqual(["354", "451", "250"], self.replies()[4:])
            self.assertEqual(1, door.baskets[0].abandoned)
            self.assertEqual(1, len(self.flushLoggedErrors(OSError)))

    def test_closed_fails(self) -> None:
        """A door that cannot say good-bye breaks nothing else."""
        door = self.broken("closed")
        protocol = self.connect(door)
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))


class BodyTests(ProtocolTestCase):
    """A body is whole, or leaves nothing behind."""

    def abandoned(self, octets: bytes) -> None:
        """That leaves nothing."""
        door = PlainDoor()
        protocol = self.connect(door)
        protocol.dataReceived(octets)
        self.assertEqual([1], [basket.abandoned for basket in door.baskets])
        self.assertEqual(0, self.factory.post.budget.taken)
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([1], [basket.abandoned for basket in door.baskets])

    def test_flaw(self) -> None:
        """A message with a bare LF is abandoned."""
        self.abandoned(OPEN + b"DATA\r\na\nb\r\n.\r\n")

    def test_refusals_are_told(self) -> None:
        """The door is told whose message it was that it never saw."""
        self.limits = Limits(message_size=100, message_memory=100)
        long = b"x" * 100 + b"\r\n"
        for octets, code, recipients in (
            (b"DATA\r\na\nb\r\n.\r\n", "550", 1),
            (b"DATA\r\n\0\r\n.\r\n", "550", 1),
            (b"DATA\r\n" + long + b".\r\n", "552", 1),
            (b"BDAT 102 LAST\r\n" + long, "552", 1),
            (b"RSET\r\nMAIL FROM:<a@b.example> SIZE=101\r\n", "552", 0),
        ):
            door = PlainDoor()
            self.connect(door).dataReceived(OPEN + octets)
            self.assertEqual(code, self.replies()[-1])
            (envelope,) = door.envelopes
            self.assertEqual("a@b.example", str(envelope.sender))
            self.assertEqual(recipients, len(envelope.recipients))

    def test_chunks_ended(self) -> None:
        """RSET, EHLO and QUIT between chunks abandon what came."""
        for verb in (b"RSET", b"EHLO x.example", b"QUIT", b"GET / HTTP/1.1"):
            self.abandoned(OPEN + b"BDAT 3\r\na\r\n" + verb + b"\r\n")

    def test_lost(self) -> None:
        """A client that vanishes in the middle leaves nothing, and is noted once."""
        door = PlainDoor()
        protocol = self.connect(door)
        protocol.dataReceived(OPEN + b"DATA\r\nhello\r\n.")
        self.assertEqual(131072, self.factory.post.budget.taken)
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([1], [basket.abandoned for basket in door.baskets])
        self.assertEqual(["lost"], door.ends)
        self.assertEqual(0, self.factory.post.budget.taken)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_lost_while_the_door_thinks(self) -> None:
        """Its answer is not waited for any more."""
        for questions in range(6):
            door = PatientDoor()
            protocol = self.connect(door)
            protocol.dataReceived(MESSAGE)
            for _ in range(questions):
                door.go()
            ((pending, _),) = door.waiting
            protocol.connectionLost(Failure(ConnectionLost()))
            self.assertTrue(pending.called)
            self.assertEqual(["lost"], door.ends)
            self.assertEqual(0, self.factory.post.budget.taken)

    def test_slow_disk(self) -> None:
        """While a body has no room, nothing more of it is taken."""
        rooms: list[Deferred[None]] = []

        def room() -> Deferred[None]:
            rooms.append(Deferred())
            return rooms[-1]

        door = PlainDoor(basket=lambda: Basket(room=room))
        protocol = self.connect(door)
        protocol.dataReceived(OPEN + b"DATA\r\n")
        for _ in range(4):
            protocol.dataReceived(b"x" * 10_000)
        self.assertEqual(1, len(door.baskets[0].chunks))
        self.assertEqual("paused", self.wire.producerState)
        rooms[0].callback(None)
        self.assertEqual(2, len(door.baskets[0].chunks))
        rooms[1].callback(None)
        self.assertEqual("producing", self.wire.producerState)
        protocol.dataReceived(b"\r\n.\r\n")
        rooms[2].callback(None)
        self.assertEqual(40_002, len(door.bodies[0]))

    def test_slow_disk_at_the_end(self) -> None:
        """A body is not whole before its last octets have room."""
        room: Deferred[None] = Deferred()
        door = PlainDoor(basket=lambda: Basket(room=lambda: room))
        protocol = self.connect(door)
        protocol.dataReceived(OPEN + b"DATA\r\nhello\r\n.\r\nNOOP\r\n")
        self.assertFalse(door.baskets[0].finished)
        room.callback(None)
        self.assertEqual([b"hello\r\n"], door.bodies)
        self.assertEqual(["354", "250", "250"], self.replies()[4:])

    def test_budget(self) -> None:
        """When all memory is taken, the next message waits at its sender."""
        door = PlainDoor()
        limits = Limits(memory=300_000)
        first = self.connect(door, limits)
        second, third = (SMTPProtocol(self.factory.post) for _ in range(2))
        wires = [self.wire, Wire(), Wire()]
        second.makeConnection(wires[1])
        third.makeConnection(wires[2])
        for protocol in (first, second, third):
            protocol.dataReceived(OPEN + b"DATA\r\n")
        self.assertEqual(b"354", cut_replies(wires[1].value())[-1][:3].encode())
        self.assertEqual("452 4.3.1", cut_replies(wires[2].value())[-1][:9])
        first.dataReceived(b".\r\n")
        third.dataReceived(b"DATA\r\n")
        self.assertEqual("354", cut_replies(wires[2].value())[-1][:3])


class FlowTests(ProtocolTestCase):
    """Nothing grows without end."""

    def test_reading_stops(self) -> None:
        """A client that sends on while an answer is due is read no more (R49)."""
        door = PatientDoor()
        protocol = self.connect(door)
        protocol.dataReceived(b"N" * 16_000)
        self.assertEqual("producing", self.wire.producerState)
        protocol.dataReceived(b"N" * 1000)
        self.assertEqual("paused", self.wire.producerState)
        door.go()
        self.assertEqual("producing", self.wire.producerState)

    def test_replies_unread(self) -> None:
        """A client that does not read its replies is asked nothing more (R51)."""
        protocol = self.connect(PlainDoor(), Limits(junk=100_000))
        self.wire.producer.pauseProducing()
        protocol.dataReceived(b"RSET\r\n" * 5000)
        self.assertEqual(["220"], self.replies())
        self.assertEqual("paused", self.wire.producerState)
        self.wire.producer.resumeProducing()
        self.assertEqual(5001, len(self.replies()))
        self.assertEqual("producing", self.wire.producerState)

    def test_blocked_in_the_middle(self) -> None:
        """Replies stop as soon as the transport is full."""
        protocol = self.connect(PlainDoor(), Limits(junk=100_000))
        write = self.wire.write

        def full(octets: bytes) -> None:
            write(octets)
            self.wire.producer.pauseProducing()

        self.wire.write = full  # type: ignore[method-assign]
        protocol.dataReceived(b"RSET\r\n" * 5000)
        self.assertLess(len(self.replies()), 200)

    def test_rset_flood_ends(self) -> None:
        """Commands that move nothing on end in 421 (R51)."""
        door = PlainDoor()
        protocol = self.connect(door)
        protocol.dataReceived(b"RSET\r\n" * 20_000)
        self.assertEqual(102, len(self.replies()))
        self.assertEqual("421", self.replies()[-1])
        self.assertTrue(self.wire.half)


class TimeTests(ProtocolTestCase):
    """Every wait has an end."""

    def test_idle(self) -> None:
        """Five minutes for a command (RFC 5321 §4.5.3.2.7)."""
        door = PlainDoor()
        protocol = self.connect(door)
        self.clock.pump([10] * 29)
        protocol.dataReceived(b"NOOP\r\n")
        self.clock.pump([10] * 29)
        self.assertEqual(["220", "250"], self.replies())
        self.clock.pump([10] * 2)
        self.assertEqual("421", self.replies()[-1])
        self.assertIn(b"4.4.2", self.wire.value())
        self.clock.pump([10] * 2)
        self.assertTrue(self.wire.aborted)
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(["timeout"], door.ends)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_trickled_command(self) -> None:
        """A command that comes octet by octet has no more time than another."""
        protocol = self.connect(PlainDoor())
        for _ in range(31):
            protocol.dataReceived(b"N")
            self.clock.advance(10)
        self.assertEqual(["220", "421"], self.replies())

    def test_trickled_message(self) -> None:
        """Each read of a message has its time, and the whole of it too."""
        protocol = self.connect(PlainDoor())
        protocol.dataReceived(OPEN + b"DATA\r\n")
        for _ in range(17):
            protocol.dataReceived(b"x")
            self.clock.pump([10] * 10)
        self.assertEqual("354", self.replies()[-1])
        for _ in range(2):
            protocol.dataReceived(b"x")
            self.clock.pump([10] * 10)
        self.assertEqual("421", self.replies()[-1])
        self.assertEqual(0, self.factory.post.budget.taken)

    def test_silent_message(self) -> None:
        """A message that stops coming is given up after three minutes."""
        door = PlainDoor()
        protocol = self.connect(door)
        protocol.dataReceived(OPEN + b"DATA\r\nx")
        self.clock.pump([10] * 19)
        self.assertEqual("421", self.replies()[-1])
        self.assertEqual(1, door.baskets[0].abandoned)

    def test_slow_door(self) -> None:
        """While the door thinks, the client is not hurried."""
        door = PatientDoor()
        self.connect(door)
        self.clock.pump([10] * 100)
        self.assertFalse(self.wire.aborted)
        self.assertEqual(b"", self.wire.value())
        door.go()
        self.clock.pump([10] * 29)
        self.assertEqual(["220"], self.replies())
        self.clock.pump([10] * 3)
        self.assertEqual(["220", "421"], self.replies())

    def test_deaf_client(self) -> None:
        """A client that never reads is cut off."""
        self.connect(PlainDoor())
        self.wire.producer.pauseProducing()
        self.clock.pump([10] * 30)
        self.assertTrue(self.wire.aborted)

    def test_one_call(self) -> None:
        """A connection has one delayed call, whatever it does."""
        protocol = self.connect(PlainDoor())
        for _ in range(10):
            protocol.dataReceived(MESSAGE)
            self.clock.advance(1)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
