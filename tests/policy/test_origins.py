"""From which of our addresses mail goes out."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.origin import ANYWHERE, Login, Origin
from smfd.policy.origins import Origins, is_own

FOUR = tuple(Origin(f"192.0.2.{n}", f"out{n}.example.org") for n in range(4))
SIX = (Origin("2001:db8::1"),)
BOUNCES = (Origin("192.0.2.99"),)
SITES = [f"{n}.example" for n in range(400)]


class OriginsTests(SynchronousTestCase):
    """One address for one domain, and all of them for all."""

    def test_stable(self) -> None:
        """A domain sees the same address each time; each has its share of domains."""
        origins = Origins(FOUR)
        chosen = [origins.of(site, "198.51.100.1", True) for site in SITES]
        self.assertEqual(chosen, [origins.of(s, "198.51.100.7", True) for s in SITES])
        self.assertEqual(set(FOUR), set(chosen))
        for origin in FOUR:
            self.assertGreater(chosen.count(origin), 60)

    def test_kinds(self) -> None:
        """IPv4 goes from IPv4 and IPv6 from IPv6; else the system chooses."""
        origins = Origins(FOUR + SIX)
        for site in SITES:
            self.assertIn(origins.of(site, "198.51.100.1", True), FOUR)
            self.assertIn(origins.of(site, "2001:db8::9", True), SIX)
            self.assertEqual(ANYWHERE, origins.of(site, "", True))
            self.assertEqual(ANYWHERE, Origins(FOUR).of(site, "2001:db8::9", True))

    def test_ipv6(self) -> None:
        """Who names IPv4 addresses only does not send by IPv6."""
        for origins, expected in (
            (Origins(), True),
            (Origins(FOUR), False),
            (Origins(SIX), True),
            (Origins(FOUR, SIX), True),
        ):
            self.assertIs(expected, origins.ipv6)

    def test_others(self) -> None:
        """Bounces and forwards have their own address, if they have one."""
        origins = Origins(FOUR + SIX, BOUNCES)
        for site in SITES[:20]:
            own = origins.of(site, "198.51.100.1", True)
            self.assertIn(own, FOUR)
            self.assertIn(origins.of(site, "198.51.100.1", False), BOUNCES)
            self.assertIn(origins.of(site, "2001:db8::9", False), SIX)
            self.assertEqual(own, Origins(FOUR).of(site, "198.51.100.1", False))

    def test_spent(self) -> None:
        """What a new address may not send any more today goes out from another."""
        new = FOUR[0].address

        def spent(host: str, source: str) -> bool:
            return host == "mx.full.example" and source == new

        origins, usual = Origins(FOUR, spent=spent), Origins(FOUR)
        for site in SITES:
            asked = (site, "198.51.100.1", True)
            self.assertEqual(usual.of(*asked), origins.of(*asked, "mx.else.example"))
            chosen = origins.of(*asked, "mx.full.example")
            self.assertNotEqual(new, chosen.address)
            if usual.of(*asked).address != new:
                self.assertEqual(usual.of(*asked), chosen)
        alone = Origins(FOUR[:1], spent=spent)
        self.assertEqual(
            FOUR[0], alone.of("a", "198.51.100.1", True, "mx.full.example")
        )

    def test_own(self) -> None:
        """What has no sender is a bounce, what has a rewritten one is a forward."""
        self.assertTrue(is_own("ann@example.org"))
        for sender in ("", "SRS0=abcdefgh=AA=b.example=c@example.org", "srs1=x@y.z"):
            self.assertFalse(is_own(sender), sender)

    @given(st.text(max_size=100), st.text(max_size=60), st.booleans())
    def test_any(self, site: str, address: str, own: bool) -> None:
        """Whatever a domain is called, there is an answer."""
        origin = Origins(FOUR + SIX, BOUNCES).of(site, address, own)
        self.assertIn(origin, (*FOUR, *SIX, *BOUNCES, ANYWHERE))

    def test_secret(self) -> None:
        """A password is not shown with the rest."""
        self.assertNotIn("open sesame", repr(Login("us", "open sesame")))
