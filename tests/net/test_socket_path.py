"""UNIX sockets in deep folders."""

import os
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.net.socket_path import SocketPath


class SocketPathTests(SynchronousTestCase):
    """A path is as long as it is; a socket's address is not."""

    def test_both(self) -> None:
        """A short and a long one are bound and found, and nothing stays open."""
        for depth in (1, 12):
            folder = Path(self.mktemp(), *["deep-folder"] * depth)
            folder.mkdir(parents=True)
            before = len(os.listdir("/proc/self/fd"))
            with SocketPath(folder / "s") as short, socket.socket(socket.AF_UNIX) as a:
                a.bind(short)
                a.listen()
                with SocketPath(folder / "s") as again:
                    socket.socket(socket.AF_UNIX).connect(again)
            self.assertTrue((folder / "s").is_socket())
            self.assertEqual(before, len(os.listdir("/proc/self/fd")))

    def test_no_folder(self) -> None:
        """Without its folder a long path is an error at once."""
        with self.assertRaises(OSError):
            SocketPath(Path(self.mktemp(), *["deep-folder"] * 12, "s")).open()
