"""A server that relays for those it knows: how we are let in (R45)."""

import os
from pathlib import Path

from attrs import evolve
from twisted.internet.ssl import DefaultOpenSSLContextFactory

from smfd.config.load import read
from smfd.delivery.tlspolicy import SitePolicy, TLSPolicies
from smfd.delivery.where_of import where
from smfd.model.entry import State
from smfd.model.hop import NextHop
from smfd.model.origin import Login
from smfd.model.said import parse_said
from smfd.net.tls import make_self_signed
from smfd.policy.mx import NoWay
from smfd.policy.networks import within
from smfd.policy.route import Routes, parse_hop
from tests.delivery.next_hop import Hop
from tests.delivery.world import WorldCase

TLS = b"250-smart.test\r\n250 STARTTLS\r\n"
AUTH = b"250-smart.test\r\n250 AUTH PLAIN LOGIN\r\n"


class SmarthostTests(WorldCase):
    """All mail goes by one server, which wants to know who we are."""

    def setUp(self) -> None:
        super().setUp()
        self.host = self.server(2)

    def secure(self, *ehlo: bytes) -> None:
        """It speaks TLS, and offers these before and after."""
        certificate, key = make_self_signed("smart.test")
        files = [Path(os.path.abspath(self.mktemp())) for _ in range(2)]
        for file, octets in zip(files, (key, certificate), strict=True):
            file.write_bytes(octets)
        self.host.context = DefaultOpenSSLContextFactory(*map(str, files))
        self.host.says |= {b"EHLO": list(ehlo), b"STARTTLS": b"220 go\r\n"}

    def route(self, tls: str = "required") -> None:
        """All mail goes there."""
        hop = parse_hop(f"smtp://127.0.0.2:{self.port}", tls)
        hop = evolve(hop, login=Login("us", "open sesame"))
        self.where = evolve(self.where, routes=Routes({"*": hop}))

    async def test_in(self) -> None:
        """Inside TLS we log in once, and mail goes."""
        self.secure(TLS, AUTH)
        self.host.says[b"AUTH"] = b"235 2.7.0 welcome\r\n"
        self.route()
        for _ in range(2):
            (told,) = await self.fate("u@far.test")
            self.assertEqual(State.DELIVERED, told.state)
        logins = [line for line in self.host.heard if line.startswith(b"AUTH")]
        self.assertEqual([b"AUTH PLAIN AHVzAG9wZW4gc2VzYW1l"], logins)
        self.assertEqual("TLSv1.3 required", self.told[0].tls)

    async def test_not_in(self) -> None:
        """Who does not let us in gets no mail; it waits, and the words say nothing."""
        self.secure(TLS, AUTH)
        self.host.says[b"AUTH"] = b"535 5.7.8 AHVzAG9wZW4gc2VzYW1l is wrong\r\n"
        self.route()
        (told,) = await self.fate("u@far.test")
        self.assertEqual((State.DUE, True), (told.state, told.of_site))
        self.assertIn("does not take our name and password: 535 5.7.8", told.detail)
        self.assertNotIn("AHVz", told.detail)
        self.assertEqual([], self.host.messages)

    async def test_never_in_the_clear(self) -> None:
        """No password and no mail without TLS, whatever the route forgot to ask."""
        for tls in ("none", "opportunistic", "required"):
            for ehlo in (AUTH, b"250-smart.test\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"):
                self.host.says = {b"EHLO": ehlo, b"STARTTLS": b"454 4.7.0 no\r\n"}
                self.host.heard.clear()
                self.hops.hang_up()
                self.route(tls)
                (told,) = await self.fate("u@far.test")
                self.assertEqual((State.DUE, True), (told.state, told.of_site))
                self.assertEqual("4.7.0", parse_said(told.detail).status)
                heard = b" ".join(self.host.heard)
                self.assertNotIn(b"AUTH", heard)
                self.assertNotIn(b"MAIL", heard)


