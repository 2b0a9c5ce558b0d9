"""Tests for L{smfd.policy.srs}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.srs import SRS, Forged, TooLong, is_rewritten
from smfd.proto.address import Address, parse_mailbox

OURS = "home.example"
DAY = 86400.0
NOW = 20_000 * DAY + 7
SCHEME = SRS(b"a secret", days=21)

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFXYZ0123456789"
ATOM = st.text(_LETTERS + "=+-_.!#~/'", min_size=1, max_size=64)
LABEL = st.text("abcxyz0123456789", min_size=1, max_size=20)
DOMAIN = st.lists(LABEL, min_size=1, max_size=3).map(lambda x: ".".join([*x, "ex"]))
SENDER = st.builds(Address, ATOM, DOMAIN)

#: What these secrets, days and senders make; others may check it by hand.
_VECTORS = (
    ("bob@there.example", "SRS0=3ZT3KYMI=RA=there.example=bob"),
    ("Bob=x@there.example", "SRS0=WB6HF36U=RA=there.example=Bob=x"),
    (
        "SRS0=abcd=AA=far.example=al@hop.example",
        "SRS1=OBDVKWSJ=hop.example==abcd=AA=far.example=al",
    ),
    (
        "SRS1=abcd=first.example==x=y@hop.example",
        "SRS1=6DNZRBXH=first.example==x=y",
    ),
)


class RewriteTests(SynchronousTestCase):
    """Senders of mail that goes on."""

    def test_vectors(self) -> None:
        """The same secret, day and sender always make the same address."""
        for sender, local in _VECTORS:
            made = SCHEME.rewrite(parse_mailbox(sender), OURS, NOW)
            self.assertEqual(Address(local, OURS), made)

    @given(SENDER, st.floats(0, 21), st.integers(0, 2_000))
    def test_there_and_back(self, sender: Address, days: float, start: int) -> None:
        """Whatever fits comes back whole, in any case, until it is too old."""
        now = start * DAY
        try:
            made = SCHEME.rewrite(sender, OURS, now)
        except TooLong:
            self.assertGreater(len(sender.local) + len(sender.domain), 40)
            return
        self.assertTrue(is_rewritten(made.local))
        self.assertLessEqual(len(made.local), 64)
        back = SCHEME.reverse(made.local, now + days * DAY)
        if is_rewritten(sender.local):
            return
        self.assertEqual(sender, back)
        lowered = SCHEME.reverse(made.local.lower(), now)
        self.assertEqual(str(sender).lower(), str(lowered).lower())

    @given(SENDER, st.integers(23, 1000))
    def test_too_old(self, sender: Address, days: int) -> None:
        """After its time an address is nobody's."""
        try:
            made = SCHEME.rewrite(sender, OURS, NOW)
        except TooLong:
            return
        if made.local.startswith("SRS0"):
            self.assertRaises(Forged, SCHEME.reverse, made.local, NOW + days * DAY)

    @given(SENDER, st.data())
    def test_forged(self, sender: Address, data: st.DataObject) -> None:
        """One letter changed, or another secret, and it is nobody's."""
        try:
            made = SCHEME.rewrite(sender, OURS, NOW).local
        except TooLong:
            return
        self.assertRaises(Forged, SRS(b"other").reverse, made, NOW)
        place = data.draw(st.integers(5, len(made) - 1))
        letter = data.draw(st.sampled_from(_LETTERS + "=.-"))
        changed = made[:place] + letter + made[place + 1 :]
        if changed.lower() != made.lower():
            self.assertRaises(Forged, SCHEME.reverse, changed, NOW)

    @given(st.text(max_size=80))
    def test_hostile(self, local: str) -> None:
        """Whatever is not ours is refused, and nothing breaks."""
        for beginning in "", "SRS0=", "SRS1=", "srs0+AAAAAAAA=AA=", "SRS1-AAAAAAAA=":
            self.assertRaises(Forged, SCHEME.reverse, beginning + local, NOW)

    def test_second_hop(self) -> None:
        """What others rewrote goes back to him who was first, not through all."""
        first = SRS(b"first").rewrite(parse_mailbox("al@a.ex"), "one.ex", NOW)
        second = SRS(b"second").rewrite(first, "two.ex", NOW)
        third = SCHEME.rewrite(second, OURS, NOW)
        self.assertTrue(third.local.startswith("SRS1="))
        self.assertEqual(first, SCHEME.reverse(third.local, NOW))
        # However old: the first one looks at the time.
        self.assertEqual(first, SCHEME.reverse(third.local, NOW + 900 * DAY))
        self.assertEqual(
            parse_mailbox("al@a.ex"), SRS(b"first").reverse(first.local, NOW)
        )

    def test_separators(self) -> None:
        """Other servers put + or - after SRS0; theirs is kept."""
        for mark in "=+-":
            sender = Address(f"SRS0{mark}abcd=AA=a.ex=al", "one.ex")
            made = SCHEME.rewrite(sender, OURS, NOW)
            self.assertEqual(sender, SCHEME.reverse(made.local, NOW))

    def test_too_long(self) -> None:
        """A local part has at most 64 octets, RFC 5321 4.5.3.1.1."""
        fits = Address("x" * (64 - 17 - 5), "a.ex")
        self.assertEqual(64, len(SCHEME.rewrite(fits, OURS, NOW).local))
        self.assertRaises(
            TooLong, SCHEME.rewrite, Address(fits.local + "x", "a.ex"), OURS, NOW
        )

    def test_secret(self) -> None:
        """The secret is not shown where values are."""
        self.assertNotIn("a secret", repr(SCHEME))
