"""Doors for tests: one that answers at once, one that waits to be told."""

from collections.abc import Callable

from attrs import Factory, define, evolve
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from smfd.interfaces import IDoor, IIncoming
from smfd.model.envelope import Envelope, Forward
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.proto.address import Address
from smfd.proto.reply import Reply, reply
from smfd.proto.sasl import Login

GREETING = reply(220, "", "mx.test ESMTP")
HELLO = reply(250, "", "mx.test greets you")
WRONG = reply(535, "5.7.8", "Wrong user or password")
OK_MAIL = reply(250, "2.1.0", "Sender OK")
OK_RCPT = reply(250, "2.1.5", "Recipient OK")
UNKNOWN = reply(550, "5.1.1", "No such mailbox")
LATER = reply(451, "4.2.0", "Not now")
TAKEN = reply(250, "2.0.0", "Accepted")


def judge(address: Address) -> Reply:
    """No mailbox begins with "no"; those with "later" are busy."""
    if address.local.startswith("no"):
        return UNKNOWN
    return LATER if address.local.startswith("later") else OK_RCPT


@implementer(IIncoming)
@define
class Basket:
    """A body in memory that remembers what became of it."""

    chunks: list[bytes] = Factory(list)
    finished: bool = False
    abandoned: int = 0
    room: Callable[[], Deferred[None] | None] = lambda: None

    def write(self, chunk: bytes) -> Deferred[None] | None:
        """Keep it."""
        self.chunks.append(chunk)
        return self.room()

    def finish(self) -> Deferred[Body]:
        """It is whole."""
        self.finished = True
        octets = b"".join(self.chunks)
        return succeed(Body(len(octets), octets))

    def abandon(self) -> None:
        """It is not."""
        self.abandoned += 1


@implementer(IDoor)
@define(slots=False)
class PlainDoor:
    """
    Answers at once.

    @ivar delay: makes a Deferred of an answer; by default it has fired.
    """

    delay: Callable[[object], Deferred[object]] = succeed
    asked: list[str] = Factory(list)
    bodies: list[bytes] = Factory(list)
    envelopes: list[Envelope] = Factory(list)
    sessions: list[Session] = Factory(list)
    baskets: list[Basket] = Factory(list)
    ends: list[str] = Factory(list)
    mistakes: list[int] = Factory(list)
    basket: Callable[[], Basket] = Basket

    def _answer(self, name: str, answer: object) -> Deferred[object]:
        self.asked.append(name)
        return self.delay(answer)

    def connected(self, session: Session) -> Deferred[Reply]:
        self.sessions.append(session)
        return self._answer("connected", GREETING)  # type: ignore[return-value]

    def hello(self, session: Session) -> Deferred[Reply]:
        self.sessions.append(session)
        return self._answer("hello", HELLO)  # type: ignore[return-value]

    def login(self, session: Session, login: Login) -> Deferred[Reply | Session]:
        """Ann's password is "secret"."""
        believed = (login.user, login.password) == ("ann", "secret")
        answer = evolve(session, account="ann") if believed else WRONG
        return self._answer("login", answer)  # type: ignore[return-value]

    def mail(self, session: Session, envelope: Envelope) -> Deferred[Reply]:
        return self._answer("mail", OK_MAIL)  # type: ignore[return-value]

    def rcpt(
        self, session: Session, envelope: Envelope, forward: Forward
    ) -> Deferred[Reply]:
        return self._answer("rcpt", judge(forward.address))  # type: ignore[return-value]

    def data(self, session: Session, envelope: Envelope) -> Deferred[Reply | IIncoming]:
        basket = self.basket()
        self.baskets.append(basket)
        return self._answer("data", basket)  # type: ignore[return-value]

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        self.sessions.append(session)
        self.envelopes.append(envelope)
        self.bodies.append(body.data or b"")
        return self._answer("message", TAKEN)  # type: ignore[return-value]

    def refused(
        self, session: Session, envelope: Envelope | None, refusal: Reply
    ) -> Deferred[Reply]:
        assert envelope is not None
        self.envelopes.append(envelope)
        return self._answer("refused", refusal)  # type: ignore[return-value]

    def erred(self, session: Session, answer: Reply) -> None:
        self.mistakes.append(answer.code)

    def closed(self, session: Session, why: str) -> None:
        self.sessions.append(session)
        self.ends.append(why)
