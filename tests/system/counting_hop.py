"""A next hop that takes all it is given, in threads of its own."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

#: Gets a whole message before its 250 is sent.
Taken = Callable[[bytes], None]

_EHLO = b"250-hop.far.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"


class CountingHop(ThreadingTCPServer):
    """
    Listens from the beginning.

    @ivar port: where.
    @ivar taken: gets each message, in the thread of its connection.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, taken: Taken) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.taken = taken
        self.port = int(self.server_address[1])
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self.shutdown()
        self.server_close()


class _Visit(StreamRequestHandler):
    """One connection; who hangs up is forgiven."""

    server: Any

    def handle(self) -> None:
        with suppress(ConnectionError):
            self.wfile.write(b"220 hop.far.test\r\n")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"QUIT":
                    self.wfile.write(b"221 2.0.0 bye\r\n")
                    return
                if verb == b"DATA":
                    self.wfile.write(b"354 go\r\n")
                    self.server.taken(message(self.rfile))
                self.wfile.write(_EHLO if verb == b"EHLO" else b"250 2.0.0 fine\r\n")


def message(lines: Iterable[bytes]) -> bytes:
    """What comes after 354, unstuffed; a half is none."""
    found: list[bytes] = []
    for line in lines:
        if line == b".\r\n":
            return b"".join(found)
        found.append(line.removeprefix(b"."))
    raise ConnectionResetError
