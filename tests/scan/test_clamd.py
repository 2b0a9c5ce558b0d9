"""clamd, a real one and ones that break."""

import contextlib
import gc
import shutil
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.content.specimen import test_virus as virus
from smfd.model.transaction import Body
from smfd.net.clamd import CouldNotScan, address
from smfd.scan.clamd import Clamd
from smfd.scan.virus import VirusStage
from smfd.store.threads import Threads
from tests.clamd import RealClamd

reactor: Any = _reactor

_running: list[tuple[RealClamd, Path]] = []


def real() -> RealClamd:
    """The clamd of this module, started by the first test that needs it."""
    if not _running:
        folder = Path(tempfile.mkdtemp(prefix="clamd"))
        clamd = RealClamd(folder)
        clamd.start()
        _running.append((clamd, folder))
        reactor.addSystemEventTrigger("after", "shutdown", _end)
    return _running[0][0]


def _end() -> None:
    for clamd, folder in _running:
        clamd.stop()
        shutil.rmtree(folder)
    _running.clear()


def body(data: bytes) -> Body:
    """A message in memory."""
    return Body(len(data), data)


class ClamdTestCase(TestCase):
    """Threads that scan."""

    def setUp(self) -> None:
        self.hands = Threads(reactor, "clamd", 8)
        self.hands.start()
        self.addCleanup(self.hands.stop)


