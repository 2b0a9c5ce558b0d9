"""Gates before a door that is not there."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed

from smfd.interfaces import Answer, IGate
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.proto.reply import Reply
from smfd.smtpd.guarded import Gates


class Asked:
    """
    What a gate says, step by step.

    @ivar gates: that one, and nobody else.
    """

    def __init__(self, gate: IGate) -> None:
        self.gates = Gates([gate])

    def connected(self, session: Session) -> Deferred[Reply | None]:
        """Somebody comes."""
        self.gates.opened(session)
        return _come(self.gates.ask("connected", session))

    def hello(self, session: Session) -> Deferred[Reply | None]:
        """EHLO."""
        return _come(self.gates.ask("hello", session))

    def mail(self, session: Session, envelope: Envelope) -> Deferred[Reply | None]:
        """MAIL FROM."""
        return _come(self.gates.ask("mail", session, envelope))

    def rcpt(
        self, session: Session, envelope: Envelope, forward: Forward
    ) -> Deferred[Reply | None]:
        """RCPT TO."""
        return _come(self.gates.ask("rcpt", session, envelope, forward))

    def findings(self, session: Session, envelope: Envelope) -> Sequence[Finding]:
        """Of a message."""
        return self.gates.findings(session, envelope)

    def noted(self, session: Session, record: Record) -> None:
        """Something is written down."""
        self.gates.noted(session, record)

    def erred(self, session: Session, answer: Reply) -> None:
        """He made a mistake."""
        self.gates.erred(session, answer)

    def closed(self, session: Session) -> None:
        """He is gone."""
        self.gates.closed(session)


def _come(answer: Answer) -> Deferred[Reply | None]:
    return answer if isinstance(answer, Deferred) else succeed(answer)
