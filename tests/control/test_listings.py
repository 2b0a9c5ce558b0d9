"""Tests for L{smfd.control.listings}, with a name server."""

from typing import Any

from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from smfd.control.listings import ROUND, Listings
from smfd.net.dns import Resolver
from tests.dns_stub import NameServer

reactor: Any = installed

ZEN, OTHER = "zen.spamhaus.org", "bl.example.org"


class Time:
    """A clock that stands."""

    now = 1_800_000_000.0

    def seconds(self) -> float:
        """What time it is."""
        return self.now

    def callLater(self, delay: float, act: Any, *args: Any) -> Any:
        """Some time."""
        return reactor.callLater(delay, act, *args)


class ListingsTests(TestCase):
    """Our own addresses, as others look them up."""

    def setUp(self) -> None:
        self.server = NameServer({}, ttl=0)
        self.server.start(reactor)
        self.addCleanup(self.server.stop)
        self.zone = self.server.zone
        self.time: Any = Time()

    def resolver(self) -> Resolver:
        """One that has asked nothing yet."""
        servers = [f"127.0.0.1:{self.server.port}"]
        return Resolver(reactor, servers, timeout=0.3, lifetime=0.6)

    def look(self, *addresses: str) -> Listings:
        """One that asks the name server."""
        name, zones = "mx.home.example", (ZEN, OTHER)
        ours = dict.fromkeys(addresses, name)
        return Listings(self.resolver(), self.time, name, ours, zones)

    async def test_listed(self) -> None:
        """A listing is an alarm with its meaning, and keeps its first time."""
        self.zone[f"25.2.0.192.{ZEN}"] = {"A": ["127.0.0.4"]}
        ours = self.look("192.0.2.25", "192.0.2.26")
        await ours.look()
        (alarm,) = ours.alarms()
        self.assertIn(f"{ZEN} has our address 192.0.2.25 since 2027-01-15", alarm)
        self.assertIn("XBL: a machine behind it is infected", alarm)
        self.assertEqual((ZEN, OTHER), ours.looks["192.0.2.26"].clean)
        self.time.now += ROUND
        await ours.look()
        self.assertIn("2027-01-15T08:00:00Z", ours.alarms()[0])
        del self.zone[f"25.2.0.192.{ZEN}"]
        ours.resolver = self.resolver()
        self.time.now += ROUND
        await ours.look()
        self.assertEqual([], ours.alarms())
        self.assertEqual(self.time.now, ours.at)

    async def test_silent_meanwhile(self) -> None:
        """An alarm does not end because nobody answers, and does not begin anew."""
        self.zone[f"25.2.0.192.{ZEN}"] = {"A": ["127.0.0.4"]}
        ours = self.look("192.0.2.25")
        await ours.look()
        before = ours.alarms()
        for answer in "servfail", {"A": ["127.255.255.254"]}:
            self.zone[f"25.2.0.192.{ZEN}"] = answer
            self.time.now += ROUND
            ours.resolver = self.resolver()
            await ours.look()
            self.assertEqual((before, 1), (ours.alarms(), len(before)))

    async def test_unsure(self) -> None:
        """A list that is silent, refuses us, or answers nonsense lists nobody."""
        for answer in (
            "servfail",
            {"A": ["127.255.255.254"]},
            {"A": ["198.51.100.7"]},
        ):
            self.zone[f"25.2.0.192.{ZEN}"] = answer
            ours = self.look("192.0.2.25")
            await ours.look()
            self.assertEqual([], ours.alarms())
            self.assertEqual((ZEN,), ours.looks["192.0.2.25"].unknown, answer)

    async def test_names(self) -> None:
        """What PTR and addresses say of us is looked up with it."""
        self.zone["25.2.0.192.in-addr.arpa"] = {"PTR": ["MX.home.example."]}
        self.zone["26.2.0.192.in-addr.arpa"] = {"PTR": ["other.example."]}
        self.zone["mx.home.example"] = {"A": ["192.0.2.25"]}
        self.zone["other.example"] = {"A": ["192.0.2.99"]}
        ours = self.look("192.0.2.25", "192.0.2.26")
        await ours.look()
        good, bad = (ours.looks[f"192.0.2.{n}"] for n in (25, 26))
        self.assertEqual("", good.fault)
        self.assertIn("other.example is not its own", bad.fault)

    async def test_ours(self) -> None:
        """Our addresses are known to who asks, though there are no lists to watch."""
        name = "mx.home.example"
        self.zone[name] = {"A": ["8.8.4.4"]}
        found = Listings(self.resolver(), self.time, name)
        self.assertEqual({"8.8.4.4"}, await found.ours())
        self.zone[name] = {"A": ["8.8.8.8"]}
        self.assertEqual({"8.8.4.4"}, await found.ours(), "within the hour")
        self.time.now += ROUND
        found.resolver = self.resolver()
        self.assertEqual({"8.8.8.8"}, await found.ours())

    async def test_own(self) -> None:
        """Without a setting our addresses are the public ones of our hostname."""
        self.zone["mx.home.example"] = {
            "A": ["127.0.0.1", "10.0.0.1", "8.8.4.4"],
            "AAAA": ["::1", "2600::25"],
        }
        ours = self.look()
        await ours.look()
        self.assertEqual(["8.8.4.4", "2600::25"], list(ours.looks))

    async def test_ipv6(self) -> None:
        """An IPv6 address is looked up nibble by nibble."""
        nibbles = ".".join(reversed("20010db8000000000000000000000025"))
        self.zone[f"{nibbles}.{ZEN}"] = {"A": ["127.0.0.3"]}
        ours = self.look("2001:db8::25")
        await ours.look()
        self.assertIn("CSS", ours.alarms()[0])
