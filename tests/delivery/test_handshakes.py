"""Servers that break off, stall and spoil TLS, record by record (R45)."""

import contextlib
from itertools import product
from typing import Any

from attrs import define, evolve, field, frozen
from OpenSSL import SSL
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from smfd.model.hop import NextHop
from smfd.net.smtp_client import Patience, Trouble
from smfd.net.smtp_client_tls import Contexts
from smfd.proto.client import reset
from tests.authority import Speaker
from tests.delivery.test_safe import GOOD, ROOT, SafeCase
from tests.store.making import REACTOR

#: Records that a server sends until EHLO is answered; more than there are.
RECORDS = 10

#: What becomes of the first bad one; in the clear: an answer where none can be.
THENS = ("end", "silence", "garbage", "in the clear")

PATIENCE = Patience(connect=10, reply=4)

VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)

POLICIES = ("opportunistic", "required", "sts", "dane")


@frozen
class Manner:
    """
    How a server speaks TLS.

    @ivar records: so many of its records are as they should be.
    @ivar then: what comes instead of the next; C{"anew"}: before each answer it
        wants another handshake.
    """

    records: int
    then: str = "end"
    newest: int = SSL.TLS1_3_VERSION


@define(eq=False)
class Server:
    """
    One that offers STARTTLS, and holds the records of TLS in its own hands.

    @ivar heard: lines, in the clear and under TLS.
    @ivar spoilt: it came to the first record that was not as it should be.
    """

    manner: Manner
    heard: list[tuple[bool, bytes]] = field(factory=list)
    spoilt: bool = False
    talkers: list["_Talker"] = field(factory=list)
    port: Any = None

    def listen(self) -> NextHop:
        """Open the port."""
        factory = Factory.forProtocol(lambda: _Talker(self))
        self.port = REACTOR.listenTCP(0, factory, interface="127.0.0.1")
        number = self.port.getHost().port
        return NextHop("smtp", "mx.test", number, address="127.0.0.1")

    def close(self) -> Any:
        """Close all."""
        for talker in list(self.talkers):
            talker.transport.abortConnection()
        return maybeDeferred(self.port.stopListening)