class RealClamdTests(ClamdTestCase):
    """What a real clamd says."""

    def setUp(self) -> None:
        super().setUp()
        self.clamd = real()
        self.service = Clamd(self.hands, [f"unix:{self.clamd.path}"], deadline=20.0)

    async def test_clean_and_found(self) -> None:
        """A clean message is clean, the test virus has its name."""
        self.assertEqual("", await self.service.scan(body(b"Hello\r\n")))
        name = await self.service.scan(body(b"Subject: x\r\n\r\n" + virus()))
        self.assertEqual("Test.Text.UNOFFICIAL", name)

    async def test_tcp(self) -> None:
        """It is the same over TCP."""
        service = Clamd(self.hands, [f"tcp:127.0.0.1:{self.clamd.port}"])
        self.assertEqual("", await service.scan(body(b"Hello\r\n")))
        self.assertIn("Test", await service.scan(body(virus())))

    async def test_sizes(self) -> None:
        """At every size around the chunk's, all of the message is looked at."""
        chunk = 131072
        for size in (0, 1, chunk - 70, chunk - 1, chunk, chunk + 1, 3 * chunk):
            padding = b"\r\n" * (size // 2) + b"x" * (size % 2)
            self.assertEqual("", await self.service.scan(body(padding)), str(size))
            name = await self.service.scan(body(padding + virus()))
            self.assertIn("Test", name, str(size))

    async def test_spooled(self) -> None:
        """A message in a file is read from there."""
        path = self.mktemp()
        data = b"x\r\n" * 500_000 + virus()
        Path(path).write_bytes(data)
        name = await self.service.scan(Body(len(data), None, path))
        self.assertIn("Test", name)

    async def test_many_at_once(self) -> None:
        """Scans side by side do not take each other's answers."""
        bodies = [body(virus() if n % 3 == 0 else b"clean %d" % n) for n in range(90)]
        answers = await gatherResults([self.service.scan(b) for b in bodies])
        self.assertEqual([n % 3 == 0 for n in range(90)], [bool(a) for a in answers])

    async def test_over_its_limit(self) -> None:
        """What is too large for clamd is not known, whichever way it says so."""
        large = body(b"x\r\n" * (self.clamd.limit // 3 + 100_000))
        d = self.service.scan(large)
        error = await self.assertFailure(d, CouldNotScan)
        self.assertIn("unix:", str(error))

    async def test_no_file(self) -> None:
        """A spool file that is gone is not clean."""
        d = self.service.scan(Body(5, None, "/nonexistent/file"))
        await self.assertFailure(d, CouldNotScan)

    async def test_next_one(self) -> None:
        """When one clamd cannot, the next is asked."""
        service = Clamd(self.hands, ["unix:/nonexistent", f"unix:{self.clamd.path}"])
        self.assertIn("Test", await service.scan(body(virus())))

    async def test_hanging_one(self) -> None:
        """A clamd that hangs leaves time for the one behind it."""
        broken = Broken(lambda s: time.sleep(0))
        self.addCleanup(broken.stop)
        service = Clamd(
            self.hands, [broken.address, f"unix:{self.clamd.path}"], deadline=2.0
        )
        self.assertIn("Test", await service.scan(body(virus())))

    async def test_self_test(self) -> None:
        """A clamd that has its signatures passes the self-test."""
        self.assertTrue(await VirusStage(self.service).self_test())

    async def test_sockets_are_closed(self) -> None:
        """No socket is left for the garbage collector."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ResourceWarning)
            await self.service.scan(body(b"Hello\r\n"))
            await self.service.scan(body(virus()))
            large = body(b"x\r\n" * (self.clamd.limit // 3 + 100_000))
            await self.assertFailure(self.service.scan(large), CouldNotScan)
            gc.collect()
        leaks = [str(w.message) for w in caught if w.category is ResourceWarning]
        self.assertEqual([], leaks)


class Broken:
    """
    Something that listens like clamd and then does what the test says.

    The connection stays open after that, until the test ends.
    """

    def __init__(self, act: Callable[[socket.socket], Any]) -> None:
        self._act = act
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.address = f"tcp:127.0.0.1:{port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            with contextlib.suppress(OSError):
                self._act(connection)

    def stop(self) -> None:
        """Hang up on everybody."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(5)


def swallow(connection: socket.socket) -> None:
    """Read until the empty chunk that ends the stream."""
    seen = b""
    while not seen.endswith(b"\0\0\0\0"):
        data = connection.recv(65536)
        if not data:
            return
        seen += data


def hangs_up(connection: socket.socket) -> None:
    """Read a little and close."""
    connection.recv(10)
    connection.shutdown(socket.SHUT_RDWR)


def says(text: bytes, close: bool = True) -> Callable[[socket.socket], None]:
    """Take the stream, say something and perhaps hang up."""

    def act(connection: socket.socket) -> None:
        swallow(connection)
        connection.sendall(text)
        if close:
            connection.shutdown(socket.SHUT_RDWR)

    return act


def drips(connection: socket.socket) -> None:
    """An octet now and then: each in time, all of them never."""
    swallow(connection)
    for octet in b"stream: OK and nothing but OK, OK, OK\n":
        connection.sendall(bytes([octet]))
        time.sleep(0.1)


FAULTS: dict[str, Callable[[socket.socket], Any]] = {
    "silent": lambda s: None,
    "closes at once": lambda s: s.shutdown(socket.SHUT_RDWR),
    "closes in the stream": hangs_up,
    "takes all, says nothing": says(b"", close=False),
    "closes before the verdict": says(b""),
    "half a verdict": says(b"stream: O"),
    "no line end": says(b"stream: OK"),
    "garbage": says(b"\xff\xfe\0\x01\n"),
    "an empty line": says(b"\n"),
    "ERROR": says(b"stream: Can't create temporary directory ERROR\n"),
    "another stream": says(b"stream2: OK\n"),
    "a file": says(b"/tmp/x: OK\n"),
    "two answers": says(b"stream: OK\nstream: Test FOUND\n"),
    "OK and more": says(b"stream: OK FOUND ERROR\n"),
    "no name": says(b"stream:  FOUND\n"),
    "lower case": says(b"stream: ok\n"),
    "too long": says(b"stream: " + b"x" * 5000 + b" FOUND\n"),
    "size limit": says(b"INSTREAM size limit exceeded. ERROR\n"),
    "one octet at a time": drips,
    "PONG": says(b"PONG\n"),
}


class FaultTests(ClamdTestCase):
    """However clamd breaks, the answer is "not known", in time (R20)."""

    async def test_faults(self) -> None:
        """None of the faults is taken for an answer."""
        message = body(b"x\r\n" * 300_000)
        for name, act in FAULTS.items():
            broken = Broken(act)
            service = Clamd(self.hands, [broken.address], deadline=0.5)
            try:
                await self.assertFailure(service.scan(message), CouldNotScan)
            except self.failureException as e:
                raise self.failureException(f"{name}: {e}") from e
            finally:
                broken.stop()

    async def test_nobody_there(self) -> None:
        """A refused connection and a missing socket are not known."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        addresses = [f"tcp:127.0.0.1:{port}", "unix:/nonexistent/socket"]
        for some in ([addresses[0]], [addresses[1]], addresses, []):
            service = Clamd(self.hands, some, deadline=5.0)
            await self.assertFailure(service.scan(body(b"x")), CouldNotScan)

    async def test_at_once(self) -> None:
        """A small message comes in one piece: clamd wakes up once for it."""
        pieces: list[bytes] = []

        def act(connection: socket.socket) -> None:
            pieces.append(connection.recv(1 << 16))
            connection.sendall(b"stream: OK\n")

        broken = Broken(act)
        self.addCleanup(broken.stop)
        service = Clamd(self.hands, [broken.address], deadline=10.0)
        self.assertEqual("", await service.scan(body(b"x" * 1_000)))
        length = (1_000).to_bytes(4, "big")
        whole = b"nINSTREAM\n" + length + b"x" * 1_000 + bytes(4)
        self.assertEqual([whole], pieces)

    async def test_slow_reader(self) -> None:
        """However slowly it is read, all of the stream arrives, in whole chunks."""
        seen: list[int] = []

        def act(connection: socket.socket) -> None:
            time.sleep(0.1)
            with connection.makefile("rb") as stream:
                stream.readline()
                while size := int.from_bytes(stream.read(4), "big"):
                    seen.append(len(stream.read(size)))
            connection.sendall(b"stream: OK\n")

        broken = Broken(act)
        self.addCleanup(broken.stop)
        service = Clamd(self.hands, [broken.address], chunk=5_000_000, deadline=10.0)
        data = b"x\r\n" * 4_000_000
        self.assertEqual("", await service.scan(body(data)))
        self.assertEqual([5_000_000, 5_000_000, 2_000_000], seen)

    async def test_waiting_counts(self) -> None:
        """A scan that got no thread in its time is not known."""
        broken = Broken(lambda s: None)
        self.addCleanup(broken.stop)
        hands = Threads(reactor, "clamd", 1)
        hands.start()
        self.addCleanup(hands.stop)
        service = Clamd(hands, [broken.address], deadline=0.3)
        scans = [service.scan(body(b"x")) for _ in range(6)]
        for d in scans:
            await self.assertFailure(d, CouldNotScan)


class AddressTests(SynchronousTestCase):
    """Addresses, as the settings write them."""

    def test_good(self) -> None:
        """A path, a host and an IPv6 address."""
        self.assertEqual("/run/x.ctl", address("unix:/run/x.ctl").peer)
        self.assertEqual(("127.0.0.1", 3310), address("tcp:127.0.0.1:3310").peer)
        self.assertEqual(("::1", 3310), address("tcp:[::1]:3310").peer)

    def test_bad(self) -> None:
        """Anything else is refused at the start."""
        for text in ("", "unix:x", "tcp:host", "tcp::1", "udp:h:1", "/run/x"):
            self.assertRaises(ValueError, address, text)
