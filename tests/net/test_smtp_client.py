"""Servers that lie, stall, flood and hang up: each ends within a deadline (R45)."""

import tracemalloc
from collections.abc import Callable
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from smfd.net.smtp_client import MailClient, Patience, Trouble
from smfd.proto.client import (
    Parcel,
    Script,
    Skills,
    Unwilling,
    envelope,
    opening,
    verdicts,
)
from tests.store.making import REACTOR

MIB = 1_048_576
PATIENCE = Patience(connect=5, reply=2, piece=2, end=2, message=5)
PARCEL = Parcel("a@b.test", ("c@d.test",), 100)


@define(eq=False)
class Peer:
    """
    A server that says one thing to each line, and knows no shame.

    @ivar replies: what it says: at first, then to each line.
    @ivar flood: said without end, behind the last of them.
    @ivar deaf: it reads nothing behind the last of them.
    @ivar closes: it hangs up behind the last of them.
    """

    replies: list[bytes]
    flood: bytes = b""
    deaf: bool = False
    closes: bool = False
    drip: bool = False
    poured: int = 0
    heard: bytes = b""
    talkers: list["_Talker"] = field(factory=list)


class _Talker(Protocol):
    """One connection to it."""

    transport: Any

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.left = list(peer.replies)
        self.on = True
        self.flowing = False
        self.later: Any = None

    def connectionMade(self) -> None:
        """Greet."""
        self.peer.talkers.append(self)
        self.say()

    def dataReceived(self, data: bytes) -> None:
        """Answer each line."""
        self.peer.heard += data
        for _ in range(data.count(b"\n")):
            self.say()

    def say(self) -> None:
        """The next of what there is to say."""
        if not self.left:
            return
        self.write(self.left.pop(0))
        if not self.left:
            self.last()

    def write(self, octets: bytes) -> None:
        """At once, or an octet now and then."""
        if not self.peer.drip:
            self.transport.write(octets)
        elif octets and self.on:
            self.transport.write(octets[:1])
            self.later = REACTOR.callLater(0.3, self.write, octets[1:])

    def last(self) -> None:
        """Behind all that is answered."""
        if self.peer.closes:
            self.transport.loseConnection()
        if self.peer.deaf:
            self.transport.pauseProducing()
        if self.peer.flood:
            # Behind a deaf one's back much is on its way already.
            self.later = REACTOR.callLater(0.3 * self.peer.deaf, self.begin)

    def begin(self) -> None:
        """Flood, as fast as it is taken."""
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        """It is taken."""
        self.flowing = True
        self.pour()

    def pour(self) -> None:
        """Some of it."""
        if self.on and self.flowing and self.peer.poured < 40 * MIB:
            self.peer.poured += len(self.peer.flood)
            self.transport.write(self.peer.flood)
            self.later = REACTOR.callLater(0, self.pour)

    def pauseProducing(self) -> None:
        """It does not flow."""
        self.flowing = False

    def stopProducing(self) -> None:
        """No more."""
        self.flowing = False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Gone."""
        self.on = self.flowing = False
        if self.later is not None and self.later.active():
            self.later.cancel()


class PeerTestCase(TestCase):
    """Our side, and what it makes of a peer."""

    timeout = 60

    async def meet(self, peer: Peer) -> MailClient:
        """Connected."""
        made = Factory.forProtocol(lambda: _Talker(peer))
        port = REACTOR.listenTCP(0, made, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        factory = Factory.forProtocol(lambda: MailClient(REACTOR))
        endpoint = TCP4ClientEndpoint(REACTOR, "127.0.0.1", number)
        client = cast(MailClient, await endpoint.connect(factory))
        self.addCleanup(self.part, client, peer)
        return client

    def part(self, client: MailClient, peer: Peer) -> "Deferred[None]":
        """Leave nothing open."""
        client.drop()
        for talker in peer.talkers:
            talker.transport.abortConnection()
        return deferLater(REACTOR, 0.01, lambda: None)

    async def ends(self, client: MailClient, peer: Peer) -> None:
        """Both sides know that it is over."""
        while client.alive or any(t.on for t in peer.talkers if not peer.deaf):
            await deferLater(REACTOR, 0.01)


class EndTests(PeerTestCase):
    """Whatever is said, it comes to an end, and in little memory."""

    async def trouble(self, peer: Peer, script: Callable[[], Script]) -> str:
        """Why nothing came of it; the connection is gone then."""
        client = await self.meet(peer)
        with self.assertRaises((Trouble, Unwilling)) as caught:
            await client.say(script(), PATIENCE.reply)
        client.drop()
        await self.ends(client, peer)
        self.assertLess(len(client._talk._reader), 4096)
        return str(caught.exception)

    def open(self) -> Script:
        """What is said first."""
        return opening("mx.test")

    async def test_floods(self) -> None:
        """A banner of megabytes, a reply without end: cut off, and never kept."""
        cases = 0
        for flood, why in (
            (b"x" * 65536, "too long"),
            (b"220-" + b"x" * 65000, "too long"),
            (b"220-hello\r\n" * 6000, "endless"),
            (b"220 hello\r\n" * 6000, "before the questions"),
            (b"\0" * 65536, "too long"),
            (b"\n" * 65536, "is no reply"),
            (b"220-" + b"\0" * 2000 + b"\r\n", "endless"),
        ):
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            peer = Peer([b""], flood=flood)
            said = await self.trouble(peer, self.open)
            peak = tracemalloc.get_traced_memory()[1] - before
            tracemalloc.stop()
            self.assertIn(why, said)
            self.assertLess(len(said), 1200)
            # What waits in the peer's own buffers counts too.
            self.assertLess(peak, 3 * MIB, flood[:20])
            self.assertLess(peer.poured, 10 * MIB)
            cases += 1
        self.assertEqual(7, cases)

    async def test_flood_at_each_step(self) -> None:
        """Nor does it help to flood later."""
        hello = b"250-hop\r\n250 PIPELINING\r\n"
        for replies in [b"220 x\r\n", b""], [b"220 x\r\n", hello, b"250 x\r\n", b""]:
            peer = Peer(replies, flood=b"250-" + b"x" * 1000 + b"\r\n")

            def both() -> Script:
                skills: Skills = yield from opening("mx.test")
                return (yield from envelope(PARCEL, skills))

            self.assertIn("endless", await self.trouble(peer, both))

    async def test_silence(self) -> None:
        """Who says nothing at all is not waited for beyond the deadline."""
        said = await self.trouble(Peer([]), self.open)
        self.assertEqual("no answer within 2 seconds", said)

    async def test_trickle(self) -> None:
        """An octet now and then does not lengthen the deadline."""
        said = await self.trouble(Peer([b"220 hello there"], drip=True), self.open)
        self.assertEqual("no answer within 2 seconds", said)

    async def test_hangs_up(self) -> None:
        """Who hangs up after any octet of what he says is told from a refusal."""
        for octets in b"", b"2", b"220", b"220-x\r\n", b"220-x\r\n220 ":
            said = await self.trouble(Peer([octets], closes=True), self.open)
            self.assertEqual("it hung up", said)

    async def test_controls(self) -> None:
        """Control characters of a reply get into no log."""
        said = await self.trouble(Peer([b"554 \x1b[2J\0\x07\xff\r\n"]), self.open)
        self.assertTrue(said.isprintable(), said)
        self.assertTrue(said.startswith("554 "))


class MessageTests(PeerTestCase):
    """While a message is sent."""

    async def begun(self, peer: Peer) -> tuple[MailClient, Any]:
        """Up to the message."""
        client = await self.meet(peer)
        sent = await client.say(envelope(PARCEL, Skills({"PIPELINING": ""})), 5)
        self.assertTrue(sent.go)
        return client, sent

    async def endless(self) -> bytes:
        """A piece of a message that has no end."""
        return b"x" * 65534 + b"\r\n"

    async def test_floods(self) -> None:
        """Who floods us meanwhile, and takes nothing, is hung up on at once."""
        replies = [b"250 a\r\n250 b\r\n354 c\r\n"]
        peer = Peer(replies, flood=b"250 x\r\n" * 9000, deaf=True)
        client, sent = await self.begun(peer)
        tracemalloc.start()
        with self.assertRaises(Trouble) as caught:
            # He would have a minute to take a piece.
            slow = Patience(piece=50, end=50, message=50)
            await client.send(self.endless, slow, verdicts(sent))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        self.assertIn("without being asked", str(caught.exception))
        self.assertLess(peak, 4 * MIB)
        await self.ends(client, peer)

    async def test_deaf(self) -> None:
        """Who takes no more of it has so long for a piece."""
        peer = Peer([b"250 a\r\n250 b\r\n354 c\r\n"], deaf=True)
        client, sent = await self.begun(peer)
        with self.assertRaises(Trouble) as caught:
            await client.send(self.endless, PATIENCE, verdicts(sent))
        self.assertEqual("it does not take the message", str(caught.exception))
        await self.ends(client, peer)

    async def test_early(self) -> None:
        """Who says 250 before the end of a message has not taken it."""
        peer = Peer([b"250 a\r\n250 b\r\n354 c\r\n", b"250 taken\r\n"])
        client, sent = await self.begun(peer)
        pieces = [b"", b"b\r\n", b"a\r\n"]

        async def piece() -> bytes:
            await deferLater(REACTOR, 0.1)
            return pieces.pop()

        with self.assertRaises(Trouble):
            await client.send(piece, PATIENCE, verdicts(sent))
        self.assertNotIn(b"\r\n.\r\n", peer.heard)

    async def test_chunk(self) -> None:
        """What ends with its length may be answered as soon as it is there."""
        peer = Peer([b"250 a\r\n250 b\r\n", b"", b"", b"", b"", b"250 taken\r\n"])
        client = await self.meet(peer)
        parcel = Parcel("a@b.test", ("c@d.test",), 6)
        skills = Skills({"PIPELINING": "", "CHUNKING": ""})
        sent = await client.say(envelope(parcel, skills), 5)
        pieces = [b"", b".\r\n", b"a\r\n"]

        async def piece() -> bytes:
            # Time enough for an answer, if it had all.
            await deferLater(REACTOR, 0.1)
            return pieces.pop()

        end = verdicts(sent)
        (answer,) = await client.send(piece, PATIENCE, end, sent.framing())
        self.assertEqual(250, answer.code)
        self.assertTrue(peer.heard.endswith(b"\r\nBDAT 6 LAST\r\na\r\n.\r\n"))

    async def test_wrong_length(self) -> None:
        """A message of another length than was said is never taken for whole."""
        for wrong in [b"", b"a\r\n"], [b"", b"NOOP\r\n", b"aaaa\r\n"]:
            peer = Peer([b"250 a\r\n250 b\r\n"])
            client = await self.meet(peer)
            parcel = Parcel("a@b.test", ("c@d.test",), 6)
            skills = Skills({"PIPELINING": "", "CHUNKING": ""})
            sent = await client.say(envelope(parcel, skills), 5)

            async def piece(pieces: list[bytes] = wrong) -> bytes:
                return pieces.pop()

            with self.assertRaises(ValueError):
                await client.send(piece, PATIENCE, verdicts(sent), sent.framing())
            await self.ends(client, peer)
            self.assertNotIn(b"NOOP", peer.heard)

    async def test_unreadable(self) -> None:
        """A message whose second half cannot be read is never ended."""
        peer = Peer([b"250 a\r\n250 b\r\n354 c\r\n"])
        client, sent = await self.begun(peer)
        pieces = [b"a\r\n"]

        async def piece() -> bytes:
            return pieces.pop()

        with self.assertRaises(IndexError):
            await client.send(piece, PATIENCE, verdicts(sent))
        await self.ends(client, peer)
        self.assertNotIn(b"\r\n.\r\n", peer.heard)


class CutTests(PeerTestCase):
    """A whole conversation, cut off after each octet."""

    REPLIES = (
        b"220-hop\r\n220 hop\r\n",
        b"250-hop\r\n250 PIPELINING\r\n",
        b"250 2.1.0 a\r\n",
        b"250 2.1.5 b\r\n",
        b"354 c\r\n",
        b"",
        b"250 2.0.0 taken\r\n",
    )

    async def test_each(self) -> None:
        """Only who says all of it has taken the message."""
        whole = sum(map(len, self.REPLIES))
        for octets in range(whole):
            client = await self.meet(Peer(self.cut(octets), closes=True))
            with self.assertRaises((Trouble, Unwilling), msg=octets):
                await self.converse(client)
        client = await self.meet(Peer(self.cut(whole), closes=True))
        self.assertEqual(250, (await self.converse(client)).code)

    async def converse(self, client: MailClient) -> Any:
        """From the greeting to the end of a message; the last answer."""
        skills = await client.say(opening("mx.test"), PATIENCE.reply)
        sent = await client.say(envelope(PARCEL, skills), PATIENCE.reply)
        pieces = [b"", b"a\r\n"]

        async def piece() -> bytes:
            return pieces.pop()

        (answer,) = await client.send(piece, PATIENCE, verdicts(sent))
        return answer

    def cut(self, octets: int) -> list[bytes]:
        """The replies, up to so many octets."""
        found = []
        for reply in self.REPLIES:
            found.append(reply[:octets])
            octets -= len(reply)
            if octets < 0:
                break
        return found


class FarewellTests(PeerTestCase):
    """At the end."""

    async def test_chatter(self) -> None:
        """What is said behind a good-bye is of no interest."""
        for flood in b"", b"221 bye\r\n" * 1000, b"x" * 65536:
            peer = Peer([b"220 x\r\n250 hop\r\n", b"", b"221 bye\r\n"], flood=flood)
            client = await self.meet(peer)
            with self.assertRaises(Trouble):
                # It answered EHLO before it was said.
                await client.say(opening("mx.test"), 2)
            peer = Peer([b"220 x\r\n", b"250 hop\r\n", b"221 bye\r\n"], flood=flood)
            client = await self.meet(peer)
            await client.say(opening("mx.test"), 2)
            await client.leave()
            await self.ends(client, peer)
            self.assertLess(peer.poured, 10 * MIB)

    async def test_unwilling_to_part(self) -> None:
        """Who answers no good-bye is left after a while."""
        peer = Peer([b"220 x\r\n", b"250 hop\r\n"], deaf=True)
        client = await self.meet(peer)
        await client.say(opening("mx.test"), 2)
        self.patch(client, "farewell", 0.2)
        await client.leave()
        await self.ends(client, peer)
