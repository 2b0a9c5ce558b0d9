"""Which servers take a domain's mail, whatever its DNS says (R86)."""

import random
from collections.abc import Mapping, Sequence
from ipaddress import ip_network

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.mx import (
    ADDRESSES,
    HOSTS,
    Bounds,
    Exchanger,
    Exchangers,
    NoWay,
    Server,
    by_turns,
    exchangers,
    is_public,
    servers,
)

US = "mx.ours.example"
HERE = "203.0.113.25"
DOMAIN = "far.example"

#: What names lead to; "trouble" where nobody can tell just now.
HOSTS_OF = {
    "a.mx": ("8.8.1.1", "2a00::1"),
    "b.mx": ("8.8.2.1",),
    "c.mx": ("8.8.3.1", "8.8.3.2"),
    "none.mx": (),
    "dark.mx": "trouble",
    "six.mx": ("2a00::6",),
    "here.mx": (HERE,),
    "loopback.mx": ("127.0.0.1", "::1"),
    "private.mx": ("10.0.0.5", "192.168.1.1", "fd00::1", "100.64.0.1"),
    "link.mx": ("169.254.1.1", "fe80::1"),
    "odd.mx": ("0.0.0.0", "224.0.0.1", "255.255.255.255", "ff02::1", "192.0.2.1"),
    "hidden.mx": ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    "mixed.mx": ("10.0.0.5", "8.8.4.1"),
}  # fmt: skip
BOUNDS = Bounds(frozenset({US}), HERE.__eq__)

Records = Sequence[tuple[int, str]]


def known(
    hosts: Exchangers, addresses: Mapping[str, Sequence[str] | str] = HOSTS_OF
) -> Exchangers:
    """With their addresses."""

    def one(host: Exchanger) -> Exchanger:
        found = addresses.get(host.name, ())
        if isinstance(found, str):
            return evolve(host, trouble=f"{host.name} A: SERVFAIL")
        return evolve(host, addresses=tuple(found))

    return evolve(hosts, found=tuple(one(host) for host in hosts.found))


def way(
    records: Records, status: str = "ok", bounds: Bounds = BOUNDS, seed: int = 0
) -> tuple[str, ...]:
    """The addresses to try."""
    rng = random.Random(seed)
    hosts = exchangers(DOMAIN, status, records, bounds.names, rng)
    return tuple(server.address for server in servers(DOMAIN, known(hosts), bounds))


