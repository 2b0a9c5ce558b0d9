"""What people read of a header field."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.words import clean, decode_words, masked, to_text

CHARSETS = st.sampled_from(
    [b"utf-8", b"utf-7", b"utf-16", b"iso-2022-jp", b"punycode", b"zip", b"x" * 70]
)


class WordTests(SynchronousTestCase):
    """Encoded words become the text they stand for (RFC 2047)."""

    def test_examples(self) -> None:
        """Plain, B, Q, split, mixed and 8-bit values read as people expect."""
        for value, text in [
            (b" plain", "plain"),
            (b"=?utf-8?B?w6TDtg==?=", "äö"),
            (b"=?ISO-8859-1?q?a_=E4?=", "a ä"),
            (b"=?iso-8859-1*de?Q?=E4?= x", "ä x"),
            (b"=?utf-8?B?w6Q=?=\r\n =?utf-8?B?w7Y=?=", "äö"),
            (b"=?utf-8?q?=C3?=\r\n\t=?utf-8?q?=A4?=", "ä"),
            (b"a =?utf-8?q?b?= c =?utf-8?q?d?=", "a b c d"),
            (b"=?utf-8?q?a?= =?koi8-r?q?=C1?=", "aа"),
            ("süß".encode(), "süß"),
            (b"s\xfc\xdf", "süß"),
            (b"=?nonsense?q?a?=", "a"),
            (b"=?utf-8?q?open", "=?utf-8?q?open"),
            (b"one\r\n two", "one two"),
        ]:
            self.assertEqual(decode_words(value), text, value)

    def test_not_for_eyes(self) -> None:
        """Nothing that rings, moves or turns the text around is left."""
        nasty = "a\x07\x1b[2J\x85\u202eb\u2066c\u200f\ufeffd"
        self.assertEqual(clean(nasty), "a[2Jbcd")
        self.assertEqual(decode_words(b"=?utf-16be?B?2AAAYQ==?="), "\ufffda")

    def test_masked(self) -> None:
        """Who reads a report sees that something stood there."""
        self.assertEqual("a? b?c", masked("a\x07 b\u202ec"))
        self.assertEqual("süß", masked("süß"))

    def test_limit(self) -> None:
        """Only so much of a value is read."""
        self.assertEqual(decode_words(b"x" * 100, limit=10), "x" * 10)

    def test_unknown_charset(self) -> None:
        """A charset that is no charset of mail is not looked up."""
        for name in ("zip", "punycode", "unicode_escape", "idna", "rot13"):
            self.assertEqual(to_text(b"abc\\u0041", name), ("abc\\u0041", False))

    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=10),
                st.builds(
                    lambda charset, kind, text: b"=?%b?%b?%b?=" % (charset, kind, text),
                    CHARSETS,
                    st.sampled_from([b"b", b"q", b"Q", b"B"]),
                    st.binary(max_size=20),
                ),
            )
        ).map(b" ".join)
    )
    def test_any(self, value: bytes) -> None:
        """Whatever the octets, clean text comes out that can be stored."""
        text = decode_words(value)
        self.assertEqual(text, clean(text))
        text.encode()
