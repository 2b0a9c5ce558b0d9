"""A next hop that says what it is told to, on a real socket."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from smfd.model.hop import NextHop
from tests.store.making import REACTOR

EHLO = b"250-hop.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n"


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
    @ivar drip: it says one octet of a reply at a time, twenty times a second.
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

    def reply(self, line: bytes) -> bytes:
        """What to say to it."""
        replies: Mapping[bytes, Any] = {**_REPLIES, **self.says}
        keys = [key for key in replies if line.upper().startswith(key)]
        said = replies[max(keys, key=len)] if keys else b"500 what?\r\n"
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        return bytes(said)


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
    b"RSET": b"250 2.0.0 forgotten\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}


class _Talker(LineReceiver):
    """One connection."""

    MAX_LENGTH = 1_000_000
    transport: Any

    def __init__(self, hop: Hop) -> None:
        self.hop = hop
        self.sender = b""
        self.recipients: list[bytes] = []
        self.data: list[bytes] | None = None
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
        if said and self.hop.drip:
            self.drip(said)
        elif said:
            self.transport.write(said)
        else:
            self.transport.abortConnection()
        return said

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
        said = self.say(line)
        verb = line[:4].upper()
        if verb == b"MAIL":
            self.sender, self.recipients = line, []
        elif verb == b"RCPT" and said.startswith(b"250"):
            self.recipients.append(line.partition(b"<")[2].partition(b">")[0])
        elif verb == b"DATA" and said.startswith(b"354"):
            self.data = []
        elif verb == b"STAR" and said.startswith(b"220") and self.hop.context:
            self.transport.startTLS(self.hop.context)

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
