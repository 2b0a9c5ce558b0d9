"""Clients that leave, hang or drip; workers that die: nothing is left behind."""

import atexit
import contextlib
import os
import select
import signal
import socket
import struct
import time
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import House, id_of
from tests.system.talk import Talk

#: Little patience, where the settings have theirs already.
DOOR = """[mx]
command_timeout = 3.0
data_timeout = 1.5
message_timeout = 4.0
junk = 100000
"""

SETTINGS = """
[scan]
worker_deadline = 2.0
[dns]
offline = true
[[dns.record]]
name = "sender.test"
type = "TXT"
value = "v=spf1 ip4:127.0.0.0/8 -all"
"""

HEAD = (
    b"From: a@sender.test\r\nTo: user@example.test\r\nSubject: %s\r\n"
    b"Message-ID: <1@sender.test>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\n"
)


def started(old: str = "", new: str = "") -> House:
    """A daemon of little patience, something in its settings replaced."""
    house = House(settings=SETTINGS.replace(old, new))
    atexit.register(house.remove)
    text = house.config.read_text().replace("\n[mx]\n", "\n" + DOOR, 1)
    house.config.write_text(text)
    house.start()
    return house


@cache
def running() -> House:
    """One for all tests here."""
    return started()


class Left(SynchronousTestCase):
    """What is looked at afterwards."""

    def spool_is_empty(self, house: House) -> None:
        """No body waits for ever."""
        spool = house.home / "spool"
        house.until(lambda: not [p for p in spool.rglob("*") if p.is_file()])

    def is_sound(self, house: House, mark: bytes) -> None:
        """The next message goes its way, and nothing was a fault of ours."""
        with Talk(house.port) as talk:
            talk.envelope()
            self.assertEqual(b"250", talk.message(HEAD % mark + b"x\r\n")[:3])
        house.until(lambda: [m for m in house.mailbox() if mark in m])
        self.spool_is_empty(house)
        self.assertNotIn("Traceback", house.log.read_text(errors="replace"))


class GoneTests(Left):
    """The client is gone: no message, no file, no fault."""

    def test_everywhere(self) -> None:
        """At every stage, politely and with a reset."""
        house, count = running(), 0
        envelope = b"MAIL FROM:<a@sender.test>\r\nRCPT TO:<user@example.test>\r\n"
        large = HEAD % b"left-behind" + (b"x" * 98 + b"\r\n") * 3000
        stages = (
            b"",
            b"NO",
            b"MAIL FROM:<a@sender.test>\r\n",
            envelope,
            envelope + b"DATA\r\n",
            envelope + b"DATA\r\n" + HEAD % b"left-behind",
            envelope + b"DATA\r\n" + HEAD % b"left-behind" + b"\r\n.",
            envelope + b"DATA\r\n" + large,
            envelope + b"DATA\r\n" + large + b".\r",
            envelope + b"BDAT 0\r\n",
            envelope + b"BDAT 100\r\nabc",
            envelope + b"BDAT 3\r\nabcBDAT",
            envelope + b"BDAT %d\r\n" % len(large) + large,
            envelope + b"BDAT %d LAST\r\n" % len(large) + large[:-1],
            b"STARTTLS\r\n",
            b"STARTTLS\r\n\x16\x03",
        )
        for stage in stages:
            for reset in (False, True):
                talk = Talk(house.port)
                talk.send(stage)
                if reset:
                    time.sleep(0.02)
                    never = struct.pack("ii", 1, 0)
                    talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, never)
                talk.socket.close()
                count += 1
        self.assertEqual(32, count)
        self.is_sound(house, b"after-all-of-them")
        stored = house.mailbox() + house.held()
        self.assertEqual([], [m for m in stored if b"left-behind" in m])
        self.assertEqual([], self.found(house, "left-behind"))

    def found(self, house: House, subject: str) -> list[str]:
        """The verdicts of the messages with a subject."""
        items = house.ctl("trace", "search", "--subject", subject)["items"]
        return [item["verdict"] for item in items]

    def test_after_the_end(self) -> None:
        """Gone before our answer: it is ours and delivered once, or not at all."""
        house = running()
        for number in range(20):
            talk = Talk(house.port)
            talk.envelope()
            talk.ask(b"DATA")
            body = HEAD % b"unheard-%02d" % number
            talk.send(body + (b"x" * 98 + b"\r\n") * (3000 * (number % 2)) + b".\r\n")
            time.sleep(0.002 * number)
            never = struct.pack("ii", 1, 0)
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, never)
            talk.socket.close()
        self.is_sound(house, b"after-the-unheard")
        for number in range(20):
            mark = b"unheard-%02d" % number
            whole = [m for m in house.mailbox() if mark in m]
            self.assertLessEqual(len(whole), 1)

    def test_silent(self) -> None:
        """Silence is borne so long and no longer; a word every second does not help."""
        house = running()
        silent, dripping, idle, shaking = (Talk(house.port) for _ in range(4))
        for talk in (silent, dripping):
            talk.envelope()
            talk.ask(b"DATA")
            talk.send(HEAD % b"too-slow" + (b"x" * 98 + b"\r\n") * 3000)
        shaking.ask(b"STARTTLS")
        begun = time.monotonic()
        while not select.select([dripping.socket], [], [], 0.5)[0]:
            self.assertLess(time.monotonic(), begun + 20)
            dripping.send(b"x\r\n")
        for talk in (silent, dripping, idle):
            self.assertEqual(b"421", talk.reply()[:3])
            talk.socket.close()
        self.assertEqual(b"", shaking.reply())
        self.is_sound(house, b"after-the-silence")
        self.assertEqual([], [m for m in house.mailbox() if b"too-slow" in m])

    def test_never_reads(self) -> None:
        """Who asks without end and hears nothing holds no memory of ours."""
        house = running()
        talk = Talk(house.port)
        talk.socket.settimeout(1)
        before = memory(house.pid)
        # The kernel's buffers fill, and then ours must not.
        with contextlib.suppress(OSError):
            for _ in range(2000):
                talk.send(b"EHLO x\r\n" * 1000)
        self.assertLess(memory(house.pid) - before, 8 << 20)
        talk.socket.close()
        self.is_sound(house, b"after-the-deaf")

    def test_no_line_end(self) -> None:
        """Sixteen megabytes without a line end are no memory either (R49)."""
        house = running()
        before = memory(house.pid)
        with Talk(house.port) as talk:
            talk.send(b"x" * (16 << 20))
            self.assertEqual(b"500", talk.reply()[:3])
            self.assertLess(memory(house.pid) - before, 2 << 20)
            talk.send(b"\r\n")
            self.assertTrue(talk.in_step())
            talk.envelope()
            talk.ask(b"DATA")
            talk.send(HEAD % b"one-line" + b"x" * (16 << 20))
            talk.send(b"\r\n.\r\n")
            self.assertEqual(b"250", talk.reply()[:3])
        self.assertLess(memory(house.pid) - before, 16 << 20)
        self.is_sound(house, b"after-the-line")


