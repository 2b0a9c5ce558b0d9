"""What all connections of one role share."""

from collections.abc import Callable

from attrs import frozen
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger

from smfd.interfaces import IDoor
from smfd.model.envelope import Envelope
from smfd.model.session import Session
from smfd.proto.command import Mail
from smfd.proto.extension import Offer
from smfd.proto.limits import Budget, Limits
from smfd.smtpd.connections import Connections

#: Seconds a client has to take the last reply and go.
LINGER = 10.0


@frozen
class Post:
    """
    What all connections of one role share.

    @ivar ids: makes the ids of sessions and of envelopes.
    @ivar tls: what STARTTLS starts, or None.
    @ivar budget: octets of messages in memory, over all connections.
    @ivar connections: those that are open now.
    """

    door: IDoor
    limits: Limits
    offer: Offer
    clock: IReactorTime
    ids: Callable[[], str]
    tls: IOpenSSLServerConnectionCreator | None
    budget: Budget
    connections: Connections

    _log = Logger()

    @property
    def beat(self) -> float:
        """Seconds; no deadline is nearer than this when it is set."""
        limits = self.limits
        return min(
            limits.command_timeout, limits.data_timeout, limits.message_timeout, LINGER
        )

    def closed(self, session: Session, why: str) -> None:
        """Tell the door that a connection is gone."""
        try:
            self.door.closed(session, why)
        except Exception:
            self._log.failure("session {id}", id=session.id)

    def envelope(self, mail: Mail) -> Envelope:
        """A new transaction, without recipients."""
        return Envelope(
            id=self.ids(),
            sender=mail.sender,
            size=mail.size,
            body=mail.body,
            smtputf8=mail.smtputf8,
            ret=mail.ret,
            envid=mail.envid,
        )
