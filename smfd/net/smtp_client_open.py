"""
Connections to next hops: opened as their policy has it, kept for a moment.

Standards: RFC 3207 §4.
"""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet, WeakValueDictionary

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from smfd.model.hop import NextHop
from smfd.net.smtp_client import MailClient, Patience, Trouble
from smfd.net.smtp_client_tls import NOT_OFFERED, Contexts, Proof
from smfd.proto.client import Skills, Unsafe, Unwilling, hello, opening

#: Seconds that a connection is kept for the next message.
KEPT = 2.0


#: Seconds that what is under way has when we stop.
GRACE = 10.0


#: Is told what became of TLS, once for each connection that is opened.
Note = Callable[[NextHop, Proof], object]


class NoConnection(Trouble):
    """Nobody is there, or we are going."""


@frozen
class Line:
    """
    A connection, and what its other end can do.

    @ivar tls: "" in the clear, else the version and what it had to prove:
        "TLSv1.3 dane", "TLSv1.2 opportunistic".
    """

    client: MailClient
    skills: Skills
    tls: str = ""


@frozen
class _Kept:
    """A connection that waits for the next message, and until when."""

    line: Line
    timer: IDelayedCall


class Hops:
    """
    Opens connections to next hops, and keeps those that are of use.

    @ivar name: what we call ourselves.
    @ivar patience: how long we wait.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        patience: Patience | None = None,
        connections: int = 4,
        trusted: Path | None = None,
    ) -> None:
        """
        @param connections: the most to one hop at once.
        @param trusted: PEM: the authorities that the TLS policy "verify"
            believes; None takes those of the system.
        """
        self.name = name
        self.patience = patience or Patience()
        self.connections = connections
        self.reactor = reactor
        self._contexts = Contexts(trusted)
        self._slots: WeakValueDictionary[NextHop, DeferredSemaphore]
        self._slots = WeakValueDictionary()
        self._serving = True
        self._clients: WeakSet[MailClient] = WeakSet()
        self._kept: defaultdict[NextHop, list[_Kept]] = defaultdict(list)

    def slots(self, hop: NextHop) -> DeferredSemaphore:
        """To be acquired for as long as a connection is used."""
        found = self._slots.get(hop)
        if found is None:
            found = self._slots[hop] = DeferredSemaphore(self.connections)
        return found

    async def line(self, hop: NextHop, note: Note | None = None) -> Line:
        """
        A connection that is ready for a transaction.

        @param note: is told how safe it is, unless it was open already.
        @raise Trouble: there is none to be had now.
        """
        if not self._serving:
            raise NoConnection("we are stopping")
        while self._kept[hop]:
            kept = self._kept[hop].pop()
            kept.timer.cancel()
            if kept.line.client.usable:
                return kept.line
        return await self._open(hop, note or _unnoted)

    def keep(self, hop: NextHop, line: Line) -> None:
        """Give one back; the next message may come soon."""
        if not line.client.usable or not self._serving:
            line.client.drop()
            return
        timer = self.reactor.callLater(KEPT, self._let_go, hop, line)
        self._kept[hop].append(_Kept(line, timer))

    def close(self) -> None:
        """Hang up whatever is kept, and what is under way after a while."""
        self._serving = False
        self.hang_up()
        if any(client.alive for client in self._clients):
            self.reactor.callLater(GRACE, self._drop_all)

    def _drop_all(self) -> None:
        for client in list(self._clients):
            client.drop()

    def hang_up(self) -> None:
        """Keep none any more."""
        for kept in [each for lines in self._kept.values() for each in lines]:
            kept.timer.cancel()
            kept.line.client.drop()
        self._kept.clear()

    def _let_go(self, hop: NextHop, line: Line) -> None:
        left = [kept for kept in self._kept[hop] if kept.line is not line]
        self._kept[hop] = left
        if not left:
            del self._kept[hop]
        Deferred.fromCoroutine(line.client.leave()).addErrback(lambda _: None)

    async def _open(self, hop: NextHop, note: Note) -> Line:
        if hop.tls != "opportunistic":
            return await self._greet(hop, hop.tls, note)
        try:
            return await self._greet(hop, hop.tls, note)
        except _NoTLS:
            # RFC 3207 §4.1: who cannot, may go on without; the policy says so.
            return await self._greet(hop, "none", _unnoted)

    async def _greet(self, hop: NextHop, tls: str, note: Note) -> Line:
        client = await self._connect(hop)
        lmtp, seconds = hop.protocol == "lmtp", self.patience.reply
        try:
            skills = await client.say(opening(self.name, lmtp, tls), seconds)
            if skills.secure:
                return await self._secure(client, hop, note)
            if tls != "none":
                note(hop, NOT_OFFERED)
            return Line(client, skills)
        except Unwilling as error:
            client.drop()
            if isinstance(error, Unsafe):
                note(hop, NOT_OFFERED)
            raise Trouble(str(error)) from None
        except BaseException:
            client.drop()
            raise

    async def _secure(self, client: MailClient, hop: NextHop, note: Note) -> Line:
        if not client.usable:
            # An enemy's words, and not those of one who cannot.
            raise Trouble("something was said behind the 220, in the clear")
        seconds = self.patience.reply
        handshake = self._contexts.handshake(hop)
        try:
            await client.secure(handshake, seconds)
            proof = handshake.proof()
        except Trouble as error:
            proof = handshake.failed(str(error))
        note(hop, proof)
        if not proof.good:
            raise _NoTLS(f"TLS: {proof.why}")
        try:
            # RFC 3207 §4.2: what was said before in the clear counts no more.
            script = hello(self.name, hop.protocol == "lmtp", secure=True)
            skills: Skills = await client.say(script, seconds)
        except Trouble as error:
            raise _NoTLS(f"TLS: {error}") from None
        return Line(client, skills, f"{proof.version} {hop.tls}")

    async def _connect(self, hop: NextHop) -> MailClient:
        factory = Factory.forProtocol(lambda: MailClient(self.reactor))
        factory.noisy = False
        try:
            client = cast(MailClient, await self._endpoint(hop).connect(factory))
        except Exception as error:
            raise NoConnection(f"cannot connect to {hop}: {error}") from None
        self._clients.add(client)
        return client

    def _endpoint(self, hop: NextHop) -> IStreamClientEndpoint:
        seconds = self.patience.connect
        if hop.path:
            return UNIXClientEndpoint(self.reactor, hop.path, timeout=seconds)
        host = hop.address or hop.host
        return HostnameEndpoint(self.reactor, host, hop.port, timeout=seconds)


class _NoTLS(Trouble):
    """TLS was offered, and did not come about."""


def _unnoted(hop: NextHop, proof: Proof) -> None:
    """Nobody wants to know."""
