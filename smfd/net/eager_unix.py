"""
Eager connections (L{smfd.net.eager}) over UNIX sockets.

Twisted's own also look for open files with everything that comes; these take
octets only.
"""

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.unix import Port

from smfd.net.eager import EagerServer


class EagerUNIXServer(EagerServer):
    """A server's connection with a process of this machine."""

    def __init__(
        self, sock: Any, protocol: Any, client: Any, server: Any, *more: Any
    ) -> None:
        super().__init__(sock, protocol, (client, None), server, *more)

    def getHost(self) -> Any:
        """Our end."""
        return UNIXAddress(self.socket.getsockname())

    def getPeer(self) -> Any:
        """The other end, which seldom has a name."""
        return UNIXAddress(self.socket.getpeername() or None)


class EagerUNIXPort(Port):
    """Accepts L{EagerUNIXServer} connections at a path."""

    transport = EagerUNIXServer  # type: ignore[assignment]


class HandedUNIXPort(EagerUNIXPort):
    """The same where somebody else listens already, and hands it over."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        # The path is not ours: its mode stays, and it stays when we go.  Twisted
        # leaves a name alone that is not in the file system.
        self._bindPath = b"\0" + self._bindPath