class SettingsTests(WorldCase):
    """The settings, as what the road to the world is made of."""

    async def test_route(self) -> None:
        """The password comes from its file; the route is the server's, with TLS."""
        home = Path(os.path.abspath(self.mktemp()))
        home.mkdir()
        (home / "secret").write_text("open sesame\n")
        text = (
            '[[relay.route]]\ndomain = "*"\nto = "smtp://127.0.0.2:2526"\n'
            'tls = "verify"\nusername = "us"\npassword_file = "secret"\n'
        )
        config = read(text, home / "smfd.toml")
        found = where(config, self.resolver, TLSPolicies(self.resolver))
        way = await found.of("far.test")
        login = Login("us", "open sesame")
        hop = NextHop("smtp", "127.0.0.2", 2526, "", "verify", "127.0.0.2", login=login)
        self.assertEqual((hop,), way.hops)
        self.assertEqual(SitePolicy("127.0.0.2", "verify"), way.policy)
        self.assertTrue(way.routed)
        (home / "secret").unlink()
        with self.assertRaisesRegex(SystemExit, "secret"):
            where(config, self.resolver, TLSPolicies(self.resolver))

    def test_bounds(self) -> None:
        """What is ours: our names, our addresses, and where we listen ourselves."""
        host = "[server]\nhostname = 'mx.ours.test'\n"
        mx = "[mx]\nlisten = ['{}']\n[relay]\nport = {}\nown = ['192.0.2.9']\n"
        source = "[[relay.source]]\naddress = '192.0.2.8'\nhello = 'OUT.ours.test.'\n"
        here, there = "127.0.0.1", "198.51.100.1"
        for listen, port, ours in (
            ("0.0.0.0:25", 25, {here: True, there: False}),
            ("[::]:25", 25, {here: True, there: False}),
            ("systemd:mx", 25, {here: True, there: False}),
            ("0.0.0.0:2525", 25, {here: False, there: False}),
            (f"{there}:25", 25, {here: False, there: True}),
        ):
            text = host + mx.format(listen, port) + source
            config = read(text, Path("/x/smfd.toml"))
            found = where(config, self.resolver, TLSPolicies(self.resolver))
            bounds = found.bounds
            self.assertEqual({"mx.ours.test", "out.ours.test"}, set(bounds.names))
            self.assertFalse(bounds.ipv6)
            for address, expected in {
                **ours,
                "192.0.2.9": True,
                "192.0.2.8": True,
            }.items():
                self.assertIs(expected, bounds.is_ours(address), (listen, address))

    async def test_literals(self) -> None:
        """Addresses that users may write to are those that mail is sent to."""
        text = "[submission]\nliterals = ['10.1.0.0/16', '2001:db8::/32']\n"
        config = read(text, Path("/x/smfd.toml"))
        found = where(config, self.resolver, TLSPolicies(self.resolver))
        for site, address in (
            ("[10.1.2.3]", "10.1.2.3"),
            ("[ipv6:2001:db8::1]", "2001:db8::1"),
        ):
            (hop,) = (await found.of(site)).hops
            self.assertEqual((address, address, 25), (hop.host, hop.address, hop.port))
        with self.assertRaisesRegex(NoWay, "is not where mail is sent"):
            await found.of("[8.8.8.8]")

    def test_trial(self) -> None:
        """Loopback is nobody's MX host, but where a port says that it is a trial."""
        for text, allowed in (
            ("", {"127.0.0.2": False, "::1": False, "10.0.0.1": False}),
            ("port = 2525", {"127.0.0.2": True, "::1": True, "10.0.0.1": False}),
            (
                "networks_allowed = ['10.0.0.0/8']",
                {"127.0.0.2": False, "10.0.0.1": True},
            ),
        ):
            config = read(f"[relay]\n{text}\n", Path("/x/smfd.toml"))
            found = where(config, self.resolver, TLSPolicies(self.resolver)).bounds
            for address, expected in allowed.items():
                self.assertIs(expected, within(address, found.allowed), (text, address))

    def test_wrong(self) -> None:
        """A login without TLS, half a login, and one address twice are refused."""
        from tests.config.test_load import faults

        route = '[[relay.route]]\ndomain = "*"\nto = "smtp://127.0.0.2"\n'
        named = 'username = "us"\npassword_file = "x"\n'
        for text, key in (
            (route + named, "relay.route.1.tls"),
            (route + named + 'tls = "none"\n', "relay.route.1.tls"),
            (route + 'username = "us"\ntls = "verify"\n', "relay.route.1.username"),
            (route + 'tls = "dane-only"\n', "relay.route.1.to"),
            ('[[relay.source]]\naddress = "192.0.2.1"\n' * 2, "relay.source"),
            ('[[relay.source]]\naddress = "mx.test"\n', "relay.source"),
            ('[relay]\nown = ["192.0.2.0/24"]\n', "relay.own"),
        ):
            (fault,) = faults(text)
            self.assertTrue(fault.key.startswith(key), (text, fault))
        self.assertEqual([], faults(route + named + 'tls = "required"\n'))
        by_name = route.replace("127.0.0.2", "smart.test")
        self.assertEqual([], faults(by_name + named + 'tls = "dane-only"\n'))


class PeerTests(WorldCase):
    """Which names and kinds of address are asked for."""

    async def test_addresses(self) -> None:
        """IPv6 and IPv4 by turns; without IPv6 it is not even asked for."""
        self.mx("far.test", "10 a.mx")
        self.zone["a.mx"] = {
            "A": ["127.0.0.2", "127.0.0.3"],
            "AAAA": ["2001:4860::1", "2001:4860::2"],
        }
        bounds = evolve(self.where.bounds, ipv6=True)
        way = await evolve(self.where, bounds=bounds).of("far.test")
        addresses = [hop.address for hop in way.hops]
        expected = ["2001:4860::1", "127.0.0.2", "2001:4860::2", "127.0.0.3"]
        self.assertEqual(expected, addresses)
        self.dns.asked.clear()
        self.mx("near.test", "10 b.mx")
        self.zone["b.mx"] = {"A": ["127.0.0.2"], "AAAA": ["2001:4860::1"]}
        way = await self.where.of("near.test")
        self.assertEqual(["127.0.0.2"], [hop.address for hop in way.hops])
        self.assertEqual([("near.test", "MX"), ("b.mx", "A")], self.dns.asked)

    async def test_half_dark(self) -> None:
        """When the answer to one kind cannot be had, the other is enough."""
        server = self.server(2)
        self.assertIsInstance(server, Hop)
        self.mx("far.test", "10 a.mx")
        self.zone["a.mx"] = {"A": ["127.0.0.2"], "AAAA": "servfail"}
        bounds = evolve(self.where.bounds, ipv6=True)
        way = await evolve(self.where, bounds=bounds).of("far.test")
        self.assertEqual(["127.0.0.2"], [hop.address for hop in way.hops])
