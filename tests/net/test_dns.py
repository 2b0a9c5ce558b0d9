"""The resolver, against a name server on loopback."""

import socket
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import TestCase

from smfd.net.dns import Answer, Budget, DNSTrouble, Resolver
from smfd.net.dns_afresh import Afresh
from tests.dns_stub import NameServer

ZONE: dict[str, Any] = {
    "example.org": {
        "A": ["192.0.2.1", "192.0.2.2"],
        "AAAA": ["2001:db8::1"],
        "MX": ["10 MX.example.org", "20 mx2.example.org"],
        "TXT": [[b"v=spf1 ", b"-all"], [b"other"]],
        "NS": ["ns.example.org"],
    },
    "null.example": {"MX": ["0 ."]},
    "alias.example": {"CNAME": ["example.org"]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["mail.example.org"]},
    "large.example": {"TXT": ["x" * 5000]},
    "huge.example": {"TXT": ["y" * 250] * 240},
    "cut.example": {"TXT": ["y" * 250] * 300},
    "silent.example": "silent",
    "servfail.example": "servfail",
    "refused.example": "refused",
    "wrong-id.example": "wrong-id",
    "wrong-question.example": "wrong-question",
    "garbage.example": "garbage",
    "half.example": "half",
}


class DNSCase(TestCase):
    """A resolver, and the one server it knows."""

    def setUp(self) -> None:
        self.server = NameServer(ZONE)
        self.server.start(reactor)
        self.addCleanup(self.server.stop)

    def resolver(self, **arguments: Any) -> Resolver:
        """One that has little patience."""
        arguments = {"timeout": 0.3, "lifetime": 0.6} | arguments
        return Resolver(reactor, [f"127.0.0.1:{self.server.port}"], **arguments)


