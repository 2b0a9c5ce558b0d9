"""Who asks for too much, before the real front door."""

from ipaddress import ip_network
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock

from smfd.interfaces import IDoor, IIncoming
from smfd.model.envelope import Envelope, Forward
from smfd.model.session import Session
from smfd.policy.limits import Limit, Scope, Table, Tally, What
from smfd.proto.reply import Reply, reply
from smfd.smtpd.guarded import Guarded
from smfd.smtpd.limits_gate import LimitsGate
from tests.sample import come
from tests.smtpd.fronts import ANN, LETTER, SENDER, FrontTestCase, address

#: The most of each, in the tests of n, n + 1 and 10 n.
N = 6

_OF = {
    "address": "your address",
    "network": "your network",
    "domain": "the sender's domain",
    "all": "all together",
}


def gate(clock: Clock, where: str, what: What, most: float, seconds: float) -> Any:
    """A gate with one limit."""

    def scope(name: str) -> Scope:
        return Scope(_OF[name], {what: Limit(most, seconds)} if name == where else {})

    return LimitsGate(
        Table(scope("address"), 1000),
        Table(scope("network"), 1000),
        Table(scope("domain"), 1000),
        Tally(scope("all")),
        clock.seconds,
        600.0,
        (ip_network("203.0.113.0/24"),),
    )


