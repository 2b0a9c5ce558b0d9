"""Who is connected to us, and how they are asked to leave."""

from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime


class Connection(Protocol):
    """One of them."""

    def retire(self) -> None:
        """Say good-bye as soon as no message is under way."""

    def abort(self, why: str) -> None:
        """Close at once, for the reason given."""


class Connections:
    """All that are open now."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._open: set[Connection] = set()
        self._empty: Deferred[None] | None = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Somebody came; whoever comes while we close is sent away."""
        self._open.add(connection)
        if self._empty is not None:
            self._clock.callLater(0, connection.retire)

    def remove(self, connection: Connection) -> None:
        """Somebody is gone."""
        self._open.discard(connection)
        if self._empty is not None and not self._open:
            self._empty.callback(None)
            self._empty = None

    def drain(self, seconds: float) -> "Deferred[None]":
        """
        Ask all to leave; fires when nobody is left.

        @param seconds: those who have not left by then are hung up on.
        """
        if not self._open:
            return succeed(None)
        empty = self._empty = Deferred()
        late = self._clock.callLater(seconds, self._abort)
        empty.addCallback(lambda _: late.cancel() if late.active() else None)
        for connection in tuple(self._open):
            connection.retire()
        return empty

    def _abort(self) -> None:
        for connection in tuple(self._open):
            connection.abort("shutdown")
