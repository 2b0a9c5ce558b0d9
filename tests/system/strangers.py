"""Servers of strangers: what they are sent, and how they take it."""

from collections.abc import Sequence
from contextlib import suppress
from random import Random
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, Protocol

from attrs import define, field

from tests.system.counting_hop import message
from tests.system.house import PATIENCE

#: Where the servers are, which all have one port; nobody is at the dead one.
ADDRESS, DEAD = "127.0.0.2", "127.0.0.77"

#: What the DNS has of the domains below C{test}.
ZONE = f"""
once MX 10 mx
later MX 10 mx
some MX 10 mx
refused MX 10 mx
dead MX 10 gone
dead MX 20 mx
hangs MX 10 mx
mx A {ADDRESS}
gone A {DEAD}
"""

_EHLO = b"250-mx.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
_FINE = b"250 2.0.0 fine\r\n"
_LATER = b"451 4.3.0 come again\r\n"
_UNKNOWN = b"550 5.1.1 nobody has that name\r\n"


class Manners(Protocol):
    """What they answer."""

    def recipient(self, address: str) -> bytes:
        """To RCPT."""

    def message(self, addresses: Sequence[str]) -> bytes:
        """After the dot; nothing: it is taken, and they hang up."""


@define
class ByDomain:
    """
    Each domain has a manner of its own, which all its addresses meet once.

    C{once}: takes at once.  C{later}: not now, after the dot.  C{some}: every
    other recipient not now.  C{refused}: has no C{b}.  C{hangs}: takes a message,
    and hangs up in place of its 250.
    """

    _met: set[str] = field(factory=set)
    _lock: Any = field(factory=Lock)

    def recipient(self, address: str) -> bytes:
        """Whether they know him, and now."""
        name, _, domain = address.partition("@")
        if domain == "refused.test" and name[0] == "b":
            return _UNKNOWN
        if domain == "some.test" and name[0] in "bd" and self._first(address):
            return _LATER
        return _FINE

    def message(self, addresses: Sequence[str]) -> bytes:
        """Whether they want it now."""
        domain = addresses[0].rpartition("@")[2]
        if domain == "later.test" and self._first(addresses[0]):
            return _LATER
        if domain == "hangs.test" and self._first(addresses[0]):
            return b""
        return _FINE

    def _first(self, address: str) -> bool:
        with self._lock:
            found = address not in self._met
            self._met.add(address)
            return found


@define
class ByChance:
    """
    Ten of a hundred transactions come too early, some end without an answer.

    Nobody there is called C{b}.  A 250 takes its time, now and then.

    @ivar hangs: the share of those that they hang up on after the dot.
    """

    dice: Random = field(factory=Random)
    hangs: float = 0.02

    def recipient(self, address: str) -> bytes:
        """Whether they know him, and now."""
        if address.startswith("b"):
            return _UNKNOWN
        return _LATER if self.dice.random() < 0.05 else _FINE

    def message(self, addresses: Sequence[str]) -> bytes:
        """Whether they want it now."""
        chance = self.dice.random()
        if chance < 0.05:
            return _LATER
        if chance < 0.05 + self.hangs:
            return b""
        if chance > 0.9:
            sleep(self.dice.random() * 0.2)
        return _FINE


class Strangers(ThreadingTCPServer):
    """
    Listens from the beginning.

    @ivar port: where.
    @ivar taken: every whole message that was taken, by recipient, the answer
        heard or not.
    @ivar promised: how often a recipient's 250 was sent.
    @ivar fresh: whose 250 was sent since this was emptied last.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, manners: Manners) -> None:
        super().__init__((ADDRESS, 0), _Visit)
        self.manners = manners
        self.port = int(self.server_address[1])
        self.taken: dict[str, list[bytes]] = {}
        self.promised: dict[str, int] = {}
        self.fresh: set[str] = set()
        self.visits = 0
        self.lock = Lock()
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self.shutdown()
        self.server_close()

    def alone(self) -> None:
        """Wait until whoever was killed is not spoken to any more."""
        # Who is not accepted yet was never heard.
        sleep(0.12)
        end = monotonic() + PATIENCE
        while self.visits:
            assert monotonic() < end, "they stay"
            sleep(0.01)

    def take(self, addresses: Sequence[str], message: bytes) -> None:
        """It is theirs now."""
        with self.lock:
            for address in addresses:
                self.taken.setdefault(address, []).append(message)

    def promise(self, addresses: Sequence[str]) -> None:
        """The 250 was sent."""
        with self.lock:
            for address in addresses:
                self.promised[address] = self.promised.get(address, 0) + 1
                self.fresh.add(address)

    def count(self, by: int) -> None:
        """Somebody comes, or goes."""
        with self.lock:
            self.visits += by


class _Visit(StreamRequestHandler):
    """One connection; who hangs up is forgiven."""

    server: Any

    def handle(self) -> None:
        self.server.count(1)
        try:
            with suppress(ConnectionError):
                self.wfile.write(b"220 mx.test\r\n")
                self._talk()
        finally:
            self.server.count(-1)

    def _talk(self) -> None:
        known: list[str] = []
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                address = line.partition(b"<")[2].partition(b">")[0].decode()
                said = self.server.manners.recipient(address)
                if said == _FINE:
                    known.append(address)
                self.wfile.write(said)
            elif verb == b"DATA" and not known:
                self.wfile.write(b"554 5.5.1 nobody gets it\r\n")
            elif verb == b"DATA":
                if not self._data(known):
                    return
                known = []
            else:
                if verb in (b"MAIL", b"RSET"):
                    known = []
                self.wfile.write(_EHLO if verb == b"EHLO" else _FINE)
                if verb == b"QUIT":
                    return

    def _data(self, known: Sequence[str]) -> bool:
        """A message; whether the conversation goes on."""
        self.wfile.write(b"354 go\r\n")
        octets = message(self.rfile)
        said = self.server.manners.message(known)
        if said == _LATER:
            self.wfile.write(said)
            return True
        self.server.take(known, octets)
        if not said:
            return False
        # Before it is heard: who hears it and is killed was in the window.
        self.server.promise(known)
        self.wfile.write(said)
        return True
