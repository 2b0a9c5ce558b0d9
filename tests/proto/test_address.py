"""Tests of smfd.proto.address."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.address import (
    Address,
    parse_domain,
    parse_mailbox,
    parse_path,
    reread,
)
from smfd.proto.reply import Malformed

GOOD = {
    "bob@example.com": Address("bob", "example.com"),
    "Bob@EXAMPLE.Com": Address("Bob", "example.com"),
    "a.b+c=d@x-y.example": Address("a.b+c=d", "x-y.example"),
    '"a b"@example.com': Address("a b", "example.com"),
    '"a\\"b\\\\c"@example.com': Address('a"b\\c', "example.com"),
    '"plain"@example.com': Address("plain", "example.com"),
    '""@example.com': Address("", "example.com"),
    '"a@b"@example.com': Address("a@b", "example.com"),
    "bob@localhost": Address("bob", "localhost"),
    "bob@[192.0.2.1]": Address("bob", "[192.0.2.1]"),
    "bob@[IPv6:2001:DB8::1]": Address("bob", "[IPv6:2001:db8::1]"),
    "bob@[ipv6:::ffff:192.0.2.1]": Address("bob", "[IPv6:::ffff:c000:201]"),
    "bob@xn--bcher-kva.example": Address("bob", "xn--bcher-kva.example"),
    "x" * 64 + "@example.com": Address("x" * 64, "example.com"),
    "bob@" + "a" * 63 + ".example": Address("bob", "a" * 63 + ".example"),
    "bob@" + ".".join(["a" * 49] * 5): Address("bob", ".".join(["a" * 49] * 5)),
}

BAD = [
    "bob",
    "@example.com",
    "bob@",
    ".bob@example.com",
    "bob.@example.com",
    "b..b@example.com",
    "b b@example.com",
    "b(c)@example.com",
    "a@b@example.com",
    '"a"b@example.com',
    'a"b"@example.com',
    '"a@example.com',
    '"a\\"@example.com',
    '"a@b"',
    "bob@.example.com",
    "bob@example.com.",
    "bob@exa mple.com",
    "bob@exa_mple.com",
    "bob@-a.example",
    "bob@a-.example",
    "bob@192.0.2.1",
    "bob@[192.0.2]",
    "bob@[192.0.2.256]",
    "bob@[192.0.2.1",
    "bob@192.0.2.1]",
    "bob@[2001:db8::1]",
    "bob@[IPv6:2001:db8::1%eth0]",
    "bob@[IPv6:2001:db8:::1]",
    "bob@[x400:foo]",
    "bob@[]",
    "x" * 65 + "@example.com",
    "bob@" + "a" * 64 + ".example",
    "bob@" + ".".join(["a" * 50] * 6),
    "bob@example.com\x00",
    "bo\x00b@example.com",
    '"bo\x07b"@example.com',
    "bob@example.com\n",
]


class AddressTests(SynchronousTestCase):
    """Mailboxes, RFC 5321 §4.1.2."""

    def test_good(self) -> None:
        """What the grammar allows is read, without its quotes."""
        for text, address in GOOD.items():
            self.assertEqual(address, parse_mailbox(text), text)

    def test_bad(self) -> None:
        """What it does not allow is refused with a sentence."""
        for text in BAD:
            with self.assertRaises(Malformed, msg=text) as caught:
                parse_mailbox(text)
            self.assertEqual(501, caught.exception.reply.code)
            self.assertTrue(str(caught.exception))

    def test_sentences(self) -> None:
        """Each mistake has a sentence of its own."""
        sentences = set()
        for text in ("bob", "@x.example", "b..b@x.example", "b b@x.example",
                     '"a@x.example', "bob@", "bob@a..b", "bob@-a.b", "bob@a_b.c",
                     "bob@1.2.3.4", "bob@[1.2.3]", "bob@[1.2.3.4",
                     "x" * 65 + "@x.example", "bob@" + "a" * 64 + ".b",
                     "b@" + "a." * 130 + "b"):  # fmt: skip
            with self.assertRaises(Malformed) as caught:
                parse_mailbox(text)
            sentences.add(str(caught.exception))
        self.assertEqual(15, len(sentences))

    def test_path(self) -> None:
        """The null path, postmaster, and source routes, which are ignored."""
        bob = Address("bob", "example.com")
        self.assertIsNone(parse_path(""))
        self.assertEqual(Address("PostMaster", ""), parse_path("PostMaster"))
        self.assertEqual(bob, parse_path("@a.example:bob@example.com"))
        self.assertEqual(bob, parse_path("@a.example,@b.example:bob@example.com"))
        for text in ("@a.example", "@a.example,b@example.com", "@a..b:bob@example.com",
                     "@:bob@example.com", "@a.example,:bob@example.com",
                     "@a.example;bob@example.com", "bob", "postmaster@"):  # fmt: skip
            self.assertRaises(Malformed, parse_path, text)

    def test_path_length(self) -> None:
        """A path has 256 octets with its brackets (RFC 5321 §4.5.3.1.3)."""
        label = "a" * 50
        longest = "b" * 50 + "@" + ".".join([label] * 3 + ["c" * 50])
        self.assertEqual(254, len(longest))
        self.assertEqual(longest, str(parse_path(longest)))
        self.assertRaises(Malformed, parse_path, "b" + longest)

    def test_internationalized(self) -> None:
        """UTF-8 only where it was asked for; the domain becomes A-labels."""
        for text in ("bücher@example.com", "bob@bücher.example"):
            with self.assertRaises(Malformed) as caught:
                parse_mailbox(text)
            self.assertEqual((553, "5.6.7"), _code(caught.exception))
        self.assertEqual(
            Address("bücher", "xn--bcher-kva.example"),
            parse_mailbox("bücher@BÜCHER.example", utf8=True),
        )
        # The same letters, decomposed.
        self.assertEqual(
            "xn--bcher-kva.example", parse_domain("bu\u0308cher.example", True)
        )
        for text in ("b\u0085b@example.com", "bob@\u202e.example", "bob@a\u3002b",
                     "é" * 33 + "@example.com", "bob@" + "é" * 200 + ".example",
                     "bob@xn--a-é.example", "bob@é_x.example"):  # fmt: skip
            self.assertRaises(Malformed, parse_mailbox, text, True)

    @settings(deadline=None)
    @given(st.text(max_size=80), st.booleans())
    def test_anything(self, text: str, utf8: bool) -> None:
        """Whatever is written is an address or Malformed, never an exception."""
        for parse in (parse_path, parse_mailbox, parse_domain):
            try:
                parse(text, utf8)
            except Malformed as problem:
                self.assertLess(len(problem.reply.octets), 512)

    @settings(deadline=None)
    @given(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
        st.sampled_from(["example.com", "[192.0.2.1]", "[IPv6:2001:db8::1]"]),
    )
    def test_round_trip(self, local: str, domain: str) -> None:
        """What is shown reads back as the same mailbox."""
        address = Address(local, domain)
        self.assertEqual(address, parse_mailbox(str(address)))
        self.assertEqual(address, reread(str(address)))


def _code(problem: Malformed) -> tuple[int, str]:
    return problem.reply.code, problem.reply.status
