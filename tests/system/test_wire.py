"""What an adversary says to the front door, over real sockets."""

import atexit
import contextlib
import ssl
from functools import cache

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import House
from tests.system.talk import Talk

OFFLINE = "[dns]\noffline = true\n"

HEAD = b"From: Alice <alice@sender.test>\r\nSubject: %s\r\n\r\n"


@cache
def running() -> House:
    """A daemon for all tests here; it ends with us."""
    house = House(settings=OFFLINE)
    atexit.register(house.remove)
    house.start()
    return house


class WireTests(SynchronousTestCase):
    """One house, and what is left in it afterwards."""

    def setUp(self) -> None:
        """One daemon for all of them."""
        self.house = running()

    def talk(self, hello: bool = True) -> Talk:
        """A connection, closed after the test."""
        talk = Talk(self.house.port, hello)
        self.addCleanup(talk.socket.close)
        return talk

    def stored(self, mark: bytes) -> list[bytes]:
        """The messages with a mark in them, wherever they lie."""
        return [m for m in self.house.mailbox() + self.house.held() if mark in m]

    def kept(self, mark: bytes, count: int = 1) -> list[bytes]:
        """The same, once there are so many."""
        self.house.until(lambda: len(self.stored(mark)) >= count)
        return self.stored(mark)

    def nothing_left(self) -> None:
        """No file in the spool, no traceback in the log."""
        spool = self.house.home / "spool"
        self.house.until(lambda: not [p for p in spool.rglob("*") if p.is_file()])
        self.assertNotIn("Traceback", self.house.log.read_text(errors="replace"))


