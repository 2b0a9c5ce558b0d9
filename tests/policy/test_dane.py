"""Tests of smfd.policy.dane and smfd.policy.certificate."""

from attrs import evolve
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.hop import TLSA
from smfd.policy.certificate import fits, named, public_key
from smfd.policy.dane import proves, usable
from tests.authority import CLIENTS_ONLY, Holder, authority, issue

ROOT = authority()
MIDDLE = ROOT.issue(common="Middle", ca=True)
LEAF = MIDDLE.issue("mx.example", "*.mx.example")
NAMES = ("mx.example", "example")


def chain(*holders: Holder) -> list[bytes]:
    """As a server sends it."""
    return [holder.der for holder in holders]


class UsableTests(SynchronousTestCase):
    """Which records can be used at all."""

    def test_table(self) -> None:
        """Those of the web's authorities, and of unknown kinds, are not."""
        digest, longer = b"1" * 32, b"1" * 64
        for record, good in (
            (TLSA(3, 1, 1, digest), True),
            (TLSA(3, 0, 2, longer), True),
            (TLSA(2, 0, 0, b"x"), True),
            (TLSA(2, 1, 1, digest), True),
            (TLSA(0, 0, 1, digest), False),
            (TLSA(1, 1, 1, digest), False),
            (TLSA(4, 1, 1, digest), False),
            (TLSA(255, 1, 1, digest), False),
            (TLSA(3, 2, 1, digest), False),
            (TLSA(3, 1, 3, digest), False),
            (TLSA(3, 1, 1, digest[1:]), False),
            (TLSA(3, 1, 1, b""), False),
            (TLSA(3, 1, 2, digest), False),
            (TLSA(3, 0, 0, b""), False),
        ):
            self.assertEqual((record,) if good else (), usable([record]), record)


class ProofTests(SynchronousTestCase):
    """Whether a chain is what the records say."""

    def test_server(self) -> None:
        """The certificate named itself needs neither a name nor a date."""
        old = ROOT.issue("other.example", days=(-30, -1))
        for selector in (0, 1):
            for matching in (0, 1, 2):
                record = old.tlsa(3, selector, matching)
                self.assertEqual("", proves([record], chain(old), NAMES))
                told = proves([record], chain(LEAF, old), NAMES)
                self.assertEqual("validation-failure", told)

    def test_authority(self) -> None:
        """An authority that is named vouches for a name of the server's."""
        sent = chain(LEAF, MIDDLE, ROOT)
        for holder in (MIDDLE, ROOT):
            for selector in (0, 1):
                for matching in (0, 1, 2):
                    record = holder.tlsa(2, selector, matching)
                    self.assertEqual("", proves([record], sent, NAMES))
        self.assertEqual("", proves([ROOT.tlsa(2, 0, 1)], sent, ["a.mx.example"]))
        told = proves([ROOT.tlsa(2, 0, 1)], sent, ["other.example"])
        self.assertEqual("certificate-host-mismatch", told)

    def test_not_sent(self) -> None:
        """A digest of what is not sent proves nothing; the whole of it does."""
        sent = chain(LEAF, MIDDLE)
        told = proves([ROOT.tlsa(2, 0, 1)], sent, NAMES)
        self.assertEqual("validation-failure", told)
        self.assertEqual("", proves([ROOT.tlsa(2, 0, 0)], sent, NAMES))

    def test_rollover(self) -> None:
        """One of several records is enough."""
        other = authority().tlsa(3, 1, 1)
        records = [other, LEAF.tlsa(3, 1, 1), other]
        self.assertEqual("", proves(records, chain(LEAF), NAMES))
        records = [other, ROOT.tlsa(2, 1, 1), other]
        self.assertEqual("", proves(records, chain(LEAF, MIDDLE, ROOT), NAMES))

    def test_uses(self) -> None:
        """A certificate that says it is for servers, or for all, is as good."""
        for use in (
            ExtendedKeyUsageOID.SERVER_AUTH,
            ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ):
            leaf = ROOT.issue("mx.example", uses=(*CLIENTS_ONLY, use))
            told = proves([ROOT.tlsa(2, 1, 1)], chain(leaf, ROOT), NAMES)
            self.assertEqual("", told, use)

    def test_bad_chain(self) -> None:
        """What an authority has not signed, or not so, is not proven."""
        forged = evolve(LEAF, above=None)
        stranger = authority("Middle").issue("mx.example")
        not_ca = ROOT.issue("mx.example")
        below = not_ca.issue("mx.example")
        old = ROOT.issue(common="Old", ca=True, days=(-30, -1))
        cases = {
            "not signed by it": (chain(stranger, MIDDLE, ROOT), "not-trusted"),
            "not an authority": (chain(below, not_ca, ROOT), "not-trusted"),
            "gap": (chain(forged, ROOT), "not-trusted"),
            "expired": (chain(ROOT.issue(*NAMES, days=(-9, -1)), ROOT), "expired"),
            "not yet": (chain(ROOT.issue(*NAMES, days=(1, 9)), ROOT), "expired"),
            "old middle": (chain(old.issue(*NAMES), old, ROOT), "expired"),
            "clients only": (
                chain(ROOT.issue(*NAMES, uses=CLIENTS_ONLY), ROOT),
                "not-trusted",
            ),
            "neither signed nor ours": (
                chain(authority().issue("x.example"), ROOT),
                "not-trusted",
            ),
        }
        for name, (sent, fault) in cases.items():
            told = proves([ROOT.tlsa(2, 1, 1)], sent, NAMES)
            self.assertEqual(f"certificate-{fault}", told, name)

    def test_old_anchor(self) -> None:
        """The authority that is named itself needs no date."""
        old = ROOT.issue(common="Old", ca=True, days=(-30, -1))
        sent = chain(old.issue("mx.example"), old, ROOT)
        self.assertEqual("", proves([old.tlsa(2, 0, 1)], sent, NAMES))

    def test_own_authority(self) -> None:
        """A server that is named as its own authority needs one all the same."""
        for days, fault in (((-1, 9), ""), ((-30, -1), "certificate-expired")):
            alone = issue(NAMES, days=days)
            told = proves([alone.tlsa(2, 0, 0)], chain(alone), NAMES)
            self.assertEqual(fault, told)

    def test_nothing(self) -> None:
        """Without a certificate, or a record, nothing is proven."""
        self.assertEqual("validation-failure", proves([LEAF.tlsa(3, 1, 1)], [], NAMES))
        self.assertEqual("validation-failure", proves([], chain(LEAF), NAMES))

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_damaged(self, data: st.DataObject) -> None:
        """Certificates that are damaged prove nothing, and harm nobody."""
        sent = [bytearray(octets) for octets in chain(LEAF, MIDDLE, ROOT)]
        which = data.draw(st.integers(0, 1))
        at = data.draw(st.integers(0, len(sent[which]) - 1))
        sent[which][at] ^= data.draw(st.integers(1, 255))
        kind = data.draw(st.sampled_from([(2, 0, 0), (2, 1, 1), (3, 0, 1)]))
        record = (LEAF if kind[0] == 3 else ROOT).tlsa(*kind)
        told = proves([record], list(map(bytes, sent)), NAMES)
        if which == 0:
            self.assertNotEqual("", told)

    @settings(max_examples=300)
    @given(st.lists(st.binary(max_size=200), max_size=3), st.binary(max_size=40))
    def test_garbage(self, sent: list[bytes], octets: bytes) -> None:
        """What is no certificate at all proves nothing."""
        records = [TLSA(2, 0, 0, octets), TLSA(3, 1, 0, octets), TLSA(2, 1, 1, octets)]
        self.assertNotEqual("", proves(records, sent, NAMES))


