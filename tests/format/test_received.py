"""The trace fields (R32, R60)."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.header import read_header
from smfd.format.received import date, delivered, plain, protocol, received, spam_status


class ReceivedTests(SynchronousTestCase):
    """Received, RFC 5321 §4.4."""

    def test_shape(self) -> None:
        """From whom, by whom, with what, for whom, when."""
        field = received(
            helo="mail.sender.test",
            client="192.0.2.1",
            by="mx.example.test",
            word="ESMTPS",
            id="01abc",
            at=0.0,
            tls="TLSv1.3 with cipher X",
            recipient="bob@example.test",
        )
        self.assertEqual(
            b"Received: from mail.sender.test ([192.0.2.1])\r\n"
            b"\t(using TLSv1.3 with cipher X)\r\n"
            b"\tby mx.example.test with ESMTPS id 01abc\r\n"
            b"\tfor <bob@example.test>;\r\n"
            b"\tThu, 01 Jan 1970 00:00:00 +0000\r\n",
            field,
        )

    @given(st.text(max_size=600))
    def test_nothing_gets_in(self, helo: str) -> None:
        """Whatever a client calls itself, it stays one field on its lines."""
        field = received(
            helo=helo, client="2001:db8::1", by="mx", word="SMTP", id="1", at=0.0
        )
        header = read_header(field + b"\r\n")
        self.assertEqual(["Received"], [f.name for f in header.fields])
        self.assertEqual((), header.all("x-evil"))
        self.assertEqual(3, field.count(b"\r\n"))
        self.assertLessEqual(max(map(len, field.split(b"\r\n"))), 998)
        self.assertNotIn("(", plain(helo))

    def test_words(self) -> None:
        """The word after "with", RFC 3848 and RFC 6531."""
        for expected, extended, tls, utf8, login in (
            ("SMTP", False, "", False, False),
            ("ESMTP", True, "", False, False),
            ("ESMTPSA", True, "x", False, True),
            ("UTF8SMTPS", True, "x", True, False),
        ):
            word = protocol(
                extended=extended, tls=bool(tls), utf8=utf8, authenticated=login
            )
            self.assertEqual(expected, word)

    def test_date(self) -> None:
        """A date that every reader understands."""
        self.assertEqual("Sat, 21 Nov 2026 12:00:00 +0000", date(1795262400))


class DeliveredTests(SynchronousTestCase):
    """Whose copy it is, and who sent it, RFC 5321 §4.4."""

    def test_lines(self) -> None:
        """The null path keeps its brackets; letters of any language stay."""
        self.assertEqual(
            "Return-Path: <>\r\nDelivered-To: jürgen@a.test\r\n".encode(),
            delivered("", "jürgen@a.test"),
        )

    @given(st.text(), st.text())
    def test_two_lines(self, sender: str, recipient: str) -> None:
        """No address makes a third line of two."""
        lines = delivered(sender, recipient).decode().splitlines()
        self.assertEqual(2, len(lines))


class SpamStatusTests(SynchronousTestCase):
    """What programs sort by; no rule's name (C12)."""

    def test_clean_and_spam(self) -> None:
        """A score where one counted."""
        self.assertEqual(
            b"X-Spam-Status: No, allowed id=1\r\n",
            spam_status(
                spam=False, category="allowed", score=None, threshold=None, id="1"
            ),
        )
        self.assertEqual(
            b"X-Spam-Flag: YES\r\n"
            b"X-Spam-Status: Yes, spam score=7.5 required=5 id=1\r\n",
            spam_status(spam=True, category="spam", score=7.5, threshold=5.0, id="1"),
        )
