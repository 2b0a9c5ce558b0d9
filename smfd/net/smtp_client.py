"""
A connection to another mail server: scripts over a socket, with deadlines.

Whatever goes wrong is L{Trouble}: its words say what, and that it may be
otherwise another time.

Standards: RFC 5321 §4.5.3.2 (time-outs).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.proto.answers import Garbled
from smfd.proto.client import Script, Talk, Unwilling, farewell
from smfd.proto.stuffing import Framing, Stuffing

#: Gives the next piece of a message; empty at its end.
Pieces = Callable[[], Awaitable[bytes]]


class Trouble(Exception):
    """The other server cannot be asked now; why, in words."""


@frozen
class Patience:
    """
    Seconds that we wait.

    @ivar connect: for a connection.
    @ivar reply: for the answers to what we said.
    @ivar piece: for the other side to take a piece of a message.
    @ivar end: for the answer to a whole message.
    @ivar message: for the other side to take all pieces of a message.
    @ivar recipient: more for each recipient of a message but the first, for
        there are servers that look each of them up.
    """

    connect: float = 30.0
    reply: float = 300.0
    piece: float = 180.0
    end: float = 600.0
    message: float = 1800.0
    recipient: float = 20.0

    def envelope(self, recipients: int) -> float:
        """For the answers to MAIL, so many RCPT, and DATA."""
        return self.reply + self.recipient * (recipients - 1)


@implementer(IPushProducer, IHandshakeListener)
class MailClient(Protocol):
    """
    One connection; asked for one thing at a time.

    @cvar farewell: seconds that a good-bye may take, and the end behind it.
    """

    farewell = 5.0
    transport: Any

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._talk = Talk()
        self._waiter: Deferred[Any] | None = None
        self._full: Deferred[None] | None = None
        self._parting: IDelayedCall | None = None
        self._lost = ""

    @property
    def usable(self) -> bool:
        """Whether something more can be said here."""
        return not self._lost and not self._talk.broken and self._talk.idle

    @property
    def alive(self) -> bool:
        """Whether it is connected."""
        return not self._lost

    async def say(self, script: Script, seconds: float, before: bytes = b"") -> Any:
        """
        Run a script; what it returns.

        @param seconds: for all of it.
        @param before: octets that go out with its first.
        @raise Trouble: it came to no end; the connection is then gone.
        """
        self._check()
        waiter = self._waiter = Deferred()
        try:
            octets = before + self._talk.begin(script)
            if octets:
                self.transport.write(octets)
            if self._talk.idle:
                # It had nothing to ask.
                return self._talk.result
            return await waiter.addTimeout(seconds, self._clock)
        except defer.TimeoutError:
            self.drop()
            raise Trouble(f"no answer within {seconds:g} seconds") from None
        except Garbled as error:
            self.drop()
            raise Trouble(str(error)) from None
        finally:
            self._waiter = None

    async def send(
        self,
        pieces: Pieces,
        patience: Patience,
        end: Script,
        framing: Framing | None = None,
    ) -> Any:
        """
        Send a whole message; what the script of its end returns.

        @param framing: how it comes; None: by DATA.
        @raise Trouble: it came to no end; nobody knows whether it was taken.
        """
        framing = framing or Stuffing()
        ends = self._clock.seconds() + patience.message
        self.transport.registerProducer(self, True)
        try:
            # The last piece waits for the script: what ends with its length may
            # be answered the moment that it is there.
            waiting = framing.begin() + framing.more(await pieces())
            while piece := await pieces():
                self._check()
                self.transport.write(waiting)
                waiting = framing.more(piece)
                left = max(0.0, ends - self._clock.seconds())
                await self._taken(min(patience.piece, left))
            waiting += framing.end()
        except BaseException:
            # Whoever got a half must never take it for a whole.
            self.drop()
            raise
        finally:
            if not self._lost:
                self.transport.unregisterProducer()
        return await self.say(end, patience.end, waiting)

    async def leave(self) -> None:
        """Say good-bye, if it can be said, and hang up."""
        try:
            if self.usable:
                await self.say(farewell(), self.farewell)
        except (Trouble, Unwilling):
            pass
        finally:
            self.transport.loseConnection()
            if self.alive:
                # TLS has an end of its own, for which it may let us wait.
                later = self._clock.callLater
                self._parting = later(self.farewell, self.transport.abortConnection)

    def drop(self) -> None:
        """Hang up at once."""
        self._lost = self._lost or "we hung up"
        self.transport.abortConnection()

    async def secure(self, options: Any, seconds: float) -> None:
        """
        Begin TLS; return when both sides have, and nothing else was said.

        @param seconds: for the handshake.
        @raise Trouble: it came to no end, or something was said before it, in
            the clear, to be taken for what TLS protects.
        """
        self._check()
        waiter = self._waiter = Deferred()
        try:
            self.transport.startTLS(options)
            await waiter.addTimeout(seconds, self._clock)
        except defer.TimeoutError:
            self.drop()
            raise Trouble(f"no handshake within {seconds:g} seconds") from None
        finally:
            self._waiter = None

    def handshakeCompleted(self) -> None:
        """Both sides speak TLS."""
        self._fire(None)

    def dataReceived(self, data: bytes) -> None:
        """Answers."""
        try:
            octets = self._talk.receive(data)
        except (Garbled, Unwilling) as error:
            self._fire(Failure(error))
            return
        if octets:
            self.transport.write(octets)
        if self._talk.idle:
            self._fire(self._talk.result)
        if self._talk.broken:
            # Not when all is sent: it may take nothing of it.
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nobody will answer any more."""
        if not self._lost:
            done = reason.check(ConnectionDone) is not None
            self._lost = "it hung up" if done else reason.getErrorMessage()
        if self._parting is not None and self._parting.active():
            self._parting.cancel()
        self._fire(Failure(Trouble(self._why())))
        self.resumeProducing()

    def pauseProducing(self) -> None:
        """The other side takes it slowly."""
        if self._full is None:
            self._full = Deferred()

    def resumeProducing(self) -> None:
        """There is room again."""
        full, self._full = self._full, None
        if full is not None:
            full.callback(None)

    def stopProducing(self) -> None:
        """The connection is gone."""
        self.resumeProducing()

    async def _taken(self, seconds: float) -> None:
        if self._full is not None:
            try:
                await self._full.addTimeout(seconds, self._clock)
            except defer.TimeoutError:
                self._full = None
                raise Trouble("it does not take the message") from None
        self._check()

    def _check(self) -> None:
        if self._lost or self._talk.broken:
            raise Trouble(self._why())

    def _why(self) -> str:
        # What it said last tells more than that it hung up.
        return self._talk.broken or self._lost

    def _fire(self, result: Any) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.called:
            waiter.callback(result)