class ChoiceTests(SynchronousTestCase):
    """R86: the right servers in the right order."""

    def test_table(self) -> None:
        """Each record of a domain that takes mail leads where it should."""
        cases: list[tuple[Records, tuple[str, ...]]] = [
            ([(10, "a.mx")], ("2a00::1", "8.8.1.1")),
            ([(20, "b.mx"), (10, "a.mx")], ("2a00::1", "8.8.1.1", "8.8.2.1")),
            ([(0, "b.mx"), (65535, "c.mx")], ("8.8.2.1", "8.8.3.1", "8.8.3.2")),
            # RFC 7505 §3: a null MX is the only one.
            ([(0, "."), (10, "b.mx")], ("8.8.2.1",)),
            ([(10, "none.mx"), (20, "b.mx")], ("8.8.2.1",)),
            ([(10, "dark.mx"), (20, "b.mx")], ("8.8.2.1",)),
            ([(10, "192.0.2.1"), (20, "b.mx")], ("8.8.2.1",)),
            ([(10, "[8.8.2.9]"), (20, "b.mx")], ("8.8.2.1",)),
            ([(10, "loopback.mx"), (20, "b.mx")], ("8.8.2.1",)),
            ([(10, "mixed.mx")], ("8.8.4.1",)),
            ([(10, "b.mx"), (10, "b.mx")], ("8.8.2.1",)),
            # RFC 5321 §5.1: those that are as good as we or worse are not tried.
            ([(10, "b.mx"), (20, US), (30, "a.mx")], ("8.8.2.1",)),
            ([(10, "b.mx"), (20, "here.mx"), (30, "a.mx")], ("8.8.2.1",)),
            ([(10, "b.mx"), (20, "a.mx"), (20, "here.mx")], ("8.8.2.1",)),
        ]
        for records, expected in cases:
            for seed in range(5):
                self.assertEqual(expected, way(records, seed=seed), records)
                rows = list(reversed(records))
                self.assertEqual(expected, way(rows, seed=seed), records)

    def test_none(self) -> None:
        """Each way to have no server: its code, and whether it is for ever."""
        cases: list[tuple[str, Records, str]] = [
            ("nxdomain", [], "550 5.1.2"),
            ("ok", [(0, ".")], "556 5.1.10"),
            ("ok", [(10, "."), (20, ".")], "556 5.1.10"),
            ("ok", [(10, US)], "554 5.4.6"),
            ("ok", [(10, "here.mx")], "554 5.4.6"),
            ("ok", [(10, US), (10, "b.mx")], "554 5.4.6"),
            ("ok", [(10, "here.mx"), (20, "b.mx")], "554 5.4.6"),
            ("ok", [(10, "none.mx")], "550 5.4.4"),
            ("ok", [(10, "192.0.2.1")], "550 5.4.4"),
            ("ok", [(10, "loopback.mx")], "550 5.4.4"),
            ("ok", [(10, "private.mx")], "550 5.4.4"),
            ("ok", [(10, "link.mx")], "550 5.4.4"),
            ("ok", [(10, "odd.mx")], "550 5.4.4"),
            ("ok", [(10, "hidden.mx")], "550 5.4.4"),
            ("ok", [(10, "dark.mx")], "4.4.3"),
            ("ok", [(10, "loopback.mx"), (20, "dark.mx")], "4.4.3"),
            ("ok", [(10, "dark.mx"), (20, US)], "4.4.3"),
        ]
        for status, records, expected in cases:
            with self.assertRaises(NoWay) as caught:
                way(records, status)
            said = str(caught.exception.said)
            self.assertTrue(said.startswith(f"{expected}: "), (records, said))
            self.assertEqual(expected[0] == "5", caught.exception.permanent, records)

    def test_no_record(self) -> None:
        """A domain without MX records is its own server, if it has an address."""
        for status in ("ok", "nodata"):
            hosts = exchangers(DOMAIN, status, (), BOUNDS.names, random.Random(0))
            self.assertEqual((DOMAIN,), tuple(host.name for host in hosts.found))
        found = known(hosts, {DOMAIN: ("8.8.1.1",)})
        expected = (Server(DOMAIN, "8.8.1.1"),)
        self.assertEqual(expected, servers(DOMAIN, found, BOUNDS))
        with self.assertRaises(NoWay) as caught:
            servers(DOMAIN, known(hosts, {}), BOUNDS)
        self.assertEqual("5.1.2", caught.exception.said.status)
        with self.assertRaises(NoWay) as caught:
            servers(DOMAIN, known(hosts, {DOMAIN: (HERE,)}), BOUNDS)
        self.assertEqual("5.4.6", caught.exception.said.status)
        with self.assertRaises(NoWay) as caught:
            exchangers(US, "nodata", (), BOUNDS.names, random.Random(0))
        self.assertEqual("5.4.6", caught.exception.said.status)

    def test_twenty_equal(self) -> None:
        """Of twenty equal servers each gets its share, and few are tried at once."""
        records = [(10, f"m{n}.mx") for n in range(20)]
        addresses = {f"m{n}.mx": [f"8.8.{n}.{k}" for k in range(9)] for n in range(20)}
        first: dict[str, int] = {}
        for seed in range(400):
            rng = random.Random(seed)
            hosts = exchangers(DOMAIN, "ok", records, BOUNDS.names, rng)
            self.assertEqual(HOSTS, len(hosts.found))
            tried = servers(DOMAIN, known(hosts, addresses), BOUNDS)
            self.assertEqual(ADDRESSES, len(tried))
            self.assertGreaterEqual(len({server.name for server in tried}), 3)
            first[tried[0].name] = first.get(tried[0].name, 0) + 1
        self.assertEqual(20, len(first))
        self.assertLess(max(first.values()), 60)

    def test_others_later(self) -> None:
        """When none of the first few has an address, the others get their turn."""
        records = [(10, f"gone{n}.mx") for n in range(HOSTS + 1)]
        with self.assertRaises(NoWay) as caught:
            way(records)
        self.assertFalse(caught.exception.permanent)

    def test_no_host(self) -> None:
        """Of what is no name of a host the DNS is not even asked."""
        odd = ["192.0.2.1", "[8.8.2.9]", "2a00::1", "x y", "a\\b", ""]
        records = [(10, name) for name in (*odd, "b.mx")]
        rng = random.Random(0)
        hosts = exchangers(DOMAIN, "ok", records, BOUNDS.names, rng)
        self.assertEqual(["b.mx"], [host.name for host in hosts.found])

    def test_permitted(self) -> None:
        """Whom the policy does not name takes no place; naming none makes mail wait."""
        records = [(10, f"evil{n}.mx") for n in range(30)] + [(99, "good.mx")]
        rng = random.Random(0)
        known = exchangers(
            DOMAIN, "ok", records, BOUNDS.names, rng, lambda name: name == "good.mx"
        )
        self.assertEqual(["good.mx"], [host.name for host in known.found])
        self.assertFalse(known.more)
        for status, found in (("ok", records), ("nodata", [])):
            with self.assertRaises(NoWay) as caught:
                exchangers(DOMAIN, status, found, BOUNDS.names, rng, lambda name: False)
            self.assertEqual("4.7.0", caught.exception.said.status)
            self.assertFalse(caught.exception.permanent)

    def test_kinds(self) -> None:
        """Without IPv6 only IPv4 is tried; what is not known may be known later."""
        four = evolve(BOUNDS, ipv6=False)
        self.assertEqual(("8.8.1.1",), way([(10, "a.mx")], bounds=four))
        with self.assertRaises(NoWay) as caught:
            way([(10, "six.mx")], bounds=four)
        self.assertFalse(caught.exception.permanent)
        for bounds, words in (
            (BOUNDS, "the servers of far.example have no address"),
            (four, "have no IPv4 address, and we send by no other"),
        ):
            with self.assertRaises(NoWay) as caught:
                way([(10, "none.mx")], bounds=bounds)
            self.assertIn(words, caught.exception.said.text)

    def test_allowed(self) -> None:
        """A network that nobody else reaches is used when the settings name it."""
        allowed = evolve(BOUNDS, allowed=(ip_network("10.0.0.0/8"),))
        self.assertEqual(("10.0.0.5",), way([(10, "private.mx")], bounds=allowed))

    def test_by_turns(self) -> None:
        """IPv6 and IPv4 by turns, each in its order, none twice."""
        found = by_turns(["1.1.1.1", "1.1.1.2", "1.1.1.1", "::1", "1.1.1.3"])
        self.assertEqual(["::1", "1.1.1.1", "1.1.1.2", "1.1.1.3"], found)

    def test_public(self) -> None:
        """Only what the world may reach is public; what is no address is not."""
        for text in ("8.8.8.8", "2a00:1450::1", "64:ff9b::808:808", "::ffff:8.8.8.8"):
            self.assertTrue(is_public(text), text)
        for text in (
            "",
            "x",
            "1.2.3",
            "10.0.0.1",
            "::ffff:10.0.0.1",
            "::",
            "fe80::1%a",
        ):
            self.assertFalse(is_public(text), text)


