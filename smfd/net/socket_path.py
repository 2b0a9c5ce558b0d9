"""Where a UNIX socket is, however deep the folder.  No Twisted."""

import os
import socket
from pathlib import Path

#: Octets; Linux: what fits into sun_path with its end.
_LONGEST = 100


class SocketPath:
    """
    A path that fits into a socket's address while it is open.

    A long one leads through its folder's descriptor.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._folder = -1

    def open(self) -> str:
        """
        The path to bind, connect or unlink.

        @raise OSError: its folder cannot be entered.
        """
        if len(os.fsencode(self._path)) <= _LONGEST:
            return str(self._path)
        self._folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def close(self) -> None:
        """It may lead nowhere now; what is bound stays bound."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def __enter__(self) -> str:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()


def remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on any more."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            os.unlink(path)
