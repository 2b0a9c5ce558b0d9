"""Tests of smfd.proto.command and smfd.proto.xtext."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.address import Address
from smfd.proto.command import (
    Bdat,
    Hello,
    Mail,
    Rcpt,
    parse_bdat,
    parse_hello,
    parse_mail,
    parse_rcpt,
    split,
)
from smfd.proto.reply import Malformed, Reply
from smfd.proto.xtext import check_envid, check_orcpt, decode, encode, orcpt, original

ALICE = Address("alice", "example.org")


class CommandTests(SynchronousTestCase):
    """A line, and what it says."""

    def test_split(self) -> None:
        """The verb in any case, white space at the end, and controls."""
        self.assertEqual(("NOOP", ""), split(b"noop"))
        self.assertEqual(("DATA", ""), split(b"DATA \t "))
        self.assertEqual(("MAIL", "FROM:<>"), split(b"mAiL  FROM:<>"))
        for line in (b"NO\tOP x", b"\x00", b"NOOP \x7f", b"NOOP \xc2\x85", b"\xff",
                     "NOOP é".encode()):  # fmt: skip
            self.assertIsInstance(split(line), Reply)
        self.assertEqual(("RCPT", "TO:<é>"), split("RCPT TO:<é>".encode()))

    def test_hello(self) -> None:
        """Names and literals; nothing that looks like something else."""
        for name in ("client.example", "[192.0.2.1]", "[IPv6:::1]", "my_pc", "a"):
            self.assertEqual(Hello(name, True), parse_hello(name, True))
        for name in ("", "a b", "(x)", "a<b", 'a"b', "[1.2]", "é", "x" * 256, "a;b"):
            self.assertRaises(Malformed, parse_hello, name, True)

    def test_mail(self) -> None:
        """All parameters of MAIL are kept."""
        self.assertEqual(Mail(None), parse_mail("FROM:<>"))
        self.assertEqual(
            Mail(ALICE, 42, "8BITMIME", True, "HDRS", "q+2B1"),
            parse_mail(
                "from:<alice@example.org> size=42 body=8bitmime SMTPUTF8 "
                "RET=hdrs ENVID=q+2B1"
            ),
        )

    def test_rcpt(self) -> None:
        """All parameters of RCPT are kept."""
        self.assertEqual(
            Rcpt(ALICE, ("SUCCESS", "FAILURE"), "rfc822;a+40b"),
            parse_rcpt(
                "TO:<alice@example.org> notify=success,failure ORCPT=rfc822;a+40b"
            ),
        )
        self.assertEqual(
            ("NEVER",), parse_rcpt("TO:<alice@example.org> NOTIFY=never").notify
        )

    def test_bdat(self) -> None:
        """Octets, and LAST."""
        self.assertEqual(Bdat(0, True), parse_bdat("0 last"))
        self.assertEqual(Bdat(5, False), parse_bdat("5"))
        for text in (
            "",
            "x",
            "-1",
            "5 FIRST",
            "5 LAST x",
            "0x5",
            "5LAST",
            "9" * 21,
            "٣",
        ):
            self.assertRaises(Malformed, parse_bdat, text)

    def test_xtext(self) -> None:
        """Escapes are upper case hexadecimal and hide nothing."""
        self.assertEqual("a+b=c", decode("a+2Bb+3Dc"))
        for text in ("", "+2b", "+2", "a=b", "a b", "+0A", "+C3+BC"):
            self.assertRaises(Malformed, decode, text)

    @given(st.text(max_size=60))
    def test_written(self, text: str) -> None:
        """What is written here is well formed, and the same when it is read."""
        plain = "".join(c for c in text if " " <= c <= "~") or "x"
        self.assertEqual(plain, decode(encode(plain)))
        whole = "".join(c for c in text if c.isprintable()) or "x"
        spelled = orcpt(whole)
        self.assertTrue(spelled.isascii())
        if len(spelled) <= 500:
            self.assertEqual(spelled, check_orcpt(spelled))
        self.assertEqual(whole, original(spelled)[1])

    @given(st.text(max_size=60))
    def test_shown(self, text: str) -> None:
        """Whatever stands in ORCPT, it can be shown."""
        for prefix in ("", "rfc822;", "utf-8;", "utf-8;\\x{D800}\\x{FFFFFF}"):
            original(prefix + text)[1].encode("utf-8", "replace")
        self.assertEqual(("utf-8", "\ufffd"), original("UTF-8;\\x{DFFF}"))

    def test_orcpt(self) -> None:
        """Type and address; UTF-8 where it was asked for (RFC 6533 §3)."""
        self.assertEqual("utf-8;\\x{FC}b@x", check_orcpt("utf-8;\\x{FC}b@x"))
        self.assertEqual("utf-8;üb@x", check_orcpt("utf-8;üb@x", True))
        for text in (None, "", "rfc822", ";x", "r c;x", "rfc822;", "utf-8;üb@x",
                     "rfc822;ü", "rfc822;" + "x" * 500):  # fmt: skip
            self.assertRaises(Malformed, check_orcpt, text)
        self.assertRaises(Malformed, check_envid, "x" * 101)
        self.assertEqual("x" * 100, check_envid("x" * 100))

    @settings(deadline=None)
    @given(st.text(max_size=100), st.booleans())
    def test_anything(self, text: str, flag: bool) -> None:
        """Whatever stands behind a verb is understood or Malformed."""
        for prefix in ("", "FROM:<a@b.example> ", "TO:<a@b.example> "):
            for parse in (parse_mail, parse_rcpt, parse_hello):
                try:
                    parse(prefix + text, flag)
                except Malformed as problem:
                    self.assertIn(problem.reply.code, {501, 553, 555})

    @settings(deadline=None)
    @given(st.binary(max_size=100))
    def test_any_line(self, line: bytes) -> None:
        """Whatever the octets of a line, they are cut or answered."""
        parts = split(line)
        if isinstance(parts, tuple):
            self.assertNotIn("\n", "".join(parts))
            self.assertNotIn("\0", "".join(parts))
