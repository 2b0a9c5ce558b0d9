"""Tests for L{smfd.policy.networks}."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.networks import address_of, network_of, networks, within

CLIENT = "198.51.100.7"


class NetworkTests(SynchronousTestCase):
    """Neighbours answer for each other."""

    def test_network(self) -> None:
        """A /24, or a /64; IPv4 in IPv6 is IPv4."""
        self.assertEqual("198.51.100.0/24", network_of(CLIENT))
        self.assertEqual("198.51.100.0/24", network_of(f"::ffff:{CLIENT}"))
        self.assertEqual("2001:db8:0:1::/64", network_of("2001:db8:0:1:2::3"))
        self.assertEqual("fe80::/64", network_of("fe80::1%eth0"))

    def test_neighbours(self) -> None:
        """In whatever way an address is spelled; what is none is its own."""
        for one, other in (
            ("192.0.2.1", "192.0.2.254"),
            ("2001:db8::1", "2001:0db8:0:0:ffff::2"),
            ("fe80::1%eth0", "fe80::2"),
        ):
            self.assertEqual(network_of(one), network_of(other))
        self.assertNotEqual(network_of("192.0.2.1"), network_of("192.0.3.1"))
        self.assertNotEqual(network_of("2001:db8::1"), network_of("2001:db8:0:1::1"))
        for nobody in ("not:an:address", ""):
            self.assertEqual(nobody, network_of(nobody))

    def test_within(self) -> None:
        """Exempt networks have addresses of their own kind only."""
        exempt = networks(["198.51.100.0/24", "::1"])
        for client, inside in {
            CLIENT: True,
            f"::ffff:{CLIENT}": True,
            "::1": True,
            "198.51.101.7": False,
            "": False,
        }.items():
            self.assertEqual(inside, within(client, exempt), client)
            self.assertFalse(within(client, ()), client)

    @given(st.ip_addresses())
    def test_all(self, address: object) -> None:
        """Every address is in its network."""
        text = str(address)
        self.assertIn(address_of(text), ip_network(network_of(text)))
