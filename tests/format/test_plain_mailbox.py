"""Tests for L{smfd.format.plain_mailbox} and L{smfd.format.display_name}."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.display_name import Ambiguous, readings
from smfd.format.mailbox import author
from smfd.format.plain_mailbox import plain_mailbox

#: Octets that mean something in an address field, and some that do not.
OCTETS = st.lists(
    st.sampled_from(
        [bytes([c]) for c in b'<>@,;:()"\\. \taA=?_\xc3\xa9\0'] + [b"\r\n "]
    )
).map(b"".join)


class MailboxTests(SynchronousTestCase):
    """A field that all read alike."""

    def test_address(self) -> None:
        """The local part is as written, the domain as it is known to all."""
        for value, address in (
            (b" Ann <A.b+c@B.Example>", "A.b+c@b.example"),
            (b"a@b", "a@b"),
            (b"\r\n\ta@b.example (x) (y)\t", "a@b.example"),
            (' "A, B" <\u00f6@b\u00fccher.example>', "\u00f6@xn--bcher-kva.example"),
        ):
            value = value.encode() if isinstance(value, str) else value
            self.assertEqual(address, plain_mailbox(value))

    def test_domain(self) -> None:
        """Domains that only some readers take are nobody's."""
        for domain in (
            "-a.b",
            "a-.b",
            "a..b",
            "B\u00fccher.b",
            "\u0441\u0430.",
            "a.b.",
        ):
            self.assertRaises(Ambiguous, plain_mailbox, f"x@{domain}".encode())

    @given(OCTETS)
    def test_narrower(self, value: bytes) -> None:
        """Nothing is read otherwise than what comes from elsewhere."""
        try:
            address = plain_mailbox(value)
        except Ambiguous:
            return
        self.assertEqual(author([value]) or address, address)

    @given(st.binary(max_size=200))
    def test_octets(self, value: bytes) -> None:
        """No octets raise anything else."""
        with contextlib.suppress(Ambiguous):
            plain_mailbox(value)

    def test_long(self) -> None:
        """A line and a field have so many octets and no more."""
        mailbox = b" <a@b.example>"
        two_lines = (b"x" * 680 + b"\r\n ") * 2
        for before, size in (b"", 998), (two_lines, 2048):
            value = before + b"x" * (size - len(before + mailbox)) + mailbox
            self.assertEqual(size, len(value))
            self.assertEqual("a@b.example", plain_mailbox(value))
            self.assertRaises(Ambiguous, plain_mailbox, b"x" + value)

    def test_linear(self) -> None:
        """A long hostile field is refused like a short one."""
        for piece in (
            b'"',
            b"(",
            b"(a",
            b"<",
            b"a@",
            b"=?",
            b"=?a?q?",
            b"\\",
            b"\r\n ",
        ):
            self.assertRaises(Ambiguous, plain_mailbox, piece * (2000 // len(piece)))


class NameTests(SynchronousTestCase):
    """What a display name may be read as."""

    def test_readings(self) -> None:
        """As written, word by word, and words joined; spaces between them gone."""
        for phrase, found in (
            ("Ann", ("Ann",)),
            ("=?utf-8?q?A=C3=A9?= x", ("A\u00e9 x",)),
            ("=?utf-8?q?a_b?= =?utf-8?b?Yw==?=", ("a bc",)),
            ("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", ("\u00e9", "\u00c3\u00a9")),
            ("=?utf-8?q?a?=x=?utf-8?q?b?=", ("axb",)),
            ("=?utf-8?q?a?= =?latin1?q?=E9?=", ("a\u00e9",)),
            (" =?utf-8?q?a?=", (" a",)),
            ("=?latin1?q?=E9?= =?utf-8?q?=C3=A9?=", ("\u00e9\u00e9",)),
            ("x =?latin1*fr?Q?=E9?= =?utf-8?b??=y", ("x \u00e9y",)),
        ):
            said = readings(phrase)
            self.assertEqual(phrase, said[0])
            self.assertEqual(found, said[1:] or said)

    def test_ambiguous(self) -> None:
        """What some decode and some do not, or each in his own way."""
        for phrase in (
            *(
                "=?",
                "=?utf-8?q?a",
                "=?utf-8?q?a b?=",
                "=?utf-8?z?a?=",
                "=?utf-8?q?=4?=",
            ),
            *("=?utf-8?b?YQ?=", "=?utf-8?b?Y Q==?=", "=?utf-7?q?a?=", "=?x?q?a?="),
            *(
                "=?utf-8?q?=0D?=",
                "=?utf-8?q?=29=28?=",
                "=?utf-8?q?=28=29=28?=",
                "=?utf-8?q?a=2C?=",
                "a\0",
            ),
        ):
            self.assertRaises(Ambiguous, readings, phrase)
