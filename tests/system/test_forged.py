"""Nobody writes our header lines but us (R57, R59, R60)."""

import atexit
import re
from functools import cache

from twisted.trial.unittest import SynchronousTestCase

from smfd.format.header import read_header
from tests.system.house import House, id_of
from tests.system.talk import Talk

OFFLINE = "[dns]\noffline = true\n"

QUOTED = '"odd one"@example.test'


@cache
def running() -> House:
    """A daemon for all tests here; it ends with us."""
    house = House(("user@example.test",), OFFLINE)
    atexit.register(house.remove)
    house.start()
    return house


FORGED = (
    b"Authentication-Results: mx.example.test; spf=pass",
    b"authentication-results: MX.EXAMPLE.TEST; spf=pass",
    b"Authentication-Results: mx.example.test.; spf=pass",
    b"Authentication-Results:mx.example.test;spf=pass",
    b"Authentication-Results : mx.example.test; spf=pass",
    b"Authentication-Results\t: mx.example.test; spf=pass",
    b'Authentication-Results: "mx.example.test"; spf=pass',
    b'Authentication-Results: "mx.exam\\ple.test"; spf=pass',
    b"Authentication-Results: (hi) mx.example.test; spf=pass",
    b"Authentication-Results: (a (b) \\) c) mx.example.test (d) 1; spf=pass",
    b"Authentication-Results:\r\n mx.example.test;\r\n spf=pass",
    b"Authentication-Results: \r\n\tmx.example.test; spf=pass",
    b"Authentication-Results: mx.example.test/1; spf=pass",
    b"Authentication-Results: ; spf=pass",
    b"Return-Path: <boss@example.test>",
    b"RETURN-PATH: <boss@example.test>",
    b"Return-Path : <boss@example.test>",
    b"X-Spam-Status: No, spf=pass",
    b"X-Spam-Flag: NO, spf=pass",
    b"x-spam-score: -99 spf=pass",
    b"X-Spam-Anything : spf=pass",
    b"X-Virus-Scanned: spf=pass",
    b"X-Virus-Status: Clean, spf=pass",
    b"X-Smfd-Anything: spf=pass",
)


