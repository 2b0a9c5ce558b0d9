"""
A door that weighs what comes in, so that no source has it to itself.

Standards: RFC 5321 §4.2.2 (452).
"""

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from smfd.interfaces import IDoor, IIncoming
from smfd.model.envelope import Envelope, Forward
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.policy.limits import Excess
from smfd.proto.reply import Reply, reply
from smfd.smtpd.limits_gate import LimitsGate

#: Octets are counted by the so many.
_STEP = 131072


@implementer(IIncoming)
@define
class Weighed:
    """
    A body while it arrives, as long as there may be more of it.

    Behind that the rest is taken and thrown away, and the end is empty.

    @ivar excess: why, if it was too much.
    """

    incoming: IIncoming
    gate: LimitsGate
    session: Session
    excess: Excess | None = None
    _room: int = field(default=0, init=False)

    def write(self, chunk: bytes) -> "Deferred[None] | None":
        """Weigh it and pass it on."""
        if self.excess is not None:
            return None
        self._room -= len(chunk)
        if self._room < 0:
            more = -(self._room // _STEP) * _STEP
            self.excess = self.gate.carry(self.session, more)
            self._room += more
        if self.excess is None:
            room: Deferred[None] | None = self.incoming.write(chunk)
            return room
        self.incoming.abandon()
        return None

    def finish(self) -> Deferred[Body]:
        """All of it, or nothing."""
        if self.excess is not None:
            return succeed(Body(0, b""))
        whole: Deferred[Body] = self.incoming.finish()
        return whole

    def abandon(self) -> None:
        """It will never be complete."""
        if self.excess is None:
            self.incoming.abandon()


@implementer(IDoor)
@define(eq=False)
class Metered:
    """A door whose bodies are weighed; all else it leaves to the door."""

    door: IDoor
    gate: LimitsGate
    _bodies: dict[str, Weighed] = field(factory=dict, init=False)

    def connected(self, session: Session) -> Deferred[Reply]:
        """The door."""
        answer: Deferred[Reply] = self.door.connected(session)
        return answer

    def hello(self, session: Session) -> Deferred[Reply]:
        """The door."""
        answer: Deferred[Reply] = self.door.hello(session)
        return answer

    def mail(self, session: Session, envelope: Envelope) -> Deferred[Reply]:
        """The door."""
        answer: Deferred[Reply] = self.door.mail(session, envelope)
        return answer

    def rcpt(
        self, session: Session, envelope: Envelope, forward: Forward
    ) -> Deferred[Reply]:
        """The door."""
        answer: Deferred[Reply] = self.door.rcpt(session, envelope, forward)
        return answer

    def data(self, session: Session, envelope: Envelope) -> Deferred[Reply | IIncoming]:
        """The door; the body is weighed on its way there."""
        answer: Deferred[Reply | IIncoming] = self.door.data(session, envelope)
        return answer.addCallback(self._weighed, session)

    def _weighed(
        self, answer: Reply | IIncoming, session: Session
    ) -> Reply | IIncoming:
        if isinstance(answer, Reply) or not self.gate.counts(session):
            return answer
        body = self._bodies[session.id] = Weighed(answer, self.gate, session)
        return body

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """The door, unless it was too much."""
        weighed = self._bodies.pop(session.id, None)
        if weighed is None or weighed.excess is None:
            answer: Deferred[Reply] = self.door.message(session, envelope, body)
        else:
            text = f"{weighed.excess}, try again later"
            answer = self.door.refused(session, envelope, reply(452, "4.7.0", text))
        return answer.addBoth(self._arrived, session)

    def _arrived(self, result: object, session: Session) -> object:
        self.gate.carried(session)
        return result

    def refused(
        self, session: Session, envelope: Envelope | None, refusal: Reply
    ) -> Deferred[Reply]:
        """The door."""
        self._bodies.pop(session.id, None)
        self.gate.carried(session)
        answer: Deferred[Reply] = self.door.refused(session, envelope, refusal)
        return answer

    def closed(self, session: Session, why: str) -> None:
        """The door."""
        self._bodies.pop(session.id, None)
        self.door.closed(session, why)
