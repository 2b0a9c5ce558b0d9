"""
The way to a server: from which address of ours, and for how long nobody was
there.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar, cast

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.error import ConnectBindError, ConnectingCancelledError
from twisted.internet.error import TimeoutError as Late
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from smfd.model.hop import NextHop
from smfd.net.eager_client import Eagerly
from smfd.net.smtp_client import Trouble

P = TypeVar("P", bound=Protocol)

#: Servers that are remembered; then the oldest are forgotten.
_MOST = 10_000


class NoConnection(Trouble):
    """Nobody is there, or we are going."""


class Stopping(NoConnection):
    """We are going; of the server it says nothing."""


@define(eq=False)
class Absent:
    """
    Servers that did not answer, for a while: a thousand domains behind a dead
    one cost one time-out and not a thousand.

    @ivar seconds: how long they are left alone; 0 for not at all.
    """

    clock: IReactorTime
    seconds: float
    _until: OrderedDict[object, tuple[float, str]] = field(
        factory=OrderedDict, init=False
    )

    def note(self, server: object, why: str) -> None:
        """It was tried just now, in vain."""
        if self.seconds:
            self._until.pop(server, None)
            self._until[server] = (self.clock.seconds() + self.seconds, why)
            while len(self._until) > _MOST:
                self._until.popitem(last=False)

    def forget(self) -> None:
        """Somebody knows better: whoever was not there may be."""
        self._until.clear()

    def why(self, server: object) -> str:
        """What was wrong with it a moment ago, or nothing."""
        until, why = self._until.get(server, (0.0, ""))
        left = until - self.clock.seconds()
        # A clock that was set back leaves nobody alone for longer.
        if why and not 0 < left <= self.seconds:
            del self._until[server]
            return ""
        return why


@frozen
class Dialler:
    """
    Opens connections.

    @ivar seconds: for one.
    @ivar absent: who was not there.
    """

    reactor: Any
    seconds: Callable[[], float]
    absent: Absent
    _under_way: set["Deferred[Any]"] = field(factory=set, init=False)

    async def connect(self, hop: NextHop, make: Callable[[], P]) -> P:
        """
        A connection to a hop.

        @raise NoConnection: it cannot be had.
        """
        server = (hop.address or hop.host, hop.port, hop.origin.address)
        if why := self.absent.why(server):
            raise NoConnection(f"{why} (a moment ago)")
        factory = Factory.forProtocol(make)
        factory.noisy = False
        d = self._endpoint(hop).connect(factory)
        self._under_way.add(d)
        try:
            return cast(P, await d)
        except ConnectBindError as error:
            # That is about us, and not about the server.
            raise NoConnection(
                f"cannot send from {hop.origin.address}: {error}"
            ) from None
        except ConnectingCancelledError:
            raise Stopping("we are stopping") from None
        except Exception as error:
            why = f"cannot connect to {hop}: {_words(error)}"
            self.absent.note(server, why)
            raise NoConnection(why) from None
        finally:
            self._under_way.discard(d)

    def cancel(self) -> None:
        """Wait for nobody any more."""
        for d in list(self._under_way):
            d.cancel()

    def _endpoint(self, hop: NextHop) -> IStreamClientEndpoint:
        seconds = self.seconds()
        if hop.path:
            return UNIXClientEndpoint(self.reactor, hop.path, timeout=seconds)
        if not hop.address:
            return HostnameEndpoint(self.reactor, hop.host, hop.port, timeout=seconds)
        source = (hop.origin.address, 0) if hop.origin.address else None
        kind = TCP6ClientEndpoint if ":" in hop.address else TCP4ClientEndpoint
        endpoint: IStreamClientEndpoint = kind(
            Eagerly(self.reactor), hop.address, hop.port, seconds, source
        )
        return endpoint


def _words(error: Exception) -> str:
    """What went wrong, once: Twisted says it twice, with a number between."""
    if isinstance(error, Late):
        return "no answer in time"
    number = getattr(error, "osError", None)
    return os.strerror(number) if isinstance(number, int) else str(error)
