"""
A load generator: messages over SMTP, many connections at once, one process.

It speaks as a common sender does: a new connection for each message, one
command at a time.  Every load has a number of messages and an end.
"""

import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from attrs import define, field

#: Seconds after which a load is given up.
LIMIT = 300.0


@define
class Load:
    """
    What became of a load.

    @ivar refused: replies to a command or a message that were not positive.
    @ivar answers: the name and the reply of each message that was sent whole.
    @ivar delays: seconds from the final dot to the reply, one a message.
    """

    accepted: int = 0
    refused: list[str] = field(factory=list)
    answers: list[tuple[str, str]] = field(factory=list)
    broken: int = 0
    delays: list[float] = field(factory=list)
    seconds: float = 0.0

    def delay(self, share: float) -> float:
        """The delay that this share of the messages did not exceed, seconds."""
        ordered = sorted(self.delays) or [0.0]
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@define
class Letter:
    """
    One message and its envelope; the data is dot-stuffed and ends with a dot.

    @ivar source: the address to come from; "" for whichever it is.
    """

    sender: str
    recipients: Sequence[str]
    data: bytes
    name: str = ""
    source: str = ""

    def dialogue(self) -> Iterator[bytes]:
        """What is said, a reply awaited after each."""
        yield b"EHLO load.sender.test\r\n"
        yield f"MAIL FROM:<{self.sender}>\r\n".encode("utf-8", "replace")
        for recipient in self.recipients:
            yield f"RCPT TO:<{recipient}>\r\n".encode()
        yield b"DATA\r\n"
        yield self.data
        yield b"QUIT\r\n"


def stuffed(message: bytes) -> bytes:
    """A message as DATA carries it: CRLF, dots doubled, the final dot."""
    lines = (
        message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    )
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    if lines.startswith(b"."):
        lines = b"." + lines
    return lines.replace(b"\r\n.", b"\r\n..") + b".\r\n"


class Connection:
    """One letter on its way."""

    def __init__(self, port: int, letter: Letter, load: Load) -> None:
        """Connect; what happens next is up to the selector."""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if letter.source:
            self.socket.bind((letter.source, 0))
        self.socket.connect_ex(("127.0.0.1", port))
        self.letter = letter
        self.load = load
        self.dialogue = letter.dialogue()
        self.said = b""
        self.unsent: memoryview = memoryview(b"")
        self.heard = b""
        self.dotted = 0.0

    def write(self) -> bool:
        """Send on; returns whether all is sent."""
        if self.unsent:
            try:
                sent = self.socket.send(self.unsent)
            except BlockingIOError:
                return False
            self.unsent = self.unsent[sent:]
        return not self.unsent

    def read(self) -> bool:
        """Take what the server says; returns whether the talk is over."""
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            if not self.said.startswith(b"QUIT"):
                self.load.broken += 1
            return True
        self.heard += data
        last = self.heard.rfind(b"\n", 0, -1) + 1
        if not self.heard.endswith(b"\n") or self.heard[last + 3 : last + 4] == b"-":
            return False
        reply, self.heard = self.heard[last:], b""
        return self._answered(reply)

    def _answered(self, reply: bytes) -> bool:
        if self.said is self.letter.data:
            self.load.delays.append(time.perf_counter() - self.dotted)
            said = reply.decode("latin-1").strip()
            self.load.answers.append((self.letter.name, said))
            if reply.startswith(b"2"):
                self.load.accepted += 1
        if reply[:1] not in b"23":
            self.load.refused.append(reply.decode("latin-1").strip())
            if self.said.startswith((b"DATA", b"MAIL", b"EHLO")) or not self.said:
                self.said = b"QUIT\r\n"
                return True
        self.said = next(self.dialogue, b"")
        if not self.said:
            return True
        if self.said is self.letter.data:
            self.dotted = time.perf_counter()
        self.unsent = memoryview(self.said)
        return False


def run(
    port: int,
    letters: Iterator[Letter],
    connections: int = 20,
    progress: Callable[[Load], None] = lambda _: None,
    limit: float = LIMIT,
) -> Load:
    """Send all letters over so many connections at a time."""
    load, selector = Load(), selectors.DefaultSelector()
    begun = time.perf_counter()
    active = 0
    while time.perf_counter() - begun < limit:
        while active < connections and (letter := next(letters, None)) is not None:
            connection = Connection(port, letter, load)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            active += 1
        if not active:
            break
        for key, events in selector.select(1.0):
            active -= _turn(selector, key.data, events)
        progress(load)
    load.seconds = time.perf_counter() - begun
    selector.close()
    return load


def _turn(
    selector: selectors.BaseSelector, connection: Connection, events: int
) -> bool:
    """Do what can be done; returns whether the connection is done with."""
    if events & selectors.EVENT_READ and connection.read():
        selector.unregister(connection.socket)
        connection.socket.close()
        return True
    wanted = selectors.EVENT_READ
    if not connection.write():
        wanted |= selectors.EVENT_WRITE
    if selector.get_key(connection.socket).events != wanted:
        selector.modify(connection.socket, wanted, connection)
    return False


def main() -> None:
    """C{load.py PORT COUNT CONNECTIONS FILE}: one message again and again."""
    port, count, connections = (int(a) for a in sys.argv[1:4])
    with open(sys.argv[4], "rb") as file:
        data = stuffed(file.read())
    letter = Letter("alice@sender.test", ("user@example.test",), data)
    load = run(port, iter([letter] * count), connections)
    print(f"{load.accepted / load.seconds:.0f}/s, p99 {load.delay(0.99):.3f} s")
    print("\n".join(load.refused[:5]))


if __name__ == "__main__":
    main()