class LimitsGateTests(FrontTestCase):
    """Every limit at n, n + 1 and 10 n (R48): refused for now, and on record."""

    async def open(
        self, where: str, what: What, most: float = N, seconds: float = 60.0
    ) -> None:
        """A door with one limit."""
        self.clock = Clock()
        self.gate = gate(self.clock, where, what, most, seconds)
        behind = await self.build(gates=(self.gate,))
        self.front: IDoor = Guarded(behind, self.gates)

    async def come(self, client: str = "192.0.2.1") -> tuple[Session, Reply]:
        """Somebody connects."""
        session = self.session(client)
        reply = await come(self.front.connected(session))
        if not reply.positive:
            self.front.closed(session, "")
        return session, reply

    async def mail(self, session: Session, sender: Any = SENDER) -> Reply:
        """MAIL FROM."""
        said: Reply = await come(
            self.front.mail(session, Envelope(self.name(), sender))
        )
        return said

    async def rcpt(  # type: ignore[override]
        self, session: Session, recipient: str = ANN, sender: Any = SENDER
    ) -> Reply:
        """RCPT TO."""
        envelope = Envelope(self.name(), sender)
        said: Reply = await come(
            self.front.rcpt(session, envelope, Forward(address(recipient)))
        )
        return said

    async def refused(self, reply: Reply, code: int, words: str) -> None:
        """It was, by such a reply, and there is a record of it."""
        self.assertEqual((code, "4.7.0"), (reply.code, reply.status))
        self.assertEqual(code == 421, reply.closes)
        self.assertIn(words, reply.lines[0])
        record = await self.record(reply)
        self.assertEqual("deferred", record["verdict"])
        self.assertIn(words, record["reply"])

    async def codes(self, replies: list[Reply], code: int, words: str) -> None:
        """N pass, all others do not."""
        passed = [reply.positive for reply in replies]
        self.assertEqual([True] * N + [False] * (len(replies) - N), passed)
        await self.refused(replies[N], code, words)
        await self.refused(replies[-1], code, words)

    async def test_connections_of_a_network(self) -> None:
        """A network has so many connections at once; a good-bye makes room."""
        await self.open("network", What.CONNECTIONS)
        came = [await self.come(f"192.0.2.{n}") for n in range(10 * N)]
        await self.codes(
            [reply for _, reply in came], 421, "connections at once from your network"
        )
        self.assertTrue((await self.come("192.0.3.1"))[1].positive)
        self.front.closed(came[0][0], "")
        self.assertTrue((await self.come("192.0.2.200"))[1].positive)
        self.assertFalse((await self.come("192.0.2.200"))[1].positive)

    async def test_rate_of_an_address(self) -> None:
        """An address connects so often in a minute; then it may come again."""
        await self.open("address", What.RATE)
        replies = [(await self.come("2001:db8::1"))[1] for _ in range(10 * N)]
        await self.codes(replies, 421, "connections from your address")
        self.assertTrue((await self.come("2001:db8::2"))[1].positive)
        self.clock.advance(60 / N + 0.1)
        self.assertTrue((await self.come("2001:db8::1"))[1].positive)

    async def test_rate_of_a_network(self) -> None:
        """The addresses of one /64 connect so often together."""
        await self.open("network", What.RATE)
        replies = [(await self.come(f"2001:db8::{n}"))[1] for n in range(10 * N)]
        await self.codes(replies, 421, "connections from your network")
        self.assertTrue((await self.come("2001:db8:0:1::1"))[1].positive)

    async def test_rate_of_all(self) -> None:
        """All together connect so often."""
        await self.open("all", What.RATE)
        replies = [(await self.come(f"10.{n}.0.1"))[1] for n in range(10 * N)]
        await self.codes(replies, 421, "connections from all together")

    async def test_messages(self) -> None:
        """An address, a network, all: each sends so many messages in a minute."""
        for where in "address", "network", "all":
            await self.open(where, What.MESSAGES)
            session, _ = await self.come()
            replies = [await self.mail(session) for _ in range(10 * N)]
            await self.codes(replies, 450, f"messages from {_OF[where]}")

    async def test_messages_of_a_domain(self) -> None:
        """A sender's domain, however it is written and wherever it comes from."""
        await self.open("domain", What.MESSAGES)
        replies = []
        for n in range(10 * N):
            session, _ = await self.come(f"10.{n}.0.1")
            sender = address(f"a{n}@{'A.example' if n % 2 else 'a.Example'}")
            replies.append(await self.mail(session, sender))
        await self.codes(replies, 450, "messages from the sender's domain")
        self.assertTrue((await self.mail(session, address("a@b.example"))).positive)
        # The null sender belongs to nobody.
        self.assertTrue((await self.mail(session, None)).positive)

    async def test_recipients(self) -> None:
        """Recipients are counted by all four, and refused one by one."""
        for where in _OF:
            await self.open(where, What.RECIPIENTS)
            session, _ = await self.come()
            replies = [await self.rcpt(session) for _ in range(10 * N)]
            await self.codes(replies, 452, f"recipients from {_OF[where]}")

    async def test_harvest(self) -> None:
        """Who guesses recipients is hung up on, and not heard for a while."""
        for where, neighbour in ("address", True), ("network", False):
            await self.open(where, What.UNKNOWN)
            session, _ = await self.come()
            replies = [
                await self.rcpt(session, f"guess{n}@home.example") for n in range(N + 1)
            ]
            self.assertEqual({"5.1.1"}, {reply.status for reply in replies})
            after = await self.rcpt(session)
            await self.refused(after, 421, f"unknown recipients from {_OF[where]}")
            _, again = await self.come()
            await self.refused(again, 421, f"unknown recipients from {_OF[where]}")
            _, other = await self.come("192.0.2.99")
            self.assertIs(neighbour, other.positive)
            self.clock.advance(599.0)
            self.assertFalse((await self.come())[1].positive)
            self.clock.advance(2.0)
            self.assertTrue((await self.come())[1].positive)

    async def test_few_unknown(self) -> None:
        """So many unknown recipients are an old list, not a harvest."""
        await self.open("address", What.UNKNOWN)
        session, _ = await self.come()
        for n in range(N):
            await self.rcpt(session, f"guess{n}@home.example")
        self.assertTrue((await self.rcpt(session)).positive)

    async def test_errors(self) -> None:
        """Who asks for what is refused for good again and again is not heard."""
        await self.open("network", What.ERRORS)
        for n in range(N + 1):
            session, said = await self.come(f"192.0.2.{n}")
            self.assertTrue(said.positive)
            said = await self.rcpt(session, "x@elsewhere.example")
            self.assertEqual(550, said.code)
        _, said = await self.come()
        await self.refused(said, 421, "refused commands from your network")

    async def test_mistakes(self) -> None:
        """Mistakes of syntax and order are errors too, and so is early talk."""
        await self.open("address", What.ERRORS)
        for n in range(N + 1):
            session, said = await self.come()
            self.assertTrue(said.positive)
            if n % 2:
                self.front.erred(session, reply(500, "5.5.1", "What?"))
            else:
                for _ in range(2):
                    await come(self.front.hello(evolve(session, early="greeting")))
        _, said = await self.come()
        await self.refused(said, 421, "refused commands from your address")

    async def test_octets(self) -> None:
        """Who has too much under way is answered 452 at the end, and 250 later."""
        await self.open("address", What.OCTETS, 3 * 131072, 0.0)
        sent = [await self.begin() for _ in range(4)]
        body = LETTER + b"x" * 60 + b"\r\n"
        for _, _, incoming in sent:
            incoming.write(body)
        replies = [await self.end(*one) for one in sent]
        self.assertEqual([250, 250, 250, 452], [reply.code for reply in replies])
        await self.refused(replies[3], 452, "octets under way from your address")
        # They have arrived: there is room again, but never for so much at once.
        again = await self.begin()
        again[2].write(body)
        self.assertEqual(250, (await self.end(*again)).code)
        large = await self.begin()
        large[2].write(LETTER)
        for _ in range(10):
            await self.write(large[2], b"x" * 70000 + b"\r\n")
        self.assertEqual(452, (await self.end(*large)).code)
        await self.until(lambda: not self.spooled())

    async def test_octets_given_up(self) -> None:
        """A body that never comes to its end gives back what it took."""
        await self.open("all", What.OCTETS, 131072, 0.0)
        session, _, incoming = await self.begin()
        incoming.write(LETTER)
        incoming.abandon()
        self.front.closed(session, "lost")
        last = await self.begin()
        last[2].write(LETTER)
        self.assertEqual(250, (await self.end(*last)).code)

    async def begin(self) -> tuple[Session, Envelope, Any]:
        """A message up to its first octet."""
        session, _ = await self.come()
        envelope = Envelope(self.name(), SENDER, (Forward(address(ANN)),))
        incoming = await come(self.front.data(session, envelope))
        assert IIncoming.providedBy(incoming), incoming
        return session, envelope, incoming

    async def write(self, incoming: Any, octets: bytes) -> None:
        """More of it."""
        room = incoming.write(octets)
        if room is not None:
            await room

    async def end(self, session: Session, envelope: Envelope, incoming: Any) -> Reply:
        """The reply to the whole."""
        body = await come(incoming.finish())
        said: Reply = await come(self.front.message(session, envelope, body))
        return said

    async def test_exempt(self) -> None:
        """Networks that the operator names have no limits at all."""
        for what in What:
            await self.open("address", what, 1)
            for n in range(5):
                session, said = await self.come("203.0.113.7")
                self.assertTrue(said.positive)
                self.assertTrue((await self.mail(session)).positive)
                self.assertTrue((await self.rcpt(session)).positive)
                await self.rcpt(session, f"x{n}@home.example")

    async def test_nothing_is_left(self) -> None:
        """When all have gone nothing is held for them."""
        await self.open("network", What.CONNECTIONS)
        for session, _ in [await self.come(f"192.0.2.{n}") for n in range(2 * N)]:
            self.front.closed(session, "lost")
        self.assertEqual(0, len(self.gates))
        tally = self.gate.networks.known("192.0.2.0/24")
        self.assertTrue(tally.at_rest(0.0))

    async def test_tls_changes_nothing(self) -> None:
        """A session that knows more by now is counted on."""
        await self.open("address", What.MESSAGES)
        session, _ = await self.come()
        session = evolve(session, tls="TLSv1.3", helo="b.example")
        replies = [await self.mail(session) for _ in range(2 * N)]
        await self.codes(replies, 450, "messages from your address")