class CertificateTests(SynchronousTestCase):
    """What is read of a certificate."""

    def test_key(self) -> None:
        """The key is read as it stands there, octet by octet."""
        for holder in (ROOT, MIDDLE, LEAF):
            self.assertEqual(holder.tlsa(3, 1, 0).octets, public_key(holder.der))

    @settings(max_examples=500)
    @given(st.integers(0, len(LEAF.der)), st.binary(max_size=6))
    def test_cut(self, at: int, behind: bytes) -> None:
        """One that is cut has no key."""
        cut = LEAF.der[:at] + behind
        if len(cut) < len(LEAF.der):
            with self.assertRaises(ValueError):
                public_key(cut)

    def test_names(self) -> None:
        """Only the alternative names count, and an asterisk is one label."""
        for name, good in (
            ("mx.example", True),
            ("MX.example.", True),
            ("a.mx.example", True),
            ("a.b.mx.example", False),
            ("example", False),
            ("", False),
        ):
            self.assertEqual(good, named(LEAF.der, [name]), name)
        self.assertFalse(named(ROOT.issue(common="mx.example").der, ["mx.example"]))
        self.assertFalse(named(b"no certificate", ["mx.example"]))
        there = ROOT.issue("192.0.2.1", "2001:db8::1").der
        self.assertTrue(named(there, ["192.0.2.1"]))
        self.assertTrue(named(there, ["2001:DB8:0::1"]))
        self.assertFalse(named(there, ["192.0.2.2"]))
        self.assertFalse(named(ROOT.issue("192.0.2.1.example").der, ["192.0.2.1"]))

    def test_patterns(self) -> None:
        """No pattern stands for a part of a label, or for a whole top."""
        for pattern, name, good in (
            ("a.example", "a.example", True),
            ("*.example.org", "a.example.org", True),
            ("*.example.org", ".example.org", False),
            ("*.org", "example.org", False),
            ("a*.example.org", "ab.example.org", False),
            ("*", "example", False),
            ("*.*.org", "a.b.org", False),
        ):
            self.assertEqual(good, fits(pattern, name), (pattern, name))
