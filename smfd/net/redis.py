"""
One connection to Redis, that never keeps anybody waiting.

txredisapi's own pools wait for a server that is away as long as it is; here a
call has its answer in time, or fails, and who calls a moment later fails at once.
"""

from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import RedisProtocol

#: Seconds for which nobody tries, after it failed.
REST = 1.0


class Away(Exception):
    """Redis did not answer, a moment ago or just now."""


@frozen
class Server:
    """
    Where Redis is, and how to speak to it.

    @ivar place: C{unix:/path} or C{tcp:host:port}.
    @ivar seconds: for a call, to connect included.
    """

    place: str
    password: str = field(default="", repr=False)
    database: int = 0
    seconds: float = 0.25

    def endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """Where to connect."""
        scheme, _, rest = self.place.partition(":")
        if scheme == "unix":
            return UNIXClientEndpoint(reactor, rest, self.seconds)
        host, _, port = rest.rpartition(":")
        return HostnameEndpoint(reactor, host.strip("[]"), int(port), self.seconds)


class _Protocols(Factory):
    """Makes one protocol; what it asks its factory for is in vain."""

    noisy = False
    isLazy = False

    def __init__(self, server: Server) -> None:
        self._server = server
        self.why = "the connection was closed"

    def buildProtocol(self, addr: IAddress | None) -> Any:
        made = RedisProtocol(
            charset=None,
            password=self._server.password or None,
            dbid=self._server.database or None,
            convertNumbers=False,
        )
        made.factory = self
        return made

    def stopTrying(self) -> None:
        pass

    def connectionError(self, why: str) -> None:
        self.why = why


@define(eq=False)
class Redis:
    """
    Runs scripts there.

    @ivar reactor: connects, and is the clock.
    @ivar away: it did not answer when it was asked last.
    """

    server: Server
    reactor: Any
    _ready: Any = field(default=None, init=False)
    _coming: "Deferred[Any] | None" = field(default=None, init=False)
    _waiting: "list[Deferred[None]]" = field(factory=list, init=False)
    _rested: float = field(default=0.0, init=False)
    away: bool = field(default=False, init=False)

    _log = Logger()

    def run(self, script: str, keys: list[str], *args: str) -> Deferred[bytes]:
        """
        Run a script; fires with what it says, or fails within L{Server.seconds}.

        What failed may have been done all the same.
        """
        now = self.reactor.seconds()
        if self._rested - REST <= now < self._rested:
            return fail(Away(self.server.place))
        d = Deferred.fromCoroutine(self._run(script, keys, args))
        d.addTimeout(self.server.seconds, self.reactor)
        return d.addCallbacks(self._here, self._failed)

    def close(self) -> None:
        """Leave it; what is under way fails."""
        if self._coming is not None:
            self._coming.cancel()
        ready, self._ready = self._ready, None
        if ready is not None and ready.transport is not None:
            ready.transport.abortConnection()

    async def _run(self, script: str, keys: list[str], args: tuple[str, ...]) -> bytes:
        if self._ready is None:
            await self._connected()
        said: bytes = await self._ready.eval(script, keys, args)
        return said

    def _connected(self) -> "Deferred[None]":
        """Connect; who comes meanwhile waits for the same."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        if self._coming is None:
            self._coming = Deferred.fromCoroutine(self._connect())
            self._coming.addTimeout(self.server.seconds, self.reactor)
            self._coming.addBoth(self._arrived)
        return waiting

    async def _connect(self) -> None:
        factory = _Protocols(self.server)
        made: Any = await self.server.endpoint(self.reactor).connect(factory)
        gone = made.whenDisconnected()
        try:
            # A wrong password or database closes it without a word to us.
            await _first(made.whenConnected(), gone)
            if not made.connected:
                raise Away(factory.why)
        except BaseException:
            made.transport.abortConnection()
            raise
        self._ready = made
        made.whenDisconnected().addCallback(self._gone)

    def _arrived(self, result: Any) -> None:
        self._coming = None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(result)

    def _gone(self, protocol: Any) -> None:
        if self._ready is protocol:
            self._ready = None

    def _here(self, said: bytes) -> bytes:
        if self.away:
            self.away = False
            self._log.warn("Redis at {place} is back", place=self.server.place)
        return said

    def _failed(self, failure: Failure) -> Failure:
        """Late answers belong to nobody: the connection goes."""
        self.close()
        self._rested = self.reactor.seconds() + REST
        if not self.away:
            self.away = True
            self._log.warn(
                "ALARM: Redis at {place} is away: {why}",
                place=self.server.place,
                why=failure.value,
            )
        return failure


def _first(one: "Deferred[Any]", other: "Deferred[Any]") -> "Deferred[None]":
    """When the first of them fires."""
    done: Deferred[None] = Deferred()

    def fired(result: object) -> None:
        if not done.called:
            done.callback(None)

    one.addBoth(fired)
    other.addBoth(fired)
    return done