class ForgedTests(SynchronousTestCase):
    """What lies in the mailbox says only what we know."""

    def setUp(self) -> None:
        """One daemon for all of them."""
        self.house = running()

    def sent(self, mark: bytes, header: bytes, *before: bytes) -> bytes:
        """Send a message; what is stored of it."""
        with Talk(self.house.port, hello=not before) as talk:
            codes = talk.all(before)
            self.assertEqual([250] * len(before), codes, before)
            talk.envelope()
            said = talk.message(header + b"Subject: " + mark + b"\r\n\r\nx\r\n")
            self.assertEqual(b"250", said[:3], (header, said))
        return self.stored(mark)

    def stored(self, mark: bytes) -> bytes:
        """The one message with a mark in it."""
        found = self.house.until(
            lambda: [m for m in self.house.mailbox() + self.house.held() if mark in m]
        )
        self.assertEqual(1, len(found))
        return bytes(found[0])

    def test_forged(self) -> None:
        """Every way to write a field of ours is cut out; others stay."""
        for number, field in enumerate(FORGED):
            mark = b"forged-%03d" % number
            keep = b"X-Before: kept\r\n" + field + b"\r\nX-After: kept\r\n"
            message = self.sent(mark, keep)
            self.assertNotIn(b"spf=pass", message, field)
            self.assertNotIn(b"boss@", message, field)
            self.assertIn(b"X-Before: kept\r\nX-After: kept\r\nSubject: ", message)
            first = self.sent(b"first-%03d" % number, field + b"\r\n")
            self.assertNotIn(b"spf=pass", first, field)
            self.assertNotIn(b"boss@", first, field)

    def test_leading_fold(self) -> None:
        """A first line that begins with a space does not continue our field."""
        message = self.sent(b"folded-start", b" ; spf=pass\r\n\tmore\r\n")
        self.assertNotIn(b"spf=pass", message)
        self.assertIn(b"\r\nSubject: folded-start", message)

    def test_others_stay(self) -> None:
        """Results of other servers are none of our business."""
        kept = (
            b"Authentication-Results: other.test; spf=pass\r\n"
            b"Authentication-Results: mx.example.test.other.test; spf=pass\r\n"
            b"X-Spammer: spf=pass\r\nDelivered-To: old@elsewhere.test\r\n"
            b"Received: from a by b; Sat, 21 Nov 2026 12:00:00 +0000\r\n"
        )
        self.assertIn(kept, self.sent(b"others-stay", kept))

    def test_names(self) -> None:
        """What a client calls itself makes no field, no line and no comment."""
        names = (
            *(b"a(b", b"a)b", b"a b", b"a\rX-Evil: 1", b"a\nX-Evil: 1", b"a\x0bb"),
            *(b"a\x1cX-Evil: 1", b"a\x85X-Evil: 1", b"a\xc2\x85X-Evil: 1", b'a"b'),
            *(b"a\\b", b"a;b", b"<script>", b"a\xe2\x80\xa8X-Evil: 1", b"x" * 500),
            *(b"a'b", b"$(id)", b"%s%n", b"{0}", b"[127.0.0.1]", b"a_b", b"-a-"),
        )
        taken = 0
        for number, name in enumerate(names):
            for verb in (b"EHLO ", b"HELO "):
                with Talk(self.house.port, hello=False) as talk:
                    if talk.code(verb + name) != 250:
                        continue
                    talk.envelope()
                    mark = b"name-%03d-%s" % (number, verb.strip())
                    said = talk.message(b"Subject: " + mark + b"\r\n\r\nx\r\n")
                    self.assertEqual(b"250", said[:3])
                taken += 1
                message = self.stored(mark)
                fields = read_header(message).fields
                self.assertNotIn(b"X-Evil", message)
                self.assertEqual(1, sum(f.name == "Received" for f in fields))
                # A held message gets the lines of its recipient with the release.
                self.assertEqual(
                    {"Authentication-Results", "Received", "Subject"},
                    {f.name for f in fields}
                    - {"Return-Path", "Delivered-To", "X-Spam-Status"},
                )
        self.assertGreaterEqual(taken, 4)
        log = (self.house.home / "log" / "mail.log").read_bytes()
        self.assertNotIn(b"\nX-Evil", log)
        for line in log.splitlines():
            self.assertTrue(line.decode().isprintable(), line)

    def test_parameters(self) -> None:
        """Nor do the parameters of MAIL."""
        for parameter in (
            b"ENVID=a+0D+0AX-Evil:+201",
            b"ENVID=" + b"x" * 500,
            b"SIZE=1\x0bX-Evil:1",
            b"RET=FULL\x1cX",
            b"BODY=8BITMIME\x85",
        ):
            with Talk(self.house.port) as talk:
                line = b"MAIL FROM:<alice@sender.test> " + parameter
                if talk.code(line) == 250:
                    talk.code(b"RCPT TO:<user@example.test> ORCPT=rfc822;a+0AX-Evil:1")
                    talk.code(b"RCPT TO:<user@example.test>")
                    talk.message(b"Subject: parameter\r\n\r\nx\r\n")
                    self.assertNotIn(b"X-Evil", self.stored(b"parameter"))

    def test_eight_bit(self) -> None:
        """UTF-8 where it is allowed is kept; where it is not it is refused (R57)."""
        utf8 = "jürgen@müller.test".encode()
        with Talk(self.house.port) as talk:
            self.assertEqual(553, talk.code(b"MAIL FROM:<" + utf8 + b">"))
            self.assertEqual(250, talk.code(b"MAIL FROM:<" + utf8 + b"> SMTPUTF8"))
            self.assertEqual(250, talk.code(b"RCPT TO:<user@example.test>"))
            head = "From: Jürgen <jürgen@müller.test>\r\nSubject: grüße-1\r\n\r\n"
            said = talk.message(head.encode() + b"x\r\n")
            self.assertEqual(b"250", said[:3], said)
        message = self.stored("grüße-1".encode())
        self.assertIn(head.encode(), message)
        path = "Return-Path: <jürgen@xn--mller-kva.test>\r\n"
        self.assertIn(path.encode(), message)
        self.assertIn(b" with UTF8SMTP ", message)
        record = self.house.ctl("trace", "show", id_of(said.decode()))["record"]
        self.assertEqual("grüße-1", record["subject"])
        self.assertEqual("jürgen@xn--mller-kva.test", record["sender"])

    def test_odd_headers(self) -> None:
        """Header octets of every kind are stored as they came, and can be shown."""
        odd = (
            *(
                b"\xff\xfe\xfd",
                b"\x85",
                b"\xed\xa0\x80",
                b"=?utf-8?b?7aCA?=",
                b"\x1b[2J",
            ),
            *(b"=?utf-16?b?2AA=?=", b"=?x?q?=00=0A?=", b"=?utf-7?q?+2AA-?=", b"\x7f"),
            *(
                b"=?utf-8?q?=0D=0AX-Evil:_1?=",
                b"\xe2\x80\xa8X",
                b"x" * 5000,
                b"\x0b\x0c",
            ),
            *(
                b"=?utf-8?q?=F4=90=80=80?=",
                b"=?unicode_escape?q?=5Cud800?=",
                b"\x1c\x1d",
            ),
        )
        for number, octets in enumerate(odd):
            mark = b"odd-%03d" % number
            message = (
                b"From: %s <a@b.test>\r\nSubject: %s %s\r\nMessage-ID: <%s>\r\n\r\n"
            )
            whole = message % (octets, mark, octets, octets)
            with Talk(self.house.port) as talk:
                talk.envelope(sender=b"odd@sender.test")
                said = talk.message(whole)
            self.assertEqual(b"250", said[:3], (octets, said))
            self.assertTrue(self.stored(mark).endswith(whole), octets)
            record = self.house.ctl("trace", "show", id_of(said.decode()))["record"]
            self.assertIn(mark.decode(), record["subject"])
            self.assertIsNone(re.search(r"[\x00-\x1f\x7f]", record["subject"]), octets)
        items = self.house.ctl("trace", "search", "--sender", "odd@sender.test")
        self.assertEqual(len(odd), len(items["items"]))

    def test_no_traceback(self) -> None:
        """Nothing of all this was a fault of ours."""
        self.assertNotIn("Traceback", self.house.log.read_text(errors="replace"))
