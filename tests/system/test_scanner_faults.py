"""A scanner in trouble: the sender comes again, and nothing passes (R20)."""

import atexit
import contextlib
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.content.specimen import test_virus as eicar
from tests.system.house import House, id_of
from tests.system.talk import Talk

Say = Callable[[socket.socket], None]

HEAD = b"From: a@sender.test\r\nSubject: %s\r\n\r\n"


class FakeClamd:
    """
    Listens where a clamd would, and does with a connection what it is told.

    It answers the test virus as it should, until a test says otherwise.

    @ivar fault: what to do once the stream has come.
    @ivar moment: when: "connect" before anything is read, "middle" after some
        of the stream, "end" after all of it.
    @ivar pause: seconds before a sound answer.
    @ivar most: the most that were in that pause at once.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="clamd"))
        self.path = self.folder / "clamd.ctl"
        self.fault: Say | None = None
        self.moment = "end"
        self.pause = 0.0
        self.most = self._pausing = 0
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Listen."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(50)
        threading.Thread(
            target=self._accept, args=(self._listener,), daemon=True
        ).start()

    def shut(self) -> None:
        """Refuse connections; the socket stays in the folder."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def gone(self) -> None:
        """Not even a socket."""
        self.shut()
        self.path.unlink(missing_ok=True)

    def remove(self) -> None:
        """End."""
        self.gone()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self._serve, args=(connection,), daemon=True
            ).start()

    def _wait(self) -> None:
        with self._lock:
            self._pausing += 1
            self.most = max(self.most, self._pausing)
        time.sleep(self.pause)
        with self._lock:
            self._pausing -= 1

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            fault, moment = self.fault, self.moment
            if fault is not None and moment == "connect":
                fault(connection)
                return
            stream = connection.makefile("rb")
            stream.readline()
            whole = b""
            while size := struct.unpack(">I", stream.read(4) or bytes(4))[0]:
                if fault is not None and moment == "middle":
                    stream.read(size // 2)
                    fault(connection)
                    return
                whole += stream.read(size)
            if fault is not None:
                fault(connection)
                return
            self._wait()
            if eicar() in whole:
                connection.sendall(b"stream: Eicar FOUND\n")
            else:
                connection.sendall(b"stream: OK\n")


def saying(octets: bytes) -> Say:
    """Say something and close."""
    return lambda connection: connection.sendall(octets)


def silent(connection: socket.socket) -> None:
    """Keep the connection, say nothing."""
    time.sleep(4)


def slow(connection: socket.socket) -> None:
    """An octet now and then."""
    for octet in b"stream: OK\n":
        connection.sendall(bytes((octet,)))
        time.sleep(0.4)


def reset(connection: socket.socket) -> None:
    """Not a polite end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


FAULTS: dict[str, Say] = {
    "closes": lambda connection: None,
    "resets": reset,
    "silent": silent,
    "slow": slow,
    "garbage": saying(b"\xff\x00garbage\xfe" * 20),
    "an error": saying(b"INSTREAM size limit exceeded. ERROR\n"),
    "cannot write": saying(b"Can't create temporary directory ERROR\n"),
    "an empty line": saying(b"\n"),
    "half an answer": saying(b"stream: O"),
    "no line end": saying(b"stream: OK"),
    "for another stream": saying(b"1: stream: OK\n"),
    "another word": saying(b"stream: PROBABLY OK\n"),
    "two answers": saying(b"stream: stream: OK\nstream: OK\n"),
    "nameless": saying(b"stream:  FOUND\n"),
    "reloading": saying(b"RELOADING\n"),
    "endless": saying(b"x" * 1_000_000),
}

SETTINGS = """
[virus]
engine = "clamd"
clamd = ["unix:%s"]
deadline = 1.5
[dns]
offline = true
"""


@cache
def running() -> tuple[House, FakeClamd]:
    """A daemon and its scanner, for all tests here."""
    clamd = FakeClamd()
    clamd.open()
    house = House(settings=SETTINGS % clamd.path)
    atexit.register(clamd.remove)
    atexit.register(house.remove)
    house.start()
    return house, clamd


class FaultTests(SynchronousTestCase):
    """451 for every fault: never 250, never 5yz, and nothing left behind."""

    def setUp(self) -> None:
        """One daemon and one scanner for all of them, both sound."""
        self.house, self.clamd = running()
        self.last = ""
        self.clamd.fault = None
        with Talk(self.house.port) as talk:
            talk.envelope()
            self.assertEqual(b"250", talk.message(HEAD % b"sound" + b"x\r\n")[:3])

    def clean_spool(self) -> None:
        """No file waits for ever."""
        spool = self.house.home / "spool"
        self.house.until(lambda: not [p for p in spool.rglob("*") if p.is_file()])

    def deferred(self, *names: str) -> None:
        """A small and a large message for each fault, all at once."""
        count = 0
        large = b"x" * 70 + b"\r\n"
        talks = []
        for name in names:
            for body in (b"hi\r\n", large * 3000):
                talk = Talk(self.house.port)
                self.addCleanup(talk.socket.close)
                talk.envelope()
                talk.ask(b"DATA")
                talk.send(HEAD % b"in trouble" + body + b".\r\n")
                talks.append((name, talk))
        for name, talk in talks:
            said = talk.reply()
            self.assertEqual(b"451 4.7.1", said[:9], (name, self.clamd.moment, said))
            count += 1
        self.assertEqual(len(names) * 2, count)
        stored = self.house.mailbox() + self.house.held()
        self.assertEqual([], [m for m in stored if b"in trouble" in m])
        self.clean_spool()
        self.last = id_of(said.decode())

    def recorded(self) -> None:
        """The record of the last one says what happened."""
        record = self.house.ctl("trace", "show", self.last)["record"]
        self.assertEqual("deferred", record["verdict"])
        self.assertIn("VIRUS_ERROR", [f["symbol"] for f in record["findings"]])

    def test_faults(self) -> None:
        """Sixteen faults at three moments."""
        count = 0
        for moment in ("connect", "middle", "end"):
            for name, fault in FAULTS.items():
                self.clamd.fault, self.clamd.moment = fault, moment
                self.deferred(name)
                count += 1
            self.recorded()
        self.assertGreaterEqual(count, 36)

    def test_absent(self) -> None:
        """Refused, and no socket at all; when it is back, so is the mail."""
        self.clamd.shut()
        self.deferred("refused")
        self.clamd.gone()
        self.deferred("gone")
        self.clamd.open()
        with Talk(self.house.port) as talk:
            talk.envelope()
            self.assertEqual(b"250", talk.message(HEAD % b"back" + b"x\r\n")[:3])

    def test_blind_at_the_start(self) -> None:
        """A scanner that finds nothing in the test virus lets nothing pass (R25)."""
        clamd = FakeClamd()
        self.addCleanup(clamd.remove)
        clamd.fault = saying(b"stream: OK\n")
        clamd.open()
        house = House(settings=SETTINGS % clamd.path)
        self.addCleanup(house.remove)
        house.start()
        with Talk(house.port) as talk:
            talk.envelope()
            said = talk.message(HEAD % b"unseen" + eicar() + b"\r\n")
            self.assertEqual(b"451", said[:3], said)
            clamd.fault = None
            talk.envelope()
            said = talk.message(HEAD % b"seen" + b"x\r\n")
            self.assertEqual(b"250", said[:3], said)
        self.assertEqual([], [m for m in house.mailbox() if b"unseen" in m])

    def test_too_large(self) -> None:
        """What the scanner would not take is held, not delivered (R25)."""
        house, _ = running()
        with Talk(house.port) as talk:
            talk.envelope()
            line = b"x" * 998 + b"\r\n"
            said = talk.message(HEAD % b"too large" + line * 26_300)
        self.assertEqual(b"250", said[:3])
        record = house.ctl("trace", "show", id_of(said.decode()))["record"]
        self.assertEqual("unscanned", record["verdict"])

    def test_no_traceback(self) -> None:
        """Nothing of all this was a fault of ours."""
        self.assertNotIn("Traceback", self.house.log.read_text(errors="replace"))
