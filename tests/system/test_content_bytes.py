"""What was sent is what lies in the mailbox, octet for octet (R32, R57, R58)."""

import atexit
import random
from functools import cache

from twisted.trial.unittest import SynchronousTestCase

from smfd.format.header import read_header
from tests.system.house import House, id_of
from tests.system.talk import Talk

#: Nothing is spam here: all of it must reach the mailbox.
SETTINGS = """
[scan]
stages = ["virus", "lists", "content"]
[content]
threshold = 1000.0
[store]
inline = 65536
"""

#: Small limits, where the settings have theirs already.
DOOR = """[mx]
header_size = 65536
header_fields = 300
message_size = 300000
"""

INLINE = 65_536
USERS = tuple(f"user{n}@example.test" for n in range(20))


@cache
def running() -> House:
    """A daemon for all tests here; it ends with us."""
    house = House(("user@example.test", *USERS), SETTINGS)
    atexit.register(house.remove)
    settings = house.config.read_text().replace("\n[mx]\n", "\n" + DOOR, 1)
    house.config.write_text(settings)
    house.start()
    return house


#: What header writers and readers disagree about.
ODD = (b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85", b"\xe2\x80\xa8", b"\xff")


class BytesTests(SynchronousTestCase):
    """Only our own lines are added, on top."""

    def setUp(self) -> None:
        """One daemon for all of them."""
        self.house = running()

    def header(self, draw: random.Random, number: int) -> bytes:
        """A header nobody would write, but with our mark."""
        lines = [b"X-Mark: bytes-%04d" % number]
        for _ in range(draw.randrange(8)):
            name = draw.choice(
                (b"X-A", b"Subject", b"From", b"To", b"x", b"X A", b"\xe9", b"X\x0bB")
            )
            value = b"".join(
                draw.choice((b"a", b" ", b"x" * 100, b"\r\n ", b"\r\n\t", *ODD))
                for _ in range(draw.randrange(12))
            )
            line = name + draw.choice((b": ", b":", b" :")) + value
            lines.append(draw.choice((line, line, line, b"no colon here", b"From x")))
        return b"\r\n".join(lines) + b"\r\n"

    def body(self, draw: random.Random) -> bytes:
        """Any octets but NUL, CR and LF, in lines of any length."""
        octets = bytes(set(range(1, 256)) - {10, 13})
        lines = []
        for _ in range(draw.randrange(12)):
            line = bytes(draw.choices(octets, k=draw.choice((0, 1, 5, 80, 1000))))
            lines.append(draw.choice((b"", b".", b"..")) + line + b"\r\n")
        return b"".join(lines)

    def test_random(self) -> None:
        """A thousand random messages, by DATA and by BDAT, cut anywhere."""
        draw = random.Random(5)
        sent: dict[bytes, bytes] = {}
        talks = [Talk(self.house.port) for _ in range(10)]
        for number in range(1000):
            message = self.header(draw, number) + b"\r\n" + self.body(draw)
            sent[b"bytes-%04d" % number] = message
            talk = talks[number % 10]
            if number >= 10:
                self.assertEqual(b"250", talk.reply()[:3], number - 10)
            talk.envelope()
            cut = draw.randrange(len(message) + 1)
            if number % 3:
                talk.ask(b"DATA")
                wire = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
                talk.send(wire[:cut], wire[cut:], pause=0.001)
            else:
                talk.send(b"BDAT %d\r\n" % cut + message[:cut])
                talk.reply()
                talk.send(b"BDAT %d LAST\r\n" % (len(message) - cut) + message[cut:])
        for talk in talks:
            self.assertEqual(b"250", talk.reply()[:3])
            talk.socket.close()
        self.house.until(lambda: len(self.files()) >= 1000)
        altered, count = [], 0
        for stored in self.files():
            mark = stored.partition(b"X-Mark: ")[2][:10]
            if mark in sent:
                count += 1
                if not self.same(stored, sent[mark]):
                    altered.append(mark)
        self.assertEqual([], altered)
        self.assertEqual(1000, count)

    def files(self) -> list[bytes]:
        """The messages of this test."""
        return [m for m in self.house.mailbox() if b"X-Mark: bytes-" in m]

    def same(self, stored: bytes, sent: bytes) -> bool:
        """Whether only our lines are above it."""
        top = stored[: len(stored) - len(sent)]
        names = [field.name for field in read_header(top + b"\r\n").fields]
        ours = {"Return-Path", "Delivered-To", "X-Spam-Status", "Received"}
        return stored.endswith(sent) and set(names) - {"Authentication-Results"} == ours

    def deliver(self, message: bytes, mark: bytes) -> bytes:
        """Send it; what lies in the mailbox."""
        with Talk(self.house.port) as talk:
            talk.envelope()
            said = talk.message(message)
        self.assertEqual(b"250", said[:3], said)
        found = self.house.until(lambda: [m for m in self.house.mailbox() if mark in m])
        self.assertEqual(1, len(found))
        return bytes(found[0])

    def test_sizes(self) -> None:
        """Around the size from which bodies are files."""
        for size in (INLINE - 1, INLINE, INLINE + 1, 3 * INLINE):
            head = b"X-Mark: size-%07d\r\n\r\n" % size
            message = head + b"x" * (size - len(head) - 2) + b"\r\n"
            stored = self.deliver(message, head[8:20])
            self.assertTrue(stored.endswith(b"\r\n" + message), size)
        self.clean_spool()

    def clean_spool(self) -> None:
        """No file waits for ever."""
        spool = self.house.home / "spool"
        self.house.until(lambda: not [p for p in spool.rglob("*") if p.is_file()])

    def test_shapes(self) -> None:
        """Header only, body only, nothing: stored as they are, each readable."""
        for mark, message in (
            (b"shape-1", b"Subject: shape-1\r\n"),
            (b"shape-2", b"Subject: shape-2\r\n\r\n"),
            (b"shape-3", b"\r\nshape-3\r\n"),
            (b"shape-4", b"shape-4, this is no header\r\n"),
            (b"shape-5", b" folded: 1\r\nSubject: shape-5\r\n\r\nx\r\n"),
            (b"shape-6", b"\r\n\r\n\r\nshape-6\r\n.\r\n"),
        ):
            stored = self.deliver(message, mark)
            # A fold that continues nothing would continue our own last field.
            kept = message.removeprefix(b" folded: 1\r\n")
            self.assertTrue(stored.endswith(kept), (mark, stored))
            top = stored[: len(stored) - len(kept)]
            self.assertTrue(top.endswith(b"\r\n"), mark)

    def test_no_header(self) -> None:
        """Where there is no header, our lines do not swallow the first of the body."""
        stored = self.deliver(b"plainly: no\r\nshape-7 no colon\r\nx\r\n", b"shape-7")
        self.assertTrue(stored.endswith(b"plainly: no\r\nshape-7 no colon\r\nx\r\n"))

    def test_limits(self) -> None:
        """Header octets, header fields, message octets: n is taken, n+1 is not."""
        field = b"X-Pad: %s\r\n"
        pad = 65_536 - len(b"X-Mark: limit-1\r\n") - len(field % b"") - 2
        for more, code in ((0, 250), (1, 552)):
            header = b"X-Mark: limit-1\r\n" + field % (b"x" * (pad + more)) + b"\r\n"
            self.assertEqual(65_536 + more, len(header))
            self.assertEqual(code, self.answer(header + b"x\r\n"), more)
            fields = b"X: y\r\n" * (300 + more)
            self.assertEqual(code, self.answer(fields + b"\r\nx\r\n"), more)
            message = b"Subject: x\r\n\r\n"
            message += b"x" * (300_000 + more - len(message) - 2) + b"\r\n"
            self.assertEqual(code, self.answer(message), more)
        self.clean_spool()

    def answer(self, message: bytes) -> int:
        """The code of the reply to a message; the connection stays in step."""
        with Talk(self.house.port) as talk:
            talk.envelope()
            code = int(talk.message(message)[:3])
            self.assertTrue(talk.in_step())
            return code

    def test_recipients(self) -> None:
        """A thousand recipients are taken, one more is put off; each gets it once."""
        with Talk(self.house.port) as talk:
            talk.code(b"MAIL FROM:<alice@sender.test>")
            lines = [b"RCPT TO:<%s>\r\n" % USERS[n % 20].encode() for n in range(1001)]
            talk.send(b"".join(lines))
            codes = [int(talk.reply()[:3]) for _ in lines]
            self.assertEqual([250] * 1000 + [452], codes)
            said = talk.message(b"X-Mark: to-many\r\n\r\nx\r\n")
            self.assertEqual(b"250", said[:3], said)
        for user in USERS:
            self.house.until(lambda user=user: self.house.mailbox(user))
            found = [m for m in self.house.mailbox(user) if b"to-many" in m]
            self.assertEqual(1, len(found), user)
            # Nobody learns who else got it.
            others = [u for u in USERS if u != user and u.encode() in found[0]]
            self.assertEqual([], others)
        shown = self.house.ctl("trace", "show", id_of(said.decode()))
        self.assertEqual(20, len(shown["recipients"]))

    def test_no_traceback(self) -> None:
        """Nothing of all this was a fault of ours."""
        self.assertNotIn("Traceback", self.house.log.read_text(errors="replace"))