class _Talker(Protocol):
    """One connection."""

    transport: Any

    def __init__(self, server: Server) -> None:
        self.server = server
        self.tls: SSL.Connection | None = None
        self.left = server.manner.records

    def connectionMade(self) -> None:
        """Greet."""
        self.server.talkers.append(self)
        self.transport.write(b"220 mx.test\r\n")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Gone."""
        self.server.talkers.remove(self)

    def dataReceived(self, data: bytes) -> None:
        """Commands, or records."""
        if self.tls is None:
            for line in data.splitlines():
                self.transport.write(self.answer(line, secure=False))
            return
        self.tls.bio_write(data)
        try:
            # Reading shakes hands, too.
            for line in self.tls.recv(65536).splitlines():
                self.tls.send(self.answer(line, secure=True))
        except SSL.Error:
            # Nothing to read yet; or it is over, and this one does not care.
            pass
        self.flush()

    def answer(self, line: bytes, secure: bool) -> bytes:
        """What is said to a command."""
        self.server.heard.append((secure, line))
        verb = line[:4].upper()
        if self.tls is not None and self.server.manner.then == "anew":
            self.tls.renegotiate()
        if verb == b"STAR" and not secure:
            context = Speaker([GOOD, ROOT], self.server.manner.newest).getContext()
            self.tls = SSL.Connection(context, None)
            self.tls.set_accept_state()
            return b"220 go\r\n"
        if verb == b"EHLO":
            # It offers TLS under TLS, too.
            return b"250-mx.test\r\n250 STARTTLS\r\n"
        return b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n"

    def flush(self) -> None:
        """Send the records that are ready, as long as they are to be good."""
        assert self.tls is not None
        try:
            octets = self.tls.bio_read(1_000_000)
        except SSL.WantReadError:
            return
        while octets and not self.server.spoilt:
            end = 5 + int.from_bytes(octets[3:5], "big")
            record, octets = octets[:end], octets[end:]
            if self.left:
                self.left -= 1
                self.transport.write(record)
            else:
                self.spoil(record)

    def spoil(self, record: bytes) -> None:
        """What becomes of the first that is not to be good."""
        self.server.spoilt = True
        then = self.server.manner.then
        if then == "end":
            self.transport.loseConnection()
        elif then == "garbage":
            self.transport.write(record[:-1] + bytes([record[-1] ^ 1]))
        elif then == "in the clear":
            self.transport.write(b"250 fine\r\n" * 3)


class RecordTests(SafeCase):
    """Each record of a handshake, and of the answer to the first EHLO in it."""

    async def test_each(self) -> None:
        """Who must be safe hears no more, whoever need not be is spoken to again."""
        for then in THENS:
            rows = [
                (Manner(records, then, newest), policy)
                for records, newest, policy in product(
                    range(RECORDS), VERSIONS, POLICIES
                )
            ]
            tries = [Deferred.fromCoroutine(self.tried(*row)) for row in rows]
            reached = set()
            for (manner, policy), (end, spoilt) in zip(
                rows, await gatherResults(tries), strict=True
            ):
                wanted = "tls"
                if spoilt:
                    wanted = "clear" if policy == "opportunistic" else "refused"
                    reached.add(manner.records)
                self.assertEqual(wanted, end, (manner, policy))
            # Every record that there is, and not all that were tried.
            self.assertEqual(set(range(max(reached) + 1)), reached)
            self.assertTrue(4 < max(reached) < RECORDS - 1, reached)

    async def tried(self, manner: Manner, policy: str) -> tuple[str, bool]:
        """
        How a server is spoken to, and whether it came to the bad record;
        nothing else may have been said.
        """
        server = Server(manner)
        where = evolve(server.listen(), tls=policy)
        self.addCleanup(server.close)
        if policy == "dane":
            where = evolve(where, tlsa=(GOOD.tlsa(3, 1, 1),))
        hops, end = self.hops(), "refused"
        # Many handshakes at once take their time.
        hops.patience = PATIENCE
        with contextlib.suppress(Trouble):
            line = await hops.line(where)
            end = "tls" if line.tls else "clear"
        spoilt = server.spoilt
        if end != "refused":
            line.client.drop()
        said = [line[:8] for secure, line in server.heard if not secure]
        again = [b"EHLO us."] * (end == "clear")
        self.assertEqual([b"EHLO us.", b"STARTTLS", *again], said, (manner, policy))
        return end, spoilt


class DearTests(SafeCase):
    """Work that the other side may give us."""

    async def test_ciphers(self) -> None:
        """No exchange of keys is offered whose numbers they choose the size of."""
        for how in ("required", "sts"):
            hop = NextHop("smtp", "mx.test", 25, tls=how)
            handshake = Contexts(self.trusted).handshake(hop)
            unused: Any = None
            ciphers = handshake.clientConnectionForTLS(unused).get_cipher_list()
            kinds = {name.partition("-")[0] for name in ciphers}
            self.assertIn("ECDHE", kinds)
            self.assertEqual(set(), kinds & {"DHE", "DH", "ADH"}, ciphers)


class AnewTests(SafeCase):
    """TLS in TLS, and TLS once more."""

    async def test_anew(self) -> None:
        """Who wants to shake hands without end is not followed."""
        server = Server(Manner(1_000_000, "anew", SSL.TLS1_2_VERSION))
        where = evolve(server.listen(), tls="required")
        self.addCleanup(server.close)
        line = await self.hops().line(where)
        with self.assertRaises(Trouble):
            await line.client.say(reset(), 5)
        self.assertFalse(line.client.alive)

    async def test_again(self) -> None:
        """STARTTLS that is offered under TLS is not taken."""
        server = Server(Manner(1_000_000))
        where = evolve(server.listen(), tls="required")
        self.addCleanup(server.close)
        line = await self.hops().line(where)
        self.assertIn("STARTTLS", line.skills.words)
        self.assertTrue(await line.client.say(reset(), 5))
        said = [line[:4] for secure, line in server.heard if secure]
        self.assertEqual([b"EHLO", b"RSET"], said)
        line.client.drop()


class PartingTests(SafeCase):
    """The end of a connection."""

    async def test_never(self) -> None:
        """Who does not end TLS, nor hangs up, is not waited for."""
        server = Server(Manner(1_000_000))
        where = evolve(server.listen(), tls="required")
        self.addCleanup(server.close)
        line = await self.hops().line(where)
        self.patch(line.client, "farewell", 0.3)
        await line.client.leave()
        self.assertEqual((True, b"QUIT"), server.heard[-1])
        while line.client.alive or server.talkers:
            await deferLater(REACTOR, 0.01)
