"""Tests of smfd.proto.reply."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.reply import Reply, reply, with_id


class ReplyTests(SynchronousTestCase):
    """What goes to the client."""

    def test_one_line(self) -> None:
        """Code, enhanced code, text."""
        self.assertEqual(b"250 2.0.0 OK\r\n", reply(250, "2.0.0", "OK").octets)

    def test_many_lines(self) -> None:
        """All lines but the last have a hyphen after the code."""
        self.assertEqual(
            b"250-mx.test\r\n250-SIZE 5\r\n250 HELP\r\n",
            reply(250, "", "mx.test", "SIZE 5", "HELP").octets,
        )

    def test_no_line(self) -> None:
        """A reply without text is still a reply."""
        self.assertEqual(b"250 2.0.0 \r\n", reply(250, "2.0.0").octets)

    @settings(deadline=None)
    @given(st.lists(st.text(), max_size=4))
    def test_one_reply_whatever_the_text(self, lines: list[str]) -> None:
        """
        No text, wherever it comes from, adds a line or an 8-bit octet, and no
        line is over 512 octets (RFC 5321 §4.5.3.1.5).
        """
        octets = Reply(550, "5.7.1", tuple(lines)).octets
        sent = octets.split(b"\r\n")
        self.assertEqual(b"", sent.pop())
        self.assertEqual(max(1, len(lines)), len(sent))
        for line in sent:
            self.assertTrue(line.decode("ascii").isprintable())
            self.assertLessEqual(len(line), 510)
        self.assertTrue(sent[-1].startswith(b"550 "))

    @settings(deadline=None)
    @given(st.text(max_size=800))
    @example("x" * 800)
    @example("\xfc" * 200)
    def test_named(self, text: str) -> None:
        """The id of the record is at its end, however long the reason is."""
        octets = reply(550, "5.7.1", with_id(text, "06h05ksc4gz6sf7j")).octets
        self.assertTrue(octets.endswith(b" id=06h05ksc4gz6sf7j\r\n"))
        self.assertLessEqual(len(octets), 512)

    def test_other_letters(self) -> None:
        """Addresses that look alike are told apart, and no line is broken."""
        text = "j\xfcrgen is not ju\u0308rgen\r\n\u2028\x7f"
        self.assertEqual(
            rb"550 5.7.1 j\x{FC}rgen is not ju\x{308}rgen????" + b"\r\n",
            reply(550, "5.7.1", text).octets,
        )

    def test_long_text(self) -> None:
        """A line too long is cut."""
        self.assertLess(len(reply(550, "5.7.1", "x" * 5000).octets), 512)
