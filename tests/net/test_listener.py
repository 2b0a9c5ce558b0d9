"""The ports we listen on."""

import socket
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smfd.net.listener import Listener

reactor: Any = installed


def free_port() -> int:
    """A port that nobody has in either family."""
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::", 0))
        number: int = probe.getsockname()[1]
        return number


class ListenerTests(TestCase):
    """All of the addresses, or a sentence."""

    def listener(self, *addresses: str) -> Listener:
        """A listener that stops with the test."""
        factory = ServerFactory.forProtocol(Protocol)
        listener = Listener(addresses, factory, reactor)
        self.addCleanup(listener.stopService)
        return listener

    def test_both_families(self) -> None:
        """0.0.0.0 and [::] stand on one port, as the settings have it."""
        port = free_port()
        listener = self.listener(f"0.0.0.0:{port}", f"[::]:{port}")
        listener.privilegedStartService()
        for host in "127.0.0.1", "::1":
            socket.create_connection((host, port), timeout=5).close()

    def test_one_family(self) -> None:
        """[::] alone is IPv6 alone: the settings say what they mean."""
        port = free_port()
        self.listener(f"[::]:{port}").privilegedStartService()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)

    async def test_taken(self) -> None:
        """A port that somebody has ends the start with one sentence."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            free = free_port()
            listener = self.listener(f"127.0.0.1:{free}", taken)
            with self.assertRaises(SystemExit) as caught:
                listener.privilegedStartService()
        self.assertEqual(
            f"smfd: cannot listen on {taken}: Address already in use."
            " Another program has it, another mail server perhaps.",
            str(caught.exception),
        )
        # What was opened before is closed again, in the next turn.
        await deferLater(reactor, 0)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free), timeout=5)

    def test_not_ours(self) -> None:
        """An address of another machine is named as such."""
        with self.assertRaises(SystemExit) as caught:
            self.listener("192.0.2.1:0").privilegedStartService()
        self.assertIn("This machine has no such address.", str(caught.exception))

    async def test_stop(self) -> None:
        """Stopped, nobody comes in."""
        port = free_port()
        listener = self.listener(f"127.0.0.1:{port}")
        listener.privilegedStartService()
        await listener.stopService()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
