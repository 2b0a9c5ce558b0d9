"""Requests with a limit on their body and on the time it may take."""

from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.web.server import Request

#: Octets of a body.
LARGEST = 1_048_576
#: Seconds for a body to arrive.
SLOWEST = 30.0


class BoundedRequest(Request):
    """
    Answers 413 to a body over the limit, 408 to one that does not come.

    The connection is closed then: what still arrives is nobody's request.
    """

    _slow: IDelayedCall | None = None
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """Twisted's own would open a temporary file for a large body."""
        self.content: Any = BytesIO()
        if length is not None and length > LARGEST:
            self._refuse(b"413 Content Too Large")
        elif length != 0:
            site: Any = self.channel.site  # type: ignore[attr-defined]
            self._slow = site.reactor.callLater(
                SLOWEST, self._refuse, b"408 Request Timeout"
            )

    def handleContentChunk(self, data: bytes) -> None:
        """Keep it, up to the limit."""
        if self._refused:
            return
        if self.content.tell() + len(data) > LARGEST:
            self._refuse(b"413 Content Too Large")
            return
        self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it is here; unless it was refused."""
        self._stop_waiting()
        if not self._refused:
            super().requestReceived(command, path, version)

    def connectionLost(self, reason: Any) -> None:
        """The other end went away."""
        self._stop_waiting()
        super().connectionLost(reason)

    def _stop_waiting(self) -> None:
        if self._slow is not None and self._slow.active():
            self._slow.cancel()
        self._slow = None

    def _refuse(self, status: bytes) -> None:
        self._refused = True
        self._stop_waiting()
        self.channel.write(
            b"HTTP/1.1 "
            + status
            + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        self.channel.loseConnection()
