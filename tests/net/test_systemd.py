"""What systemd hears of us, and what it tells us."""

import os
import signal
import socket
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.net.descriptors import PatientSocket
from smfd.net.hangup import Hangup
from smfd.net.listener import Listener
from smfd.net.systemd import READY, STOPPING, handed, notify

reactor: Any = installed


class NotifyTests(SynchronousTestCase):
    """A socket that systemd would have made."""

    def heard(self, address: str, shown: str, *states: str) -> list[bytes]:
        """What a manager hears at an address, known to us as shown."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(5)
            manager.bind(address)
            for state in states:
                notify(state, {"NOTIFY_SOCKET": shown})
            return [manager.recv(100) for _ in states]

    def test_file(self) -> None:
        """Ready and stopping, in its own words."""
        path = os.path.relpath(Path(self.mktemp()))
        self.assertEqual(
            [b"READY=1", b"STOPPING=1"], self.heard(path, path, READY, STOPPING)
        )

    def test_abstract(self) -> None:
        """An address that begins with @ is no file."""
        name = f"smfd-test-{os.getpid()}"
        self.assertEqual([b"READY=1"], self.heard(f"\0{name}", f"@{name}", READY))

    def test_nobody(self) -> None:
        """Without systemd, or when it is gone, nothing happens."""
        notify(READY, {})
        notify(READY, {"NOTIFY_SOCKET": str(Path(self.mktemp()).absolute())})


class HangupTests(TestCase):
    """SIGHUP."""

    async def test_heard(self) -> None:
        """A signal calls us in the reactor; afterwards it is as it was."""
        before = signal.getsignal(signal.SIGHUP)
        called: Deferred[None] = Deferred()
        hangup = Hangup(reactor, lambda: called.callback(None))
        hangup.startService()
        os.kill(os.getpid(), signal.SIGHUP)
        await called.addTimeout(10, reactor)
        hangup.stopService()
        self.assertIs(before, signal.getsignal(signal.SIGHUP))


class HandedTests(TestCase):
    """Sockets that systemd opened."""

    def test_nothing(self) -> None:
        """Nobody else's sockets are taken, and the word of them goes no further."""
        for environment in (
            {},
            {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "mx"},
            {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"},
        ):
            self.assertEqual({}, handed(environment))
            self.assertEqual({}, environment)

    async def test_adopted(self) -> None:
        """What was handed over waits for descriptors like our own (R8)."""
        with socket.create_server(("127.0.0.1", 0)) as made:
            made.setblocking(False)
            factory = ServerFactory.forProtocol(Protocol)
            listener = Listener(["systemd:mx"], factory, reactor, {"mx": [made]})
            listener.privilegedStartService()
            (port,) = listener._ports
            self.assertIsInstance(port.socket, PatientSocket)  # type: ignore[attr-defined]
            socket.create_connection(made.getsockname(), 5).close()
            await listener.stopService()
            # It is not ours to close.
            self.assertTrue(made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
