"""Tests for L{smfd.smtpd.counting}: the limits that the settings ask for."""

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.config.load import read
from smfd.policy.limits import Limit, What
from smfd.smtpd.counting import limits_gate
from smfd.smtpd.limits_gate import LimitsGate


class LimitsTests(SynchronousTestCase):
    """Each number of the settings limits what it is about."""

    def build(self, text: str = "") -> LimitsGate:
        """The gate with these settings."""
        start = '[server]\nhostname = "mx.home.example"\n'
        return limits_gate(read(start + text, Path("/x/smfd.toml")), Clock())

    def test_sources(self) -> None:
        """A network is limited as an address is, and in connections at once."""
        gate = self.build(
            "[limits]\nwindow = 30\n"
            "[limits.address]\nrate = 1\nunknown = 2\n"
            "[limits.network]\nconnections = 3\nrate = 4\nerrors = 5\n"
        )
        address, network = gate.addresses.scope, gate.networks.scope
        self.assertEqual(("your address", "your network"), (address.name, network.name))
        self.assertEqual(Limit(1, 60.0), address.limits[What.RATE])
        self.assertEqual(Limit(2, 30.0), address.limits[What.UNKNOWN])
        self.assertEqual(Limit(3), network.limits[What.CONNECTIONS])
        self.assertEqual(Limit(4, 60.0), network.limits[What.RATE])
        self.assertEqual(Limit(5, 30.0), network.limits[What.ERRORS])
        self.assertEqual(
            {What.CONNECTIONS}, network.limits.keys() - address.limits.keys()
        )

    def test_none(self) -> None:
        """0 is no limit."""
        gate = self.build("[limits.network]\nconnections = 0\n[limits.all]\nrate = 0\n")
        self.assertNotIn(What.CONNECTIONS, gate.networks.scope.limits)
        self.assertNotIn(What.RATE, gate.everybody.scope.limits)
        self.assertIn(What.MESSAGES, gate.everybody.scope.limits)
