"""
Connections to next hops: opened as their policy has it, kept for a moment.

Standards: RFC 3207 §4.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from attrs import define, frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall

from smfd.model.hop import NextHop
from smfd.net.smtp_client import MailClient, Patience, Trouble
from smfd.net.smtp_client_dial import Absent, Dialler, NoConnection, Stopping
from smfd.net.smtp_client_tls import NOT_OFFERED, Contexts, NotSafe, Proof
from smfd.proto.client import Skills, Unsafe, Unwilling, hello, login, opening
from smfd.proto.reply import Reply

__all__ = ["Hops", "Line", "NoConnection", "NoSession", "Step", "Stopping", "unwatched"]

#: Seconds that a connection is kept for the next message.
KEPT = 2.0


#: Seconds that what is under way has when we stop.
GRACE = 10.0


#: Is told what became of TLS, once for each connection that is opened.
Note = Callable[[NextHop, Proof], object]


#: Is told how far a new connection has come.
Step = Callable[[str], object]

#: Connections that are kept in all.
MOST_KEPT = 100


class NoSession(Trouble):
    """
    Somebody is there, and serves nobody now.

    @ivar answer: how he said so; None when he did not.
    """

    def __init__(self, why: str, answer: Reply | None = None) -> None:
        super().__init__(why)
        self.answer = answer


@define(eq=False)
class Line:
    """
    A connection, and what its other end can do.

    @ivar tls: "" in the clear, else the version and what it had to prove:
        "TLSv1.3 dane", "TLSv1.2 opportunistic".
    @ivar used: how many messages went over it.
    """

    client: MailClient
    skills: Skills
    tls: str = ""
    used: int = 0


@frozen
class _Kept:
    """A connection that waits for the next message, and until when."""

    line: Line
    timer: IDelayedCall


def unwatched(step: str) -> None:
    """Nobody looks on."""


#: Whose a server is, and how many connections he wants at once from us; 0 for
#: as many to each server as to any.
Whose = Callable[[str], tuple[str, int]]


def its_own(host: str) -> tuple[str, int]:
    """Each server is asked by itself."""
    return "", 0


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
        messages: int = 100,
        absence: float = 0.0,
        step: Step = unwatched,
        whose: Whose = its_own,
    ) -> None:
        """
        @param connections: the most to one hop at once.
        @param trusted: PEM: the authorities that the TLS policy "verify"
            believes; None takes those of the system.
        @param messages: the most over one connection.
        @param absence: seconds that a server is left alone which was not there.
        @param whose: knows who wants fewer, of all his servers together.
        @param step: is told how far a new connection has come.
        """
        self.name = name
        self.patience = patience or Patience()
        self.connections = connections
        self.reactor = reactor
        self.messages = messages
        self._contexts = Contexts(trusted)
        self._absent = Absent(reactor, absence)
        self._dialler = Dialler(reactor, lambda: self.patience.connect, self._absent)
        self._whose = whose
        self._slots: WeakValueDictionary[NextHop | str, DeferredSemaphore]
        self._slots = WeakValueDictionary()
        self._serving = True
        self._clients: WeakSet[MailClient] = WeakSet()
        self._opening: set[MailClient] = set()
        self._kept: dict[NextHop, list[_Kept]] = {}
        self._step = step

    def slots(self, hop: NextHop) -> DeferredSemaphore:
        """To be acquired for as long as a connection is used."""
        name, most = self._whose(hop.host)
        key = name if most else hop
        found = self._slots.get(key)
        if found is None:
            found = DeferredSemaphore(min(most or self.connections, self.connections))
            self._slots[key] = found
        return found

    async def line(self, hop: NextHop, note: Note | None = None) -> Line:
        """
        A connection that is ready for a transaction.

        @param note: is told how safe it is, unless it was open already.
        @raise NoConnection: nobody is there.
        @raise Trouble: there is none to be had now.
        """
        self._check()
        while (kept := self._taken(hop)) is not None:
            if kept.client.usable:
                return kept
        await self._make_room(hop)
        try:
            return await self._open(hop, note or _unnoted)
        except Trouble:
            # Then it was we who hung up.
            self._check()
            raise

    def _check(self) -> None:
        if not self._serving:
            raise Stopping("we are stopping")

    async def _make_room(self, hop: NextHop) -> None:
        """Whoever wants few connections counts those that nobody uses, too."""
        name, most = self._whose(hop.host)
        if not most:
            return
        his = [other for other in self._kept if self._whose(other.host)[0] == name]
        idle = [other for other in his for _ in self._kept[other]]
        free = int(self.slots(hop).tokens)
        for other in idle[: max(0, len(idle) - free)]:
            line = self._taken(other)
            if line is not None:
                await line.client.leave()

    def again(self, line: Line) -> bool:
        """Whether one more message may go over it."""
        return self._serving and line.client.usable and line.used < self.messages

    def keep(self, hop: NextHop, line: Line) -> None:
        """Give one back; the next message may come soon."""
        if not line.client.usable or not self._serving:
            line.client.drop()
            return
        if line.used >= self.messages or self._full:
            self._leave(line)
            return
        timer = self.reactor.callLater(KEPT, self._let_go, hop, line)
        self._kept.setdefault(hop, []).append(_Kept(line, timer))

    @property
    def _full(self) -> bool:
        return sum(len(lines) for lines in self._kept.values()) >= MOST_KEPT

    def _taken(self, hop: NextHop) -> Line | None:
        """One of those that are kept, and is no longer."""
        lines = self._kept.get(hop)
        if not lines:
            return None
        kept = lines.pop()
        kept.timer.cancel()
        if not lines:
            del self._kept[hop]
        return kept.line

    def forget(self) -> None:
        """Try those again who were not there a moment ago."""
        self._absent.forget()

    def close(self, grace: float = GRACE) -> None:
        """
        Hang up whatever is kept, or not ready for a message yet, and what is
        under way after a while.

        @param grace: seconds; 0 for at once.
        """
        self._serving = False
        self._dialler.cancel()
        self.hang_up()
        for client in list(self._opening):
            client.drop()
        if not grace:
            self._drop_all()
        elif any(client.alive for client in self._clients):
            self.reactor.callLater(grace, self._drop_all)

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
        left = [kept for kept in self._kept.pop(hop, ()) if kept.line is not line]
        if left:
            self._kept[hop] = left
        self._leave(line)

    def _leave(self, line: Line) -> None:
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
        if why := self._absent.why(hop):
            raise NoConnection(f"{why} (a moment ago)")
        self._check()
        client = await self._dialler.connect(hop, lambda: MailClient(self.reactor))
        self._clients.add(client)
        self._opening.add(client)
        self._step("connection")
        try:
            line = await self._greeted(client, hop, tls, note)
            self._step("EHLO")
            if hop.login is not None:
                script = login(hop.login.name, hop.login.password, line.skills)
                await client.say(script, self.patience.reply)
                self._step("AUTH")
            return line
        except Unwilling as error:
            client.drop()
            raise NoSession(str(error), error.answer) from None
        except BaseException:
            client.drop()
            raise
        finally:
            self._opening.discard(client)

    async def _greeted(
        self, client: MailClient, hop: NextHop, tls: str, note: Note
    ) -> Line:
        lmtp, seconds = hop.protocol == "lmtp", self.patience.reply
        began = self.reactor.seconds()
        try:
            skills = await client.say(opening(self._name(hop), lmtp, tls), seconds)
        except Unsafe:
            note(hop, NOT_OFFERED)
            raise
        except Trouble as error:
            if self.reactor.seconds() - began >= seconds:
                # Whoever lets us wait that long lets everybody.
                self._absent.note(hop, str(error))
            raise
        if skills.secure:
            self._step("STARTTLS")
            return await self._secure(client, hop, note)
        if tls != "none":
            note(hop, NOT_OFFERED)
        return Line(client, skills)

    def _name(self, hop: NextHop) -> str:
        return hop.origin.hello or self.name

    async def _secure(self, client: MailClient, hop: NextHop, note: Note) -> Line:
        if not client.usable:
            # An enemy's words, and not those of one who cannot.
            raise NotSafe("something was said behind the 220, in the clear")
        seconds = self.patience.reply
        handshake = self._contexts.handshake(hop)
        try:
            await client.secure(handshake, seconds)
            self._step("handshake")
            proof = handshake.proof()
        except Trouble as error:
            self._check()
            proof = handshake.failed(str(error))
        note(hop, proof)
        if not proof.good:
            raise _NoTLS(f"TLS: {proof.why}")
        try:
            # RFC 3207 §4.2: what was said before in the clear counts no more.
            script = hello(self._name(hop), hop.protocol == "lmtp", secure=True)
            skills: Skills = await client.say(script, seconds)
        except Trouble as error:
            raise _NoTLS(f"TLS: {error}") from None
        return Line(client, skills, f"{proof.version} {hop.tls}")


class _NoTLS(NotSafe):
    """TLS was offered, and did not come about."""


def _unnoted(hop: NextHop, proof: Proof) -> None:
    """Nobody wants to know."""
