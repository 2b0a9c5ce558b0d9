"""Tests of smfd.smtpd.protocol with answers that take their time."""

from itertools import count
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.extension import Offer
from smfd.proto.limits import Limits
from smfd.proto.server import ServerMachine
from smfd.smtpd.factory import SMTPFactory
from tests.proto.conversation import Conversation
from tests.smtpd.doors import PlainDoor

COMMANDS = [
    b"MAIL FROM:<a@b.example>\r\n",
    b"MAIL FROM:<>\r\n",
    b"RCPT TO:<c@d.example>\r\n",
    b"RCPT TO:<nobody@d.example>\r\n",
    b"RCPT TO:<later@d.example>\r\n",
    b"RCPT TO:<\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"VRFY x\r\n",
    b"XYZZY\r\n",
    b"EHLO again.example\r\n",
    b"BDAT 3\r\nx\r\n",
    b"BDAT 3 LAST\r\ny\r\n",
]

MESSAGE = [
    b"MAIL FROM:<a@b.example>\r\n",
    b"RCPT TO:<c@d.example>\r\n",
    b"RCPT TO:<nobody@d.example>\r\n",
    b"DATA\r\n",
]

BODIES = [b"hello\r\n.\r\n", b".\r\n", b"..\r\nx\ny\r\n.\r\n", b"MAIL FROM:<>\r\n.\r\n"]


def session(random: Random) -> bytes:
    """What some client sends in one connection."""
    parts = [b"EHLO c.example\r\n"]
    for _ in range(random.randrange(1, 6)):
        if random.random() < 0.6:
            parts += [*MESSAGE, random.choice(BODIES)]
        else:
            parts += random.choices(COMMANDS, k=random.randrange(1, 6))
    return b"".join(parts) + b"QUIT\r\n" * random.randrange(2)


class RandomSessionTests(SynchronousTestCase):
    """Pipelining against answers that are late (R46)."""

    def oracle(self, octets: bytes) -> Conversation:
        """The same conversation, one question at a time, with no delay."""
        talk = Conversation(ServerMachine(Limits(), Offer()))
        talk.hear([octets])
        return talk

    def late(self, octets: bytes, random: Random) -> tuple[bytes, PlainDoor]:
        """The conversation with every answer 0 to 500 ms late."""
        clock, numbers = Clock(), count()

        def delay(answer: object) -> Deferred[object]:
            d: Deferred[object] = Deferred()
            clock.callLater(random.randrange(6) / 10, d.callback, answer)
            return d

        door = PlainDoor(delay=delay)
        factory = SMTPFactory(door, clock=clock, ids=lambda: str(next(numbers)))
        transport = StringTransport()
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(transport)
        while octets:
            size = random.choice([1, 5, 40, 400])
            protocol.dataReceived(octets[:size])
            octets = octets[size:]
            if random.random() < 0.5:
                clock.advance(0.1)
        for _ in range(400):
            if transport.disconnecting:
                break
            clock.advance(0.5)
        return transport.value(), door

    def test_like_one_at_a_time(self) -> None:
        """
        1,000 sessions, sent ahead in pieces of any size, get the replies and
        leave the messages that they get when nobody hurries.
        """
        for seed in range(1000):
            random = Random(seed)
            octets = session(random)
            expected = self.oracle(octets)
            sent, door = self.late(octets, random)
            self.assertEqual(bytes(expected.sent), sent, f"seed {seed}")
            self.assertEqual(expected.bodies, door.bodies, f"seed {seed}")
