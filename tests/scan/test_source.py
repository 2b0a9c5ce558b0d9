"""Tests for L{smfd.scan.source}, against a name server on loopback."""

import time
from collections.abc import Coroutine
from ipaddress import ip_address, ip_network
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.trial.unittest import TestCase

from smfd.model.finding import Finding
from smfd.net.dns import Resolver
from smfd.policy.source import Judge, Rule, Rules, Zone
from smfd.scan.source import Looks
from tests.dns_stub import FAULTS, NameServer

reactor: Any = installed

GOOD, BAD, UNNAMED, MOVED = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"
SIX = "2001:db8::1"
_ENFORCE = Rule("enforce", "refuse", 1.0)
_RULES = Rules(_ENFORCE, _ENFORCE, _ENFORCE, _ENFORCE, _ENFORCE)

#: What a broken server may do to any look-up (R27), and a name for each.
BROKEN = {fault: f"{n}.{n}.0.10" for n, fault in enumerate(FAULTS, 1)}

ZONE: dict[str, Any] = {
    "1.2.0.192.in-addr.arpa": {"PTR": ["mail.a.example"]},
    "2.2.0.192.in-addr.arpa": {"PTR": ["mail.a.example"]},
    "4.2.0.192.in-addr.arpa": {
        "PTR": ["gone.a.example", "mail.b.example", "mail.a.example"]
    },
    ip_address(SIX).reverse_pointer: {"PTR": ["mail.a.example"]},
    "mail.a.example": {"A": ["192.0.2.1", "192.0.2.4"], "AAAA": [SIX]},
    "mail.b.example": {"A": ["192.0.2.99"]},
    "mx.home.example": {"A": ["203.0.113.25"]},
    "a.example": {"MX": ["10 mail.a.example"]},
    "only-a.example": {"A": ["192.0.2.1"]},
    "only-aaaa.example": {"AAAA": [SIX]},
    "null.example": {"MX": ["0 ."]},
    "empty.example": {"TXT": ["nothing here"]},
    "2.2.0.192.bl.example": {"A": ["127.0.0.2"]},
    "3.2.0.192.bl.example": {"A": ["127.0.0.10"]},
    "4.2.0.192.bl.example": {"A": ["127.255.255.254"]},
    "1.2.0.192.parked.example": {"A": ["203.0.113.80"]},
    "1.2.0.192.wl.example": {"A": ["127.0.0.2"]},
    "9.2.0.192.bl.example": {"A": [f"127.0.{n}.2" for n in range(100)]},
    "8.2.0.192.bl.example": {"A": [f"127.0.{n // 250}.{n % 250}" for n in range(4000)]},
}
for fault, name in BROKEN.items():
    a, b, *_ = name.split(".")
    ZONE[f"{name}.in-addr.arpa"] = fault
    ZONE[f"{name}.bl.example"] = fault
    ZONE[f"{fault}.example"] = fault


def zone(name: str = "bl.example", allow: bool = False) -> Zone:
    """A list that refuses, or allows."""
    match = (ip_network("127.0.0.2"),)
    rule = Rule("enforce", "score" if allow else "refuse", -1.0 if allow else 3.0)
    return Zone(name, match, allow, False, rule)


class LookTestCase(TestCase):
    """Everything is enforced, and the resolver has little patience."""

    def setUp(self) -> None:
        """A name server, and who asks it."""
        self.server = NameServer(ZONE)
        self.server.start(reactor)
        self.addCleanup(self.server.stop)
        self.resolver = Resolver(
            reactor, [f"127.0.0.1:{self.server.port}"], timeout=0.3, lifetime=0.5
        )
        self.looks = Looks(
            self.resolver,
            reactor,
            "mx.home.example",
            (),
            lambda domain: succeed(domain == "home.example"),
        )

    async def symbols(
        self, asking: Coroutine[Any, Any, tuple[Finding, ...]], judge: Judge = _RULES
    ) -> list[str]:
        """What was found, and a "!" behind what refuses."""
        found = judge.judge(await Deferred.fromCoroutine(asking), GOOD)
        return [j.finding.symbol + "!" * (j.refusal is not None) for j in found]


