"""What all connections of one role share."""

from collections.abc import Callable

from attrs import field, frozen
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger

from smfd.interfaces import IDoor
from smfd.model.envelope import Envelope
from smfd.model.session import Session
from smfd.proto.command import Mail
from smfd.proto.extension import Offer
from smfd.proto.limits import Budget, Limits
from smfd.proto.lmtp import LMTPMachine
from smfd.proto.phrase import NO_RECIPIENT
from smfd.proto.reply import Reply
from smfd.proto.server import ServerMachine
from smfd.smtpd.connections import Connection, Connections, Handshakes
from smfd.smtpd.deadline import Deadlines
from smfd.smtpd.intake import Intake
from smfd.smtpd.stress import Stress


@frozen
class Post:
    """
    What all connections of one role share.

    @ivar machine: the protocol that is spoken.
    @ivar ids: makes the ids of sessions and of envelopes.
    @ivar tls: what STARTTLS starts, or None.
    @ivar budget: octets of messages in memory, over all connections.
    @ivar connections: those that are open now.
    @ivar deadlines: theirs.
    @ivar stress: whether they are too many.
    @ivar handshakes: those that come before any greeting.
    """

    door: IDoor
    limits: Limits
    offer: Offer
    clock: IReactorTime
    ids: Callable[[], str]
    tls: IOpenSSLServerConnectionCreator | None
    budget: Budget
    connections: Connections
    deadlines: Deadlines
    stress: Stress
    machine: type[ServerMachine] = ServerMachine
    handshakes: Handshakes = field(factory=Handshakes)

    _log = Logger()

    def came(self, connection: Connection) -> None:
        """Somebody is connected."""
        self.connections.add(connection)
        self.stress.look()

    def gone(self, connection: Connection) -> None:
        """Somebody is not any more."""
        self.connections.remove(connection)
        self.stress.look()

    def reserve(self, intake: Intake) -> bool:
        """Memory for a message; whether there was some."""
        reserved = intake.reserve(self.limits.message_memory)
        self.stress.look()
        return reserved

    def corrected(self, session: Session, answer: Reply) -> Reply:
        """What the machine answers by itself; the door is told of a mistake."""
        # RFC 2920 §3.1: who sends DATA along cannot know that nobody is left.
        if answer.code >= 400 and answer is not NO_RECIPIENT:
            try:
                self.door.erred(session, answer)
            except Exception:
                self._log.failure("session {id}", id=session.id)
        return answer

    def closed(self, session: Session, why: str) -> None:
        """Tell the door that a connection is gone."""
        try:
            self.door.closed(session, why)
        except Exception:
            self._log.failure("session {id}", id=session.id)

    def session(self, client: str, port: int) -> Session:
        """A new connection."""
        lmtp = self.machine is LMTPMachine
        return Session(self.ids(), client, port, self.clock.seconds(), lmtp=lmtp)

    def envelope(self, mail: Mail) -> Envelope:
        """A new transaction, without recipients."""
        return Envelope(
            self.ids(),
            mail.sender,
            (),
            mail.size,
            mail.body,
            mail.smtputf8,
            mail.ret,
            mail.envid,
        )
