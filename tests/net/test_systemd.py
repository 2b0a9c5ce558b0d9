"""What systemd hears of us, and what it tells us."""

import os
import signal
import socket
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.net.hangup import Hangup
from smfd.net.systemd import READY, STOPPING, notify

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
