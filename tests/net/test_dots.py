"""Dots and look-alikes at two real receivers: one message in, the same out (R42)."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smfd.net.smtp_client import MailClient, Patience
from smfd.proto.client import Parcel, Skills, envelope, opening, verdicts
from tests.store.making import REACTOR
from tests.system.peers import Postfix, free_port

#: What buffers hold, here and there.
SIZES = (4096, 8192, 16384, 32768, 65536, 131072)

#: What may stand across such a border.
SHAPES = (
    b".\r\n",
    b"..\r\n",
    b".x\r\n",
    b"a\r\n.\r\n",
    b".\r\nMAIL FROM:<evil@evil.test>\r\n",
    b".\r\n.\r\n..\r\n",
)

NUMBER = b"X-Number: "
PATIENCE = Patience(connect=10, reply=20, piece=20, end=20)


def messages(offsets: Sequence[int], shapes: Sequence[bytes]) -> list[bytes]:
    """One for each offset and shape around each size, numbered."""
    found: list[bytes] = []
    for size in SIZES:
        for offset in offsets:
            for shape in shapes:
                head = NUMBER + b"%d\r\nSubject: x\r\n\r\n" % len(found)
                # The shape begins so many octets from the border, on a new line.
                room = size + offset - len(head) - 2
                lines = (b"x" * 62 + b"\r\n") * (room // 64)
                rest = b"y" * (room % 64) + b"\r\n"
                found.append(head + lines + rest + shape + b"end\r\n")
    return found


def cut(message: bytes, size: int) -> list[bytes]:
    """In pieces of a size, the last first."""
    places = range(0, len(message), size)
    return [message[at : at + size] for at in reversed(places)]


class DotTests(TestCase):
    """Many messages over one connection."""

    timeout = 120

    async def deliver(self, port: int, sent: Sequence[bytes], chunking: bool) -> None:
        """Send all; each is taken."""
        factory = Factory.forProtocol(lambda: MailClient(REACTOR))
        endpoint = TCP4ClientEndpoint(REACTOR, "127.0.0.1", port)
        client = cast(MailClient, await endpoint.connect(factory))
        self.addCleanup(lambda: Deferred.fromCoroutine(client.leave()))
        skills: Skills = await client.say(opening("mx.test"), PATIENCE.reply)
        self.assertEqual(chunking, "CHUNKING" in skills.words)
        for number, message in enumerate(sent):
            parcel = Parcel("a@sender.test", ("user@far.test",), len(message))
            told = await client.say(envelope(parcel, skills), PATIENCE.reply)
            self.assertTrue(told.go, told)
            # Pieces end where the sizes do, and elsewhere.
            pieces = cut(message, SIZES[number % 6])

            async def piece(pieces: list[bytes] = pieces) -> bytes:
                return pieces.pop() if pieces else b""

            (answer,) = await client.send(
                piece, PATIENCE, verdicts(told), told.framing()
            )
            self.assertEqual(250, answer.code, answer)

    def compare(self, sent: Sequence[bytes], arrived: Sequence[bytes]) -> None:
        """Each arrived once, and as it was sent; the line ends there are LF."""
        self.assertEqual(len(sent), len(arrived))
        found: dict[int, bytes] = {}
        for message in arrived:
            start = message.index(NUMBER)
            number = int(message[start + len(NUMBER) :].split(b"\n")[0])
            found[number] = message[start:]
        for number, message in enumerate(sent):
            whole = message.replace(b"\r\n", b"\n")
            self.assertTrue(found[number].rstrip(b"\n") == whole.rstrip(b"\n"), number)

    async def test_data(self) -> None:
        """By DATA, to smtp-sink: every offset and shape."""
        folder = Path(tempfile.mkdtemp(prefix="smfd-sink-"))
        folder.chmod(0o777)
        port = free_port()
        dump = f"{folder}/%S."
        command = ("smtp-sink", "-u", "postfix", "-d", dump, f"127.0.0.1:{port}", "9")
        sink = subprocess.Popen(command)

        def end() -> None:
            sink.kill()
            sink.wait()
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()

        self.addCleanup(end)
        await self.listening(port)
        sent = messages(range(-4, 5), SHAPES)
        self.assertEqual(6 * 9 * 6, len(sent))
        await self.deliver(port, sent, chunking=False)
        self.compare(sent, [path.read_bytes() for path in folder.iterdir()])

    async def test_chunks(self) -> None:
        """By BDAT, to Postfix: a sample."""
        postfix = Postfix()
        self.addCleanup(postfix.remove)
        postfix.start()
        sent = messages((-1, 0, 1), SHAPES[::2])
        await self.deliver(postfix.port, sent, chunking=True)
        while len(postfix.messages()) < len(sent):
            await deferLater(REACTOR, 0.1)
        arrived = [m.replace(b"\r\n", b"\n") for m in postfix.messages()]
        self.compare(sent, arrived)

    async def listening(self, port: int) -> None:
        """Wait until somebody listens there."""
        endpoint = TCP4ClientEndpoint(REACTOR, "127.0.0.1", port)
        for _ in range(100):
            try:
                made: Any = await endpoint.connect(Factory.forProtocol(_Caller))
            except ConnectError:
                await deferLater(REACTOR, 0.05)
            else:
                made.transport.abortConnection()
                return
        self.fail("smtp-sink does not listen")


class _Caller(MailClient):
    """Calls, and hangs up."""

    def __init__(self) -> None:
        super().__init__(REACTOR)