class LookupTests(DNSCase):
    """What is asked is answered in plain values."""

    async def test_types(self) -> None:
        """Each type comes in the shape the stages read."""
        resolver = self.resolver()
        expected = {
            "A": ("192.0.2.1", "192.0.2.2"),
            "AAAA": ("2001:db8::1",),
            "MX": ((10, "mx.example.org"), (20, "mx2.example.org")),
            "TXT": (b"v=spf1 -all", b"other"),
            "NS": ("ns.example.org",),
        }
        for rdtype, records in expected.items():
            answer = await resolver.lookup("Example.ORG.", rdtype)
            self.assertEqual("ok", answer.status)
            self.assertEqual(sorted(records), sorted(answer.records))
            self.assertEqual(60, answer.ttl)
            self.assertFalse(answer.secure)
        answer = await resolver.lookup("1.2.0.192.in-addr.arpa", "PTR")
        self.assertEqual(("mail.example.org",), answer.records)

    async def test_quiet(self) -> None:
        """A look-up leaves no line in the daemon's log, where it hid the others."""
        lines: list[Any] = []
        observer = cast(ILogObserver, lines.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        await self.resolver().lookup("example.org", "A")
        self.assertEqual([], lines)

    async def test_afresh(self) -> None:
        """Who has published what was missing need not wait until we forgot."""
        resolver = self.resolver()
        self.server.zone["new.example"] = {}
        answer = await resolver.lookup("new.example", "A")
        self.assertEqual("nodata", answer.status)
        self.server.zone["new.example"] = {"A": ["192.0.2.7"]}
        answer = await resolver.lookup("new.example", "A")
        self.assertEqual("nodata", answer.status)
        afresh = Afresh(resolver)
        self.assertIsNone(afresh.known("new.example", "A"))
        for lookup in (afresh, resolver):
            answer = await lookup.lookup("new.example", "A")
            self.assertEqual(("192.0.2.7",), answer.records)

    async def test_null_mx(self) -> None:
        """A null MX is the root, and is told from a host."""
        answer = await self.resolver().lookup("null.example", "MX")
        self.assertEqual(((0, "."),), answer.records)

    async def test_alias(self) -> None:
        """An alias is followed to its end."""
        answer = await self.resolver().lookup("alias.example", "AAAA")
        self.assertEqual(("2001:db8::1",), answer.records)

    async def test_nothing_there(self) -> None:
        """A name without the type, and no such name, are answers."""
        resolver = self.resolver()
        self.assertEqual("nodata", (await resolver.lookup("example.org", "PTR")).status)
        self.assertEqual(
            "nxdomain", (await resolver.lookup("nobody.example", "A")).status
        )

    async def test_impossible_names(self) -> None:
        """What cannot be a name does not exist, and nobody is asked."""
        resolver = self.resolver()
        for name in ("a..b", "x" * 64 + ".org", "y." * 200, "\ud800.org"):
            answer = await resolver.lookup(name, "A")
            self.assertEqual("nxdomain", answer.status, ascii(name))
        self.assertEqual([], self.server.asked)

    async def test_odd_names(self) -> None:
        """Backslashes and spaces in a name are letters, not escapes."""
        answer = await self.resolver().lookup("a\\.b c.example", "A")
        self.assertEqual("nxdomain", answer.status)
        self.assertEqual(1, len(self.server.asked))

    async def test_large(self) -> None:
        """What does not fit a datagram is fetched by TCP."""
        answer = await self.resolver().lookup("large.example", "TXT")
        self.assertEqual((b"x" * 5000,), answer.records)
        self.assertEqual(2, len(self.server.asked))

    async def test_no_blocking_lookup(self) -> None:
        """Nothing asks behind our back through the C library."""

        def forbidden(*arguments: Any) -> None:
            raise AssertionError(arguments)

        for name in ("getaddrinfo", "gethostbyname", "getfqdn"):
            self.patch(socket, name, forbidden)
        answer = await self.resolver().lookup("large.example", "TXT")
        self.assertEqual("ok", answer.status)


class TroubleTests(DNSCase):
    """A server that breaks is trouble for now, in time, and nothing else."""

    async def test_faults(self) -> None:
        """No broken answer is taken for one."""
        resolver = self.resolver()
        for fault in (
            "silent",
            "servfail",
            "refused",
            "wrong-id",
            "wrong-question",
            "garbage",
            "half",
            "huge",
            "cut",
        ):
            d = resolver.lookup(f"{fault}.example", "TXT")
            await self.assertFailure(d, DNSTrouble)

    async def test_trouble_is_remembered(self) -> None:
        """A name in trouble does not cost the next message its time again."""
        resolver = self.resolver()
        for _ in range(3):
            await self.assertFailure(resolver.lookup("silent.example", "A"), DNSTrouble)
        self.assertLess(len(self.server.asked), 5)

    async def test_second_server(self) -> None:
        """A dead server costs one time-out, then the next one is asked."""
        silent = NameServer({"example.org": "silent"})
        silent.start(reactor)
        self.addCleanup(silent.stop)
        resolver = Resolver(
            reactor,
            [f"127.0.0.1:{silent.port}", f"127.0.0.1:{self.server.port}"],
            timeout=0.2,
            lifetime=2.0,
        )
        answer = await resolver.lookup("example.org", "AAAA")
        self.assertEqual(("2001:db8::1",), answer.records)

    async def test_nobody_listens(self) -> None:
        """A port where nothing listens is trouble, at once."""
        await self.server.stop()
        resolver = self.resolver(timeout=30.0, lifetime=30.0)
        await self.assertFailure(resolver.lookup("example.org", "A"), DNSTrouble)

    async def test_too_many_waiting(self) -> None:
        """Look-ups beyond the queue are refused, the others answered."""
        resolver = self.resolver(sockets=1, queue=2)
        asked = [resolver.lookup(f"n{n}.example", "A") for n in range(6)]
        refused = [self.failureResultOf(d, DNSTrouble) for d in asked[3:]]
        self.assertEqual(3, len(refused))
        await gatherResults(asked[:3])


class FaultTests(DNSCase):
    """What breaks in us is trouble for one look-up, not for all that follow."""

    async def test_fault(self) -> None:
        """Everybody who waits hears of it, and a fault is not waited for again."""
        resolver = self.resolver(cache=0)

        async def broken(name: str, rdtype: str) -> Answer:
            raise RuntimeError("what nobody foresaw")

        self.patch(resolver, "_resolve", broken)
        for _ in range(2):
            with self.assertRaises(DNSTrouble):
                await resolver.lookup("a.example", "A").addTimeout(2, reactor)
        self.assertEqual({}, resolver._asking)
        self.assertEqual(2, len(self.flushLoggedErrors(RuntimeError)))


class DeadResolverTests(DNSCase):
    """A dead resolver costs the first messages some time, then none."""

    async def test_fails_at_once_and_heals(self) -> None:
        """After some silence nobody waits, until the server speaks again."""
        zone = self.server.zone
        self.server.zone = {name: "silent" for name in [*zone, ""]}
        resolver = self.resolver(timeout=0.1, lifetime=0.2)
        resolver._breaker._pause = 0.0
        names = [f"n{n}.example" for n in range(3)]
        for name in names:
            self.server.zone[name] = "silent"
        asked = [resolver.lookup(name, "A") for name in names]
        for d in asked:
            await self.assertFailure(d, DNSTrouble)
        while not resolver._breaker.open:
            await self.assertFailure(resolver.lookup("example.org", "A"), DNSTrouble)
        before = len(self.server.asked)
        self.failureResultOf(resolver.lookup("example.org", "MX"), DNSTrouble)
        self.server.zone = zone
        while resolver._breaker.open:
            resolver._breaker.allows()
            await _turn()
        await _turn(0.3)
        self.assertNotIn(("example.org", "MX"), self.server.asked[before:])
        answer = await resolver.lookup("example.org", "NS")
        self.assertEqual("ok", answer.status)

    async def test_dead_domain_is_not_a_dead_resolver(self) -> None:
        """However many look-ups of dead domains fail, others are answered."""
        for n in range(6):
            self.server.zone[f"n{n}.example"] = "silent"
        resolver = self.resolver(timeout=0.1, lifetime=0.1)
        for n in range(6):
            await self.assertFailure(resolver.lookup(f"n{n}.example", "A"), DNSTrouble)
        answer = await resolver.lookup("example.org", "A")
        self.assertEqual("ok", answer.status)


def _turn(seconds: float = 0.01) -> "Deferred[None]":
    """Let the reactor go round for a while."""
    d: Deferred[None] = Deferred()
    reactor.callLater(seconds, d.callback, None)
    return d


class MemoryTests(DNSCase):
    """What was asked once is not asked again while it is good."""

    async def test_cached(self) -> None:
        """One question, however often it is looked up, and however it is spelt."""
        resolver = self.resolver()
        for name in ("example.org", "EXAMPLE.org", "example.org."):
            await resolver.lookup(name, "A")
        for _ in range(2):
            await resolver.lookup("nobody.example", "A")
        self.assertEqual(2, len(self.server.asked))

    async def test_together(self) -> None:
        """Those who want the same at the same time share one question."""
        resolver = self.resolver()
        asked = [resolver.lookup("example.org", "A") for _ in range(20)]
        asked[3].cancel()
        asked[3].addErrback(lambda _: None)
        del asked[3]
        answers = await gatherResults(asked)
        self.assertEqual(19, len(answers))
        self.assertEqual(1, len(self.server.asked))

    async def test_budget(self) -> None:
        """A message that asks too much gets no more answers."""
        resolver = self.resolver()
        keys = [("example.org", rdtype) for rdtype in ("A", "MX", "TXT")]
        budget = Budget(resolver, 2)
        await budget.learn(budget.lacking(keys))
        self.assertEqual(2, len(self.server.asked))
        self.assertIsNone(budget.answer(keys[2]))
        again = Budget(resolver, 1)
        self.assertEqual([keys[2]], again.lacking(keys))
        self.assertIsNotNone(again.answer(keys[0]))
        self.assertIsNone(again.answer(keys[1]))

    async def test_good_until(self) -> None:
        """A message knows how long all that it was told is good."""
        resolver = self.resolver()
        budget = Budget(resolver, 9)
        await budget.learn([("example.org", "A"), ("example.org", "MX")])
        now = reactor.seconds()
        self.assertLessEqual(budget.until, now + 3600)
        self.assertGreater(budget.until, now)
        again = Budget(resolver, 9)
        self.assertEqual([], again.lacking([("example.org", "A")]))
        self.assertGreaterEqual(again.until, budget.until)
        over = Budget(resolver, 0)
        over.lacking([("example.org", "A")])
        self.assertEqual(0, over.until)


class SettingsTests(DNSCase):
    """What the settings say about look-ups."""

    def test_static(self) -> None:
        """Records of the settings are answered from there, offline too."""
        resolver = Resolver(
            reactor,
            ["[::1]:53"],
            static=[
                ("Example.ORG", "TXT", "v=spf1 -all"),
                ("example.org", "MX", "10 mx.Example.org."),
            ],
            offline=True,
        )
        self.assertEqual(
            (b"v=spf1 -all",),
            self.successResultOf(resolver.lookup("example.org", "TXT")).records,
        )
        self.assertEqual(
            ((10, "mx.example.org"),),
            self.successResultOf(resolver.lookup("example.org", "MX")).records,
        )
        self.assertEqual(
            Answer("nodata", ttl=3600),
            self.successResultOf(resolver.lookup("example.org", "A")),
        )
        self.failureResultOf(resolver.lookup("example.com", "A"), DNSTrouble)

    def test_servers(self) -> None:
        """A server is an address, with or without a port."""
        for text in ("127.0.0.1", "127.0.0.1:5300", "::1", "[::1]:53"):
            Resolver(reactor, [text])
        for text in ("localhost:53", "127.0.0.1:x", ""):
            self.assertRaises(ValueError, Resolver, reactor, [text])
