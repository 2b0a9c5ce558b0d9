"""A next hop that says what it is told to, on a real socket."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.model.hop import NextHop
from tests.store.making import REACTOR

#: Octets of a flood that ends it, for whoever takes so much takes anything.
FLOOD = 40_000_000

EHLO = b"250-hop.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n"


class Cut(bytes):
    """A reply, and then it hangs up."""


class Deaf(bytes):
    """A reply, and then it reads nothing more."""


class Drip(bytes):
    """A reply of which it says one octet at a time, twenty times a second."""


class Early(bytes):
    """A reply to BDAT that comes before its octets."""


class Flood(bytes):
    """What is said again and again, as fast as it is taken."""


@define(eq=False)
class Hop:
    """
    Listens, answers, and keeps what it was given.

    @ivar says: a reply for what a line begins with, or several, one for each
        time; the longest beginning wins.  "." is the end of a message; LMTP
        says it for each recipient.  An empty reply hangs up.
    @ivar sip: octets of a message that it takes at once, twenty times a
        second; 0 for all there are.
    @ivar peers: the address of each client.
    @ivar drip: each reply is a L{Drip}.
    @ivar poured: octets of floods.
    """

    says: dict[bytes, Any] = field(factory=dict)
    lmtp: bool = False
    tls: str = "none"
    sip: int = 0
    drip: bool = False
    connections: int = 0
    heard: list[bytes] = field(factory=list)
    messages: list[tuple[bytes, tuple[bytes, ...], bytes]] = field(factory=list)
    peers: list[str] = field(factory=list)
    context: Any = None
    port: Any = None
    open: set["_Talker"] = field(factory=set)
    poured: int = 0

    def listen(
        self, path: str = "", address: str = "127.0.0.1", port: int = 0
    ) -> NextHop:
        """Open the port; where it is."""
        factory = Factory.forProtocol(lambda: _Talker(self))
        protocol = "lmtp" if self.lmtp else "smtp"
        if path:
            self.port = REACTOR.listenUNIX(path, factory)
            return NextHop(protocol, path=path, tls="none")
        self.port = REACTOR.listenTCP(port, factory, interface=address)
        number = self.port.getHost().port
        return NextHop(protocol, address, number, tls=self.tls)

    def close(self) -> Any:
        """Close it."""
        for talker in list(self.open):
            talker.transport.abortConnection()
        return self.port.stopListening()

    @property
    def hasty(self) -> bool:
        """It says of a message what it thinks before it has it."""
        return isinstance(self.says.get(b"BDAT"), Early)

    def reply(self, line: bytes) -> bytes:
        """What to say to it."""
        replies: Mapping[bytes, Any] = {**_REPLIES, **self.says}
        keys = [key for key in replies if line.upper().startswith(key)]
        said = replies[max(keys, key=len)] if keys else b"500 what?\r\n"
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        assert isinstance(said, bytes)
        return said


#: Seconds that a slow one waits in between.
_BIT = 0.05

_REPLIES = {
    b"220": b"220 hop.example\r\n",
    b"EHLO": EHLO,
    b"LHLO": EHLO,
    b"HELO": b"250 hop.example\r\n",
    b"MAIL": b"250 2.1.0 fine\r\n",
    b"RCPT": b"250 2.1.5 fine\r\n",
    b"DATA": b"354 go\r\n",
    b".": b"250 2.0.0 taken\r\n",
    b"BDAT": b"250 2.0.0 taken\r\n",
    b"RSET": b"250 2.0.0 forgotten\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}


@implementer(IPullProducer)
class _Talker(LineReceiver):
    """One connection."""

    MAX_LENGTH = 1_000_000
    transport: Any

    def __init__(self, hop: Hop) -> None:
        self.hop = hop
        self.sender = b""
        self.recipients: list[bytes] = []
        self.data: list[bytes] | None = None
        self.chunk = b""
        self.left = 0
        self.flood = b""
        self.later: Any = None

    def connectionMade(self) -> None:
        """Greet."""
        self.hop.connections += 1
        self.hop.peers.append(getattr(self.transport.getPeer(), "host", ""))
        self.hop.open.add(self)
        self.say(b"220")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Gone."""
        self.hop.open.discard(self)
        if self.later is not None and self.later.active():
            self.later.cancel()

    def say(self, line: bytes) -> bytes:
        """Answer; what was answered."""
        said = self.hop.reply(line)
        if not said:
            self.transport.abortConnection()
        elif isinstance(said, Drip) or self.hop.drip:
            self.drip(said)
        elif isinstance(said, Flood):
            self.flood = said * (65536 // len(said))
            self.transport.registerProducer(self, False)
        else:
            self.transport.write(said)
        if isinstance(said, Cut):
            self.transport.loseConnection()
        elif isinstance(said, Deaf):
            self.transport.pauseProducing()
        return said

    def resumeProducing(self) -> None:
        """Some more of a flood."""
        if self.hop.poured < FLOOD:
            self.hop.poured += len(self.flood)
            self.transport.write(self.flood)

    def stopProducing(self) -> None:
        """Nobody takes it any more."""

    def drip(self, said: bytes) -> None:
        """Say the first octet, and the others in time."""
        self.transport.write(said[:1])
        if said[1:]:
            self.later = REACTOR.callLater(_BIT, self.drip, said[1:])

    def dataReceived(self, data: bytes) -> Any:
        """Some of what is said; of a message no more for now."""
        result = super().dataReceived(data)
        if self.hop.sip and self.data is not None:
            self.transport.bufferSize = self.hop.sip
            self.transport.pauseProducing()
            self.later = REACTOR.callLater(_BIT, self.transport.resumeProducing)
        return result

    def lineReceived(self, line: bytes) -> None:
        """A command, or a line of a message."""
        if self.data is not None:
            self.body(line)
            return
        self.hop.heard.append(line)
        verb = line[:4].upper()
        said = b"" if verb == b"BDAT" and not self.hop.hasty else self.say(line)
        if verb == b"MAIL":
            self.sender, self.recipients = line, []
        elif verb == b"RCPT" and said.startswith(b"250"):
            self.recipients.append(line.partition(b"<")[2].partition(b">")[0])
        elif verb == b"DATA" and said.startswith(b"354"):
            self.data = []
        elif verb == b"BDAT":
            self.left, self.chunk = int(line.split()[1]), b""
            self.setRawMode()
        elif verb == b"STAR" and said.startswith(b"220") and self.hop.context:
            self.transport.startTLS(self.hop.context)

    def rawDataReceived(self, data: bytes) -> None:
        """Octets of a chunk, which holds all of the message."""
        rest, self.left = data[self.left :], self.left - len(data)
        if self.hop.hasty:
            return
        self.chunk += data[: len(data) - len(rest)]
        if self.left <= 0:
            if self.say(b"BDAT").startswith(b"250"):
                taken = self.sender, tuple(self.recipients), self.chunk
                self.hop.messages.append(taken)
            self.setLineMode(rest)

    def body(self, line: bytes) -> None:
        """Unstuffed, to its end."""
        assert self.data is not None
        if line != b".":
            self.data.append(line.removeprefix(b"."))
            return
        message, self.data = b"".join(part + b"\r\n" for part in self.data), None
        keep = False
        for _ in self.recipients if self.hop.lmtp else [0]:
            keep = self.say(b".").startswith(b"250") or keep
        if keep and message:
            taken = self.sender, tuple(self.recipients), message
            self.hop.messages.append(taken)
