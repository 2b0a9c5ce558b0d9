"""A door with gates before it."""

from collections.abc import Callable, Sequence

from attrs import define
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.interfaces import IDoor, IGate, IIncoming
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.net.fired import at_hand
from smfd.proto.reply import Reply


@define
class Gates:
    """Several as one, in order."""

    gates: Sequence[IGate] = ()

    _log = Logger()

    def ask(
        self, question: str, session: Session, *said: object
    ) -> Deferred[Reply | None]:
        """Fires with the first refusal, or None when all let pass."""
        return self._ask(0, question, session, said)

    def findings(self, session: Session, envelope: Envelope) -> tuple[Finding, ...]:
        """What all of them say of a message."""
        return tuple(f for gate in self.gates for f in gate.findings(session, envelope))

    def noted(self, session: Session, record: Record) -> None:
        """Tell all of them."""
        for gate in self.gates:
            try:
                gate.noted(session, record)
            except Exception:
                self._log.failure("{id}: a gate failed", id=record.id)

    def closed(self, session: Session) -> None:
        """Tell all of them."""
        for gate in self.gates:
            try:
                gate.closed(session)
            except Exception:
                self._log.failure("session {id}: a gate failed", id=session.id)

    def _ask(
        self, first: int, question: str, session: Session, said: tuple[object, ...]
    ) -> Deferred[Reply | None]:
        for n in range(first, len(self.gates)):
            gate = self.gates[n]
            try:
                answer: Deferred[Reply | None] = getattr(gate, question)(session, *said)
            except Exception:
                answer = fail()
            there = at_hand(answer)
            if there is None:
                answer.addErrback(self._broken, session)
                return answer.addCallback(self._next, n + 1, question, session, said)
            if there[0] is not None:
                return answer
        return succeed(None)

    def _next(
        self,
        refusal: Reply | None,
        first: int,
        question: str,
        session: Session,
        said: tuple[object, ...],
    ) -> "Reply | None | Deferred[Reply | None]":
        if refusal is not None:
            return refusal
        return self._ask(first, question, session, said)

    def _broken(self, failure: Failure, session: Session) -> Failure | None:
        if failure.check(CancelledError):
            # The client hung up meanwhile: nobody waits for the others either.
            return failure
        # It lets pass: our own fault must not refuse good mail.
        self._log.failure("session {id}: a gate failed", failure, id=session.id)
        return None


@implementer(IDoor)
@define
class Guarded:
    """
    A door behind gates.

    Whoever is turned away is answered by the door's own C{refused}, with an id
    and a record, like everybody else it refuses.
    """

    door: IDoor
    gates: Gates

    def connected(self, session: Session) -> Deferred[Reply]:
        """The door first: it counts who comes and who goes."""
        d = self.door.connected(session)
        there = at_hand(d)
        if there is not None and not there[0].positive:
            return d
        asked = self.gates.ask("connected", session)
        return self._unless(asked, lambda: d, session, None)

    def hello(self, session: Session) -> Deferred[Reply]:
        """Gates, then the door."""
        asked = self.gates.ask("hello", session)
        return self._unless(asked, lambda: self.door.hello(session), session, None)

    def mail(self, session: Session, envelope: Envelope) -> Deferred[Reply]:
        """Gates, then the door."""
        asked = self.gates.ask("mail", session, envelope)
        return self._unless(
            asked, lambda: self.door.mail(session, envelope), session, envelope
        )

    def rcpt(
        self, session: Session, envelope: Envelope, forward: Forward
    ) -> Deferred[Reply]:
        """Gates, then the door."""
        asked = self.gates.ask("rcpt", session, envelope, forward)
        return self._unless(
            asked,
            lambda: self.door.rcpt(session, envelope, forward),
            session,
            envelope.to(forward),
        )

    def data(self, session: Session, envelope: Envelope) -> Deferred[Reply | IIncoming]:
        """The door."""
        return self.door.data(session, envelope)

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """The door."""
        return self.door.message(session, envelope, body)

    def refused(
        self, session: Session, envelope: Envelope | None, refusal: Reply
    ) -> Deferred[Reply]:
        """The door."""
        return self.door.refused(session, envelope, refusal)

    def closed(self, session: Session, why: str) -> None:
        """Both."""
        self.door.closed(session, why)
        self.gates.closed(session)

    def _unless(
        self,
        asked: Deferred[Reply | None],
        otherwise: Callable[[], Deferred[Reply]],
        session: Session,
        envelope: Envelope | None,
    ) -> Deferred[Reply]:
        there = at_hand(asked)
        if there is not None and there[0] is None:
            return otherwise()

        def answered(refusal: Reply | None) -> Deferred[Reply]:
            if refusal is None:
                return otherwise()
            return self.door.refused(session, envelope, refusal)

        return asked.addCallback(answered)