#: Octets that some server somewhere took for the end of a message.
LOOK_ALIKES = (
    *(b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r.\n"),
    *(b"\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\r\n.\r\r\n", b"\n\r\n.\n"),
    *(b"\r\n.\r\r\n", b"\r\n.\r\n\n"[:-2] + b"\r", b"\n\n.\n\n", b"\r\n\r.\r\n"),
    *(b"\r\n\n.\r\n", b"\r\n.\x1a\r\n", b"\x1a\r\n", b"\r\n. \r\n", b"\r\n .\r\n"),
    *(b"\r\n..\r\n", b"\r\n.\t\r\n", b"\r\n\xe3\x80\x82\r\n", b"\x85.\x85"),
)


class EndOfDataTests(WireTests):
    """Only CRLF.CRLF ends a message (R40 to R43)."""

    def test_look_alikes(self) -> None:
        """No other octets end it, however they are cut: one message, one reply."""
        count = 0
        for number, octets in enumerate(LOOK_ALIKES):
            for way in ("whole", "split", "pipelined"):
                mark = b"smuggled-%d-%s" % (number, way.encode())
                head = HEAD % mark
                inner = (
                    b"MAIL FROM:<evil@sender.test>\r\nRCPT TO:<user@example.test>\r\n"
                    b"DATA\r\nSubject: second\r\n\r\nevil\r\n.\r\n"
                )
                body = head + b"text" + octets + inner
                talk = self.talk()
                talk.envelope()
                if way == "pipelined":
                    talk.send(b"DATA\r\n" + body + b"QUIT\r\n")
                    talk.reply()
                else:
                    talk.ask(b"DATA")
                    cut = len(head) + 4 + len(octets) // 2
                    end = cut + len(octets)
                    pieces = (body[:cut], body[cut:end], body[end:])
                    talk.send(*(pieces if way == "split" else (body,)), pause=0.005)
                    talk.send(b"QUIT\r\n")
                codes = [int(said[:3]) for said in talk.replies()]
                odd = b"\0" in octets or octets.replace(b"\r\n", b"").strip(
                    b". \t\x1a\x85\xe3\x80\x82"
                )
                wanted = 550 if odd else 250
                self.assertEqual([wanted, 221], codes, (octets, way))
                self.assertEqual(
                    1 if wanted == 250 else 0, len(self.mine(mark, wanted))
                )
                count += 1
        self.assertGreaterEqual(count, 72)
        self.assertEqual([], self.stored(b"Return-Path: <evil@sender.test>"))
        self.nothing_left()

    def mine(self, mark: bytes, code: int) -> list[bytes]:
        """What was stored of it."""
        return self.kept(mark) if code == 250 else self.stored(mark)

    def test_bare(self) -> None:
        """CR, LF and NUL on their own are refused; nothing of it is stored."""
        places = (b"%sx", b"x%s\r\ny", b"x\r\n%sy", b"x\r\ny%s")
        octets = (b"\r", b"\n", b"\0", b"\r\r\n", b"\n\r", b"\r\0\n")
        for octet in octets:
            for place in places:
                talk = self.talk()
                talk.envelope()
                body = HEAD % b"bare-octets" + place % octet + b"\r\n"
                self.assertEqual(b"550", talk.message(body)[:3], (octet, place))
                self.assertTrue(talk.in_step())
        self.assertEqual([], self.stored(b"bare-octets"))

    def test_long_lines(self) -> None:
        """A line of any length in a message is a line, never commands."""
        for size in (999, 1001, 16_385, 70_000, 300_000):
            mark = b"line-%d" % size
            talk = self.talk()
            talk.envelope()
            talk.ask(b"DATA")
            talk.send(HEAD % mark + b"x" * size)
            talk.send(b"\r\nRSET\r\nMAIL FROM:<evil@sender.test>\r\n")
            talk.send(b"\r\n.\r\nQUIT\r\n")
            self.assertEqual([250, 221], [int(said[:3]) for said in talk.replies()])
            (message,) = self.kept(mark)
            self.assertIn(b"x" * size + b"\r\nRSET\r\nMAIL", message)
        self.nothing_left()

    def test_cut_anywhere(self) -> None:
        """A message is the same message wherever its segments are cut."""
        body = HEAD % b"cut-%02d" + b"..\r\n.\r\nx\r\n\r\n..x\r\n\r\n.\r\n"
        wire = (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
        tail = len(body) - 40
        with self.talk() as talk:
            for cut in range(40):
                talk.envelope()
                talk.ask(b"DATA")
                octets = wire % cut
                talk.send(octets[: tail + cut], octets[tail + cut :], pause=0.005)
                self.assertEqual(b"250", talk.reply()[:3], cut)
        for cut in range(40):
            (message,) = self.kept(b"cut-%02d" % cut)
            self.assertTrue(message.endswith(body % cut), message)

    def test_octet_by_octet(self) -> None:
        """A whole session, each octet a segment of its own."""
        mark = b"drops-of-water"
        session = (
            b"MAIL FROM:<alice@sender.test>\r\nRCPT TO:<user@example.test>\r\nDATA\r\n"
            + (HEAD % mark)
            + b"..x\r\n.\r\nQUIT\r\n"
        )
        with self.talk() as talk:
            octets = (session[at : at + 1] for at in range(len(session)))
            talk.send(*octets, pause=0.002)
            codes = [int(said[:3]) for said in talk.replies()]
        self.assertEqual([250, 250, 354, 250, 221], codes)
        self.assertTrue(self.kept(mark)[0].endswith(b"\r\n\r\n.x\r\n"))


class TLSTests(WireTests):
    """Nothing said in the clear is believed under TLS (R44)."""

    def secure(self, talk: Talk) -> Talk:
        """The handshake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        talk.socket = context.wrap_socket(talk.socket)
        return talk

    def test_injected(self) -> None:
        """Whatever follows STARTTLS in the clear is never carried out."""
        behind = (
            b"EHLO evil.test\r\n",
            b"NOOP\r\n" * 50,
            b"MAIL FROM:<evil@sender.test>\r\nRCPT TO:<user@example.test>\r\n",
            b"RSE",
            b"\r\n",
            b"QUIT\r\n",
            b"STARTTLS\r\n",
            b"x" * 5000,
            b"\x16\x03\x01",
            b"\0",
        )
        for octets in behind:
            for way in (b"STARTTLS\r\n", b"EHLO a.test\r\nSTARTTLS\r\n"):
                talk = self.talk()
                talk.send(way + octets)
                said = talk.replies()
                self.assertLessEqual(len(said), 2)
                self.assertEqual(b"554", said[-1][:3], (octets, way))

    def test_forgotten(self) -> None:
        """Sender and name are forgotten; a second STARTTLS is refused."""
        talk = self.talk()
        self.assertEqual(501, talk.code(b"STARTTLS now"))
        self.assertEqual(220, talk.code(b"STARTTLS"))
        self.secure(talk)
        self.assertEqual(503, talk.code(b"MAIL FROM:<alice@sender.test>"))
        self.assertNotIn(b"STARTTLS", talk.ask(b"EHLO mail.sender.test"))
        self.assertEqual(503, talk.code(b"STARTTLS"))
        self.assertEqual(503, talk.code(b"RCPT TO:<user@example.test>"))
        talk.envelope()
        self.assertEqual(b"250", talk.message(HEAD % b"under-tls")[:3])
        self.assertIn(b" with ESMTPS id ", self.kept(b"under-tls")[0])

    def test_in_a_transaction(self) -> None:
        """Not within a transaction."""
        talk = self.talk()
        talk.envelope()
        self.assertEqual(503, talk.code(b"STARTTLS"))
        self.assertTrue(talk.in_step())

    def test_no_handshake(self) -> None:
        """Plain text where a handshake was due gets no answer at all."""
        talk = self.talk()
        talk.ask(b"STARTTLS")
        talk.send(b"EHLO evil.test\r\n")
        self.assertFalse(any(s.startswith(b"250") for s in talk.replies()))


#: What is wrong, and the code of the answer; after EHLO.
MISTAKES = (
    *((b"", 500), (b" ", 500), (b"XYZZY", 500), (b"EHLO", 501), (b"HELO", 501)),
    *((b"EHLO a b", 501), (b"HELO \x00", 500), (b"EHLO [1.2.3]", 501)),
    *((b"MAIL", 501), (b"MAIL FROM", 501), (b"MAIL FROM:", 501)),
    *((b"MAIL FROM:a@b.test", 501), (b"MAIL FROM:<a@b.test", 501)),
    *((b"MAIL FROM:<a>", 501), (b"MAIL FROM:<@b.test>", 501)),
    *((b"MAIL FROM:<a@>", 501), (b"MAIL FROM:<a@b..test>", 501)),
    *((b"MAIL FROM:<a@-b.test>", 501), (b"MAIL FROM:<a@b_c.test>", 501)),
    *((b"MAIL FROM:<a@[1.2.3.4.5]>", 501), (b"MAIL FROM:<a@[IPv6:::g]>", 501)),
    *((b"MAIL FROM:<a b@c.test>", 501), (b"MAIL FROM:<a@b.test> SIZE=x", 501)),
    *((b"MAIL FROM:<a@b.test> SIZE=99999999999", 552),),
    *((b"MAIL FROM:<a@b.test> SIZE=1 SIZE=1", 501),),
    *((b"MAIL FROM:<a@b.test> BODY=9BIT", 501),),
    *((b"MAIL FROM:<a@b.test> NOSUCH=1", 555), (b"MAIL FROM:<a@b.test>SIZE=1", 501)),
    *((b"MAIL FROM:<\xc3\xa9@b.test>", 553), (b"MAIL FROM:<\xff@b.test>", 500)),
    *((b"MAIL FROM:<a\x01@b.test>", 500), (b"MAIL FROM:<a\0@b.test>", 500)),
    *((b"MAIL FROM:<%s@b.test>" % (b"x" * 65), 501),),
    *((b"MAIL FROM:<a@%s.test>" % (b"x" * 64), 501),),
    *((b"RCPT TO:<user@example.test>", 503), (b"DATA", 503), (b"DATA x", 503)),
    *((b"BDAT x", 501), (b"BDAT 0 LAST", 503), (b"RSET x", 501), (b"QUIT x", 501)),
    *((b"VRFY", 501), (b"EXPN list", 502), (b"TURN", 502), (b"ETRN x", 502)),
    *((b"AUTH PLAIN", 502), (b"STARTTLS x", 501), (b"NOOP \xc3\xa9", 500)),
    *((b"\xff\xfe", 500), (b"NOOP \x0b", 500), (b"NO\0OP", 500), (b"x" * 3000, 500)),
    *((b"mail from:<a@b.test> RET=ALL", 501), (b"MAIL FROM:<> ENVID=+4", 501)),
    *((b"MAIL FROM:<a@b.test> =", 501), (b"MAIL FROM:<a@b.test> SMTPUTF8=1", 501)),
)


class MistakeTests(WireTests):
    """Every mistake has its answer, and the next command its own (R47)."""

    def test_mistakes(self) -> None:
        """Right code, in step, no traceback."""
        self.assertGreaterEqual(len(MISTAKES), 52)
        for line, code in MISTAKES:
            talk = self.talk()
            said = talk.ask(line)
            self.assertEqual(code, int(said[:3] or 0), (line, said))
            self.assertNotIn(b"Traceback", said)
            if not line.startswith(b"BDAT x"):
                self.assertTrue(talk.in_step(), line)
        self.nothing_left()

    def test_recipients(self) -> None:
        """Mistakes in RCPT, after MAIL."""
        lines = {
            b"RCPT TO:<>": 501,
            b"RCPT TO:<user@example.test> NOTIFY=NEVER,SUCCESS": 501,
            b"RCPT TO:<user@example.test> ORCPT=x": 501,
            b"RCPT TO:<user@example.test> SIZE=1": 555,
            b"RCPT TO:<\xc3\xa9@example.test>": 553,
            b"MAIL FROM:<a@b.test>": 503,
            b"RCPT TO:user@example.test": 501,
        }
        with self.talk() as talk:
            talk.code(b"MAIL FROM:<alice@sender.test>")
            for line, code in lines.items():
                self.assertEqual(code, talk.code(line), line)
            self.assertEqual(250, talk.code(b"RCPT TO:<user@example.test>"))

    def test_other_protocols(self) -> None:
        """What speaks HTTP, TLS or SSH is sent away before a command runs (R61)."""
        smuggled = b"\r\nMAIL FROM:<evil@sender.test>\r\nRCPT TO:<user@example.test>"
        for octets in (
            b"GET / HTTP/1.1\r\nHost: x\r\n" + smuggled,
            b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nEHLO x" + smuggled,
            b"CONNECT x:25 HTTP/1.1\r\n" + smuggled,
            b"OPTIONS * HTTP/1.1\r\n" + smuggled,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + smuggled,
            b"SSH-2.0-OpenSSH_9.2\r\n" + smuggled,
            b"Host: x\r\n" + smuggled,
        ):
            talk = self.talk(hello=False)
            talk.send(octets + b"\r\n")
            said = talk.replies()
            self.assertEqual(1, len(said), (octets, said))
            self.assertEqual(b"554", said[0][:3])

    def test_floods(self) -> None:
        """Twenty thousand RSET end in 421, and others are served meanwhile (R51)."""
        talk = self.talk()
        talk.socket.settimeout(5)
        with contextlib.suppress(OSError):
            talk.send(b"RSET\r\n" * 20_000)
        with self.talk() as other:
            other.envelope()
            self.assertEqual(b"250", other.message(HEAD % b"meanwhile")[:3])
        codes = [int(said[:3]) for said in talk.replies()]
        self.assertEqual([250] * 99 + [421], codes[:100])
        self.assertEqual(100, len(codes))

    def test_command_line(self) -> None:
        """A command line has 2,048 octets with its CRLF at most (R48)."""
        with self.talk() as talk:
            self.assertEqual(250, talk.code(b"NOOP " + b"x" * 2041))
            for more in (2042, 20_480):
                self.assertEqual(500, talk.code(b"NOOP " + b"x" * more))
                self.assertTrue(talk.in_step())

    def test_errors(self) -> None:
        """One mistake more than the settings allow, and it is over."""
        with self.talk() as talk:
            codes = talk.all([b"XYZZY"] * 11)
            self.assertEqual([500] * 10 + [421], codes)
            self.assertEqual(b"", talk.reply())