class ReverseTests(LookTestCase):
    """An address, its name, and the addresses of that name."""

    async def test_confirmed(self) -> None:
        """One of the names has the address; IPv6 has its own records."""
        for client in (GOOD, MOVED, SIX, f"::ffff:{GOOD}"):
            found = await self.symbols(self.looks.address(client))
            self.assertEqual(["RDNS_PASS"], found, client)

    async def test_refused(self) -> None:
        """No name, and a name that does not agree."""
        for client, symbol in ((UNNAMED, "RDNS_NONE"), (BAD, "RDNS_UNCONFIRMED")):
            found = await self.symbols(self.looks.address(client))
            self.assertEqual([symbol + "!"], found)


class ZoneTests(LookTestCase):
    """Lists, and what is no list."""

    async def test_listed(self) -> None:
        """Only the answers asked for count, and only those of a list."""
        for client, expected in {
            GOOD: [],
            BAD: ["LIST_BL_EXAMPLE!"],
            UNNAMED: [],
            MOVED: ["LIST_ERROR"],
            "192.0.2.9": ["LIST_BL_EXAMPLE!"],
        }.items():
            found = await self.symbols(self.looks.lists(zone(), client), zone())
            self.assertEqual(expected, found, client)

    async def test_parked(self) -> None:
        """A list whose domain was sold lists nobody."""
        found = await self.symbols(
            self.looks.lists(zone("parked.example"), GOOD), zone()
        )
        self.assertEqual(["LIST_ERROR"], found)

    async def test_allowed(self) -> None:
        """An allow list takes points off."""
        allowing = zone("wl.example", allow=True)
        asked = Deferred.fromCoroutine(self.looks.lists(allowing, GOOD))
        (found,) = allowing.judge(await asked, GOOD)
        self.assertEqual((-1.0, None), (found.finding.score, found.refusal))

    async def test_long(self) -> None:
        """An answer of 64 KB over TCP is no answer."""
        found = await self.symbols(self.looks.lists(zone(), "192.0.2.8"), zone())
        self.assertEqual(["LIST_ERROR"], found)


class HelloTests(LookTestCase):
    """The name in HELO, as far as others must be asked."""

    async def test_names(self) -> None:
        """Known by any record; ours by any of our addresses."""
        for name, expected in {
            "mail.a.example": [],
            "a.example": [],
            "only-aaaa.example": [],
            "empty.example": ["HELO_UNKNOWN!"],
            "nowhere.example": ["HELO_UNKNOWN!"],
            "home.example": ["HELO_HOSTED!"],
            "mx.home.example": ["HELO_OURS!"],
            "[203.0.113.25]": ["HELO_OURS!"],
            f"[{GOOD}]": [],
            f"[{BAD}]": ["HELO_FOREIGN_ADDRESS!"],
            "silent.example": ["HELO_ERROR"],
        }.items():
            found = await self.symbols(self.looks.hello(name, GOOD))
            self.assertEqual(expected, found, name)


class SenderTests(LookTestCase):
    """Whether an answer could reach the sender."""

    async def test_domains(self) -> None:
        """An MX or an address is enough; a null MX is a no of its own."""
        for domain, expected in {
            "a.example": [],
            "only-a.example": [],
            "only-aaaa.example": [],
            "[192.0.2.1]": [],
            "null.example": ["SENDER_NULL_MX!"],
            "empty.example": ["SENDER_NO_DOMAIN!"],
            "nowhere.example": ["SENDER_NO_DOMAIN!"],
            "servfail.example": ["SENDER_ERROR"],
        }.items():
            found = await self.symbols(self.looks.sender(domain))
            self.assertEqual(expected, found, domain)


class BrokenTests(LookTestCase):
    """R27: name servers that lie, stall or break."""

    async def test_every_fault(self) -> None:
        """No fault refuses anybody, and none takes longer than a look-up may."""
        begun = time.monotonic()
        asked = []
        for fault, name in BROKEN.items():
            client = ".".join(reversed(name.split(".")))
            for asking in (
                self.looks.address(client),
                self.looks.lists(zone(), client),
                self.looks.hello(f"{fault}.example", GOOD),
                self.looks.sender(f"{fault}.example"),
            ):
                asked.append(Deferred.fromCoroutine(self.symbols(asking)))
        found = await gatherResults(asked)
        self.assertEqual(28, len(found))
        for (symbol,) in found:
            self.assertTrue(symbol.endswith("_ERROR"), symbol)
        # Far from what would be a hang, near enough on any machine.
        self.assertLess(time.monotonic() - begun, 15)
