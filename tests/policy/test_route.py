"""Tests for L{smfd.policy.route}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.config.value import smtp_url
from smfd.policy.route import parse_hop


class HopTests(SynchronousTestCase):
    """Where mail goes on to."""

    def test_good(self) -> None:
        """A name or an address, with a port or the usual one, or a socket."""
        for text, shown in (
            ("smtp://10.0.0.5:25", "smtp://10.0.0.5:25"),
            ("smtp://MX.Example.org", "smtp://mx.example.org:25"),
            ("smtp://[2001:DB8::1]:2525", "smtp://[2001:db8::1]:2525"),
            ("lmtp://127.0.0.1", "lmtp://127.0.0.1:24"),
            ("lmtp:unix:/run/dovecot/lmtp", "lmtp:unix:/run/dovecot/lmtp"),
        ):
            hop = parse_hop(text, "none")
            self.assertEqual(shown, str(hop))
            self.assertEqual(hop, parse_hop(shown, "none"))

    def test_bad(self) -> None:
        """What cannot be is refused with a sentence."""
        for text, tls in (
            ("", "none"),
            ("10.0.0.5:25", "none"),
            ("http://10.0.0.5:25", "none"),
            ("smtp://", "none"),
            ("smtp://a.example:0", "none"),
            ("smtp://a.example:65536", "none"),
            ("smtp://user@a.example", "none"),
            ("smtp://2001:db8::1", "none"),
            ("smtp://[2001:db8::1", "none"),
            ("smtp://[x]", "none"),
            ("smtp://a.example/path", "none"),
            ("smtp:unix:/run/x", "none"),
            ("lmtp:unix:run/x", "none"),
            ("lmtp:unix:/run/\x00x", "none"),
            (f"lmtp:unix:/{'x' * 100}", "none"),
            ("lmtp:unix:/run/x", "verify"),
            ("smtp://a.example", "perhaps"),
        ):
            with self.assertRaises(ValueError) as caught:
                parse_hop(text, tls)
            self.assertTrue(str(caught.exception).endswith("."), text)

    @given(st.text(max_size=300))
    def test_hostile(self, text: str) -> None:
        """Any text is a hop or is refused, and a hop can be written again."""
        for beginning in "", "smtp://", "lmtp:unix:/":
            try:
                hop = parse_hop(beginning + text)
            except ValueError:
                continue
            self.assertEqual(hop, parse_hop(str(hop), hop.tls))

    @given(
        st.from_regex(
            r"smtp://(\[[0-9a-f:.]{1,9}\]|[a-z0-9.-]{1,9})(:[0-9]{1,5})?",
            fullmatch=True,
        )
    )
    def test_settings(self, text: str) -> None:
        """What the settings take for a server can be gone to."""
        if not smtp_url(text):
            parse_hop(text)