NAMES = st.sampled_from(
    [*HOSTS_OF, US, ".", "192.0.2.1", "[::1]", "x y", "1", "", "\xfc.example"]
)
RECORDS = st.lists(st.tuples(st.integers(0, 5), NAMES), max_size=30)


class AnyTests(SynchronousTestCase):
    """Whatever the DNS says."""

    @given(RECORDS, st.sampled_from(["ok", "nodata", "nxdomain"]), st.integers())
    def test_any(self, records: Records, status: str, seed: int) -> None:
        """Nothing leads to us, to our neighbours, or to worse servers than we are."""
        try:
            found = way(records, status, seed=seed)
        except NoWay as no:
            self.assertEqual(no.permanent, no.said.status.startswith("5"))
            return
        self.assertLessEqual(len(found), ADDRESSES)
        self.assertEqual(len(found), len(set(found)))
        us = [p for p, name in records if name in (US, "here.mx")]
        best = {a: p for p, name in sorted(records, reverse=True)
                for a in HOSTS_OF.get(name, ()) if name != "dark.mx"}  # fmt: skip
        for address in found:
            self.assertTrue(is_public(address))
            self.assertNotEqual(HERE, address)
        if not any(name == "here.mx" for _, name in records):
            for address in found:
                self.assertTrue(not us or best[address] < min(us))

    @given(st.lists(st.ip_addresses().map(str), max_size=20))
    def test_any_address(self, addresses: list[str]) -> None:
        """Any address is tried, or refused with a reason."""
        hosts = Exchangers((Exchanger("x.mx", 10, tuple(addresses)),))
        try:
            found = servers(DOMAIN, hosts, BOUNDS)
        except NoWay:
            self.assertFalse(any(map(is_public, addresses)))
        else:
            self.assertTrue(all(is_public(server.address) for server in found))