def memory(pid: int) -> int:
    """Octets a process has in memory."""
    text = Path(f"/proc/{pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGESIZE")


def children(pid: int) -> list[int]:
    """The processes that one started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def workers(house: House) -> list[int]:
    """The daemon's worker processes."""
    return [worker for master in children(house.pid) for worker in children(master)]


class WorkerTests(Left):
    """A worker dies of a message, or hangs over it (R14)."""

    def stricken(self, house: House, mark: bytes) -> bytes:
        """Send a message that every worker hangs over; the reply to it."""
        self.is_sound(house, b"before-" + mark)
        house.until(lambda: len(workers(house)) == 2)
        for pid in workers(house):
            os.kill(pid, signal.SIGSTOP)
        with Talk(house.port) as talk:
            talk.envelope()
            return talk.message(HEAD % mark + b"x\r\n")

    def test_viruses(self) -> None:
        """Nobody looked for viruses: come again, and the next one passes."""
        house = running()
        said = self.stricken(house, b"deadly-1")
        self.assertEqual(b"451 4.7.1", said[:9], said)
        record = house.ctl("trace", "show", id_of(said.decode()))["record"]
        self.assertEqual("deferred", record["verdict"])
        self.is_sound(house, b"after-the-death")
        self.assertEqual([], [m for m in house.mailbox() if b": deadly-1" in m])

    def test_content(self) -> None:
        """The judgement of content fails as the settings say: unjudged, or again."""
        for setting, code in (("pass", b"250"), ("defer", b"451")):
            house = started(
                "worker_deadline = 2.0",
                'worker_deadline = 2.0\nstages = ["content"]\n'
                f'[scan.on_error]\ncontent = "{setting}"',
            )
            said = self.stricken(house, b"deadly-2")
            self.assertEqual(code, said[:3], said)
            record = house.ctl("trace", "show", id_of(said.decode()))["record"]
            symbols = [finding["symbol"] for finding in record["findings"]]
            self.assertIn("CONTENT_ERROR", symbols)
            self.is_sound(house, b"after-the-blow")
