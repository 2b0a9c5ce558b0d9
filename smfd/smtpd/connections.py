"""Who is connected to us, and how they are asked to leave."""

from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from smfd.model.session import Session
from smfd.proto.reply import Reply
from smfd.smtpd import phrase


class Connection(Protocol):
    """One of them."""

    session: Session

    def retire(self, last: Reply = phrase.CLOSING) -> None:
        """Say this, and good-bye, as soon as no message is under way."""

    def abort(self, why: str) -> None:
        """Close at once, for the reason given."""


#: Handshakes of one address at once; an honest one takes a moment.
AT_ONCE = 50


class Handshakes:
    """Who begins with TLS and is not there yet: no door counts him before."""

    def __init__(self, most: int = AT_ONCE) -> None:
        """
        @param most: of one address.
        """
        self._most = most
        self._of: dict[str, set[Connection]] = {}

    def begun(self, client: str, connection: Connection) -> bool:
        """Somebody begins; whether he may."""
        of = self._of.setdefault(client, set())
        of.add(connection)
        return len(of) <= self._most

    def over(self, client: str, connection: Connection) -> None:
        """He is there, or gone; to say so again changes nothing."""
        of = self._of.get(client)
        if of is not None:
            of.discard(connection)
            if not of:
                del self._of[client]


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

    def log_out(self, account: str) -> int:
        """Ask those to leave who logged in as somebody; how many they are."""
        theirs = [one for one in self._open if one.session.account == account]
        for connection in theirs:
            connection.retire(phrase.LOGGED_OUT)
        return len(theirs)

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
