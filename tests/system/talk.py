"""SMTP by hand: octets out, replies in, cut as the test likes."""

import socket
import time
from collections.abc import Iterable

#: Seconds for a reply.
PATIENCE = 20.0


class Talk:
    """
    One connection to a server.

    @ivar greeting: the first reply.
    """

    def __init__(self, port: int, hello: bool = True) -> None:
        """
        @param hello: say EHLO at once.
        """
        self._begin(socket.create_connection(("127.0.0.1", port), PATIENCE), hello)

    def _begin(self, connection: socket.socket, hello: bool) -> None:
        self.socket = connection
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self.greeting = self.reply()
        if hello:
            self.ask(b"EHLO mail.sender.test")

    @classmethod
    def over(cls, connection: socket.socket, hello: bool = True) -> "Talk":
        """Over a connection that stands already."""
        talk = cls.__new__(cls)
        talk._begin(connection, hello)
        return talk

    def __enter__(self) -> "Talk":
        """Use it once."""
        return self

    def __exit__(self, *why: object) -> None:
        """Hang up."""
        self.socket.close()

    def send(self, *segments: bytes, pause: float = 0.0) -> None:
        """
        Send each as a segment of its own.

        @param pause: seconds between two, so that they are read one by one.
        """
        for segment in segments:
            self.socket.sendall(segment)
            if pause:
                time.sleep(pause)

    def line(self) -> bytes:
        """One line, or what came before the end."""
        while b"\r\n" not in self._rest:
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                line, self._rest = self._rest, b""
                return line
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    def reply(self) -> bytes:
        """One reply, all its lines; nothing at the end."""
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return b"\r\n".join(lines)

    def replies(self) -> list[bytes]:
        """All there are until the end."""
        return list(iter(self.reply, b""))

    def replies_of(self, count: int) -> list[bytes]:
        """So many."""
        return [self.reply() for _ in range(count)]

    def ask(self, command: bytes) -> bytes:
        """Send a command; the reply to it."""
        self.send(command + b"\r\n")
        return self.reply()

    def code(self, command: bytes) -> int:
        """Send a command; the code of the reply, 0 at the end."""
        return int(self.ask(command)[:3] or 0)

    def all(self, commands: Iterable[bytes]) -> list[int]:
        """Send commands one by one; the codes of the replies."""
        return [self.code(command) for command in commands]

    def envelope(
        self,
        recipient: bytes = b"user@example.test",
        sender: bytes = b"alice@sender.test",
    ) -> None:
        """MAIL and RCPT."""
        codes = self.all((b"MAIL FROM:<%s>" % sender, b"RCPT TO:<%s>" % recipient))
        assert codes == [250, 250], codes

    def message(self, body: bytes) -> bytes:
        """DATA and a body, its dots stuffed; the reply."""
        said = self.ask(b"DATA")
        assert said[:3] == b"354", said
        stuffed = (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:]
        self.send(stuffed + b".\r\n")
        return self.reply()

    def in_step(self) -> bool:
        """Whether the next command gets the next answer."""
        return self.ask(b"HELP").startswith(b"214")
