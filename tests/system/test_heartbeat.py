"""The reactor's heart beats on, whatever comes (R29)."""

import contextlib
import socket
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from smfd.ctl.client import Client
from tests.system.house import PATIENCE, House
from tests.system.talk import Talk
from tests.system.test_harvest import BEGIN, guesses
from tests.system.test_road import OFFLINE, plain

#: The worst stall, milliseconds.
WORST = 250.0

#: Other processes stall us too: what is ours to blame comes back each time.
TRIES = 3

NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
    for n in range(3000)
)
FIELDS = {
    "comments": b"From: " + b"(" * 60_000 + b" a@b.example\r\n",
    "quotes": b'From: "' + b"\\\\" * 60_000 + b"\r\n",
    "addresses": b"To: " + b"a@b.example,\r\n " * 12_000 + b"c@d.example\r\n",
    "words": b"Subject: " + b"=?utf-8?q?=C3=A9?=\r\n " * 8_000 + b"x\r\n",
    "parameters": b"Content-Type: a/b" + b";\r\n x*0*=''%41" * 12_000 + b"\r\n",
    "results": b"Authentication-Results: " + b"(x" * 60_000 + b"\r\n",
    "fields": b"X-A: b\r\n" * 25_000,
    "received": b"Received: from x by y\r\n" * 90,
    "nested": NESTED,
}


class HeartbeatTests(SynchronousTestCase):
    """Every stage is on, and all that is hostile comes at once."""

    def setUp(self) -> None:
        """A house."""
        self.house = House(settings=OFFLINE)
        self.addCleanup(self.house.remove)
        self.house.start()
        self.house.send(plain(b"first"))

    def beats(self, *hostile: Callable[[], None]) -> None:
        """Through all of them, without a stall."""
        client = Client(self.house.config)
        found = []
        for _ in range(TRIES):
            client.post("/v1/pulse", {})
            for one in hostile:
                one()
            found.append(client.post("/v1/pulse", {})["worst_ms"])
            if found[-1] <= WORST:
                return
        self.fail(f"it stalled for {found} ms")

    def shapes(self) -> None:
        """Headers and parts that are made to cost time."""
        talks = []
        for field in FIELDS.values():
            talk = Talk(self.house.port)
            self.addCleanup(talk.socket.close)
            talk.envelope()
            self.assertEqual(354, talk.code(b"DATA"))
            talk.send(field + b"X-End: 1\r\n\r\nbody\r\n.\r\n")
            talks.append(talk)
        for name, talk in zip(FIELDS, talks, strict=True):
            self.assertIn(
                talk.reply()[:3], (b"250", b"451", b"550", b"552", b"554"), name
            )

    def bodies(self) -> None:
        """Dots, and lines that never end."""
        with Talk(self.house.port) as talk, Talk(self.house.port) as endless:
            talk.envelope()
            endless.send(b"x" * 8_000_000)
            said = talk.message(b"Subject: dots\r\n\r\n" + b".\r\n" * 1_500_000)
            self.assertIn(said[:3], (b"250", b"451"))

    def commands(self) -> None:
        """Commands that nobody listens to, guesses, and other protocols."""
        flood = socket.create_connection(("127.0.0.1", self.house.port), PATIENCE)
        self.addCleanup(flood.close)
        flood.setblocking(False)
        with contextlib.suppress(OSError):
            flood.send(b"EHLO c.example\r\n" + b"RSET\r\n" * 20_000)
        with Talk(self.house.port, hello=False) as talk:
            talk.send(BEGIN + guesses(0, 1000))
            talk.replies()
        for octets in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0", b"\0" * 5000):
            for _ in range(50):
                with Talk(self.house.port, hello=False) as other:
                    other.send(octets)

    def crowd(self) -> None:
        """Five hundred at once."""
        crowd = [
            socket.create_connection(("127.0.0.1", self.house.port), PATIENCE)
            for _ in range(500)
        ]
        for one in crowd:
            one.sendall(BEGIN)
        for one in crowd:
            one.close()

    def test_shapes(self) -> None:
        """Messages that are hard to read are read elsewhere, or in little time."""
        self.beats(self.shapes)

    def test_bodies(self) -> None:
        """Large ones are taken in small bites."""
        self.beats(self.bodies)

    def test_commands(self) -> None:
        """Floods of commands have their turn like everybody."""
        self.beats(self.commands)

    def test_crowd(self) -> None:
        """Nobody is greeted at the cost of the others."""
        self.beats(self.crowd)
