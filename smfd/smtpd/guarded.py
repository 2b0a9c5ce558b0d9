"""A door with gates before it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.interfaces import Answer, Believed, IDoor, IGate, IIncoming, IVisit, Said
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.proto.reply import Reply
from smfd.proto.sasl import Login


@define(eq=False)
class Gates:
    """
    Several as one, in order.

    Who is looked at by none of them costs no more than to find that out.
    """

    gates: Sequence[IGate] = ()
    _visits: dict[str, Sequence[IVisit]] = field(factory=dict, init=False)

    _log = Logger()

    def __len__(self) -> int:
        """How many connections they look at."""
        return len(self._visits)

    def opened(self, session: Session) -> None:
        """Somebody comes."""
        visits = []
        for gate in self.gates:
            try:
                visit = gate.visit(session)
            except Exception:
                self._fault(session)
            else:
                if visit is not None:
                    visits.append(visit)
        if visits:
            self._visits[session.id] = visits

    def __contains__(self, session: Session) -> bool:
        """Whether they look at this one."""
        return session.id in self._visits

    def ask(self, question: str, session: Session, *said: object) -> Answer:
        """The first refusal, or None when all let pass."""
        visits = self._visits.get(session.id)
        if not visits:
            return None
        return self._ask(iter(visits), question, (session, *said))

    def incoming(self, session: Session, incoming: IIncoming) -> IIncoming:
        """Where a body goes, past all of them."""
        for visit in self._visits.get(session.id, ()):
            incoming = visit.incoming(session, incoming)
        return incoming

    def findings(self, session: Session, envelope: Envelope) -> tuple[Finding, ...]:
        """What all of them say of a message."""
        visits = self._visits.get(session.id, ())
        return tuple([f for visit in visits for f in visit.findings(envelope)])

    def noted(self, session: Session, record: Record) -> None:
        """Tell all of them."""
        for visit in self._visits.get(session.id, ()):
            try:
                visit.noted(session, record)
            except Exception:
                self._fault(session)

    def erred(self, session: Session, answer: Reply) -> None:
        """Tell all of them."""
        for visit in self._visits.get(session.id, ()):
            try:
                visit.erred(session, answer)
            except Exception:
                self._fault(session)

    def closed(self, session: Session) -> None:
        """Tell all of them."""
        for visit in self._visits.pop(session.id, ()):
            try:
                visit.closed()
            except Exception:
                self._fault(session)

    def _ask(
        self, visits: Iterator[IVisit], question: str, said: tuple[Any, ...]
    ) -> Answer:
        for visit in visits:
            try:
                answer: Answer = getattr(visit, question)(*said)
            except Exception:
                self._fault(said[0])
                continue
            if isinstance(answer, Deferred):
                answer.addErrback(self._broken, said[0])
                return answer.addCallback(self._next, visits, question, said)
            if answer is not None:
                return answer
        return None

    def _next(
        self,
        refusal: Reply | None,
        visits: Iterator[IVisit],
        question: str,
        said: tuple[Any, ...],
    ) -> Answer:
        return self._ask(visits, question, said) if refusal is None else refusal

    def _broken(self, failure: Failure, session: Session) -> Failure | None:
        if failure.check(CancelledError):
            # The client hung up meanwhile: nobody waits for the others either.
            return failure
        self._fault(session, failure)
        return None

    def _fault(self, session: Session, failure: Failure | None = None) -> None:
        """It lets pass: our own fault must not refuse good mail."""
        self._log.failure("session {id}: a gate failed", failure, id=session.id)


@implementer(IDoor)
@define(eq=False)
class Guarded:
    """
    A door behind gates.

    Whoever is turned away is answered by the door's own C{refused}, with an id
    and a record, like everybody else it refuses.
    """

    door: IDoor
    gates: Gates

    def connected(self, session: Session) -> Said:
        """The door first: it counts who comes and who goes."""
        said: Said = self.door.connected(session)
        if isinstance(said, Reply) and not said.positive:
            return said
        self.gates.opened(session)
        asked = self.gates.ask("connected", session)
        if asked is None:
            return said
        return self._unless(asked, lambda: said, session, None)

    def hello(self, session: Session) -> Said:
        """Gates, then the door."""
        asked = self.gates.ask("hello", session)
        if asked is None:
            return self.door.hello(session)
        return self._unless(asked, partial(self.door.hello, session), session, None)

    def login(self, session: Session, login: Login) -> Believed:
        """The door alone knows people."""
        answer: Believed = self.door.login(session, login)
        return answer

    def mail(self, session: Session, envelope: Envelope) -> Said:
        """Gates, then the door."""
        asked = self.gates.ask("mail", session, envelope)
        if asked is None:
            return self.door.mail(session, envelope)
        passed = partial(self.door.mail, session, envelope)
        return self._unless(asked, passed, session, envelope)

    def rcpt(self, session: Session, envelope: Envelope, forward: Forward) -> Said:
        """Gates, then the door."""
        asked = self.gates.ask("rcpt", session, envelope, forward)
        if asked is None:
            return self.door.rcpt(session, envelope, forward)
        passed = partial(self.door.rcpt, session, envelope, forward)
        return self._unless(asked, passed, session, envelope.to(forward))

    def data(
        self, session: Session, envelope: Envelope
    ) -> Reply | IIncoming | Deferred[Reply | IIncoming]:
        """The door; what comes then passes the gates."""
        to: Reply | IIncoming | Deferred[Reply | IIncoming]
        to = self.door.data(session, envelope)
        if session not in self.gates:
            return to
        if isinstance(to, Deferred):
            return to.addCallback(self._through, session)
        return self._through(to, session)

    def _through(
        self, answer: Reply | IIncoming, session: Session
    ) -> Reply | IIncoming:
        if isinstance(answer, Reply):
            return answer
        return self.gates.incoming(session, answer)

    def message(self, session: Session, envelope: Envelope, body: Body) -> Said:
        """Gates, then the door."""
        asked = self.gates.ask("message", session, envelope, body)
        if asked is None:
            return self.door.message(session, envelope, body)
        passed = partial(self.door.message, session, envelope, body)
        return self._unless(asked, passed, session, envelope)

    def refused(
        self, session: Session, envelope: Envelope | None, refusal: Reply
    ) -> Said:
        """The door."""
        said: Said = self.door.refused(session, envelope, refusal)
        return said

    def erred(self, session: Session, answer: Reply) -> None:
        """Both."""
        self.door.erred(session, answer)
        self.gates.erred(session, answer)

    def closed(self, session: Session, why: str) -> None:
        """Both."""
        self.door.closed(session, why)
        self.gates.closed(session)

    def _unless(
        self,
        asked: Answer,
        passed: Callable[[], Said],
        session: Session,
        envelope: Envelope | None,
    ) -> Said:
        """What the door says, unless a gate refuses."""

        def answered(refusal: Reply | None) -> Said:
            if refusal is None:
                return passed()
            return self.door.refused(session, envelope, refusal)

        if isinstance(asked, Deferred):
            return asked.addCallback(answered)
        return answered(asked)
