"""A connection that is let pass, whatever it does."""

from collections.abc import Sequence

from zope.interface import implementer

from smfd.interfaces import Answer, IIncoming, IVisit
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.proto.reply import Reply


@implementer(IVisit)
class Visit:
    """Lets everything pass; a gate says what it does not."""

    __slots__ = ()

    def connected(self, session: Session) -> Answer:
        """Welcome."""
        return None

    def hello(self, session: Session) -> Answer:
        """Pass."""
        return None

    def mail(self, session: Session, envelope: Envelope) -> Answer:
        """Pass."""
        return None

    def rcpt(self, session: Session, envelope: Envelope, forward: Forward) -> Answer:
        """Pass."""
        return None

    def message(self, session: Session, envelope: Envelope, body: Body) -> Answer:
        """Pass."""
        return None

    def incoming(self, session: Session, incoming: IIncoming) -> IIncoming:
        """It goes where it would go."""
        return incoming

    def findings(self, envelope: Envelope) -> Sequence[Finding]:
        """Nothing."""
        return ()

    def noted(self, session: Session, record: Record) -> None:
        """Remember nothing."""

    def erred(self, session: Session, answer: Reply) -> None:
        """Everybody errs."""

    def closed(self) -> None:
        """Nothing is left of it."""
