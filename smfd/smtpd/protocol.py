"""
One connection: it carries questions to the door and answers back.

It knows no SMTP, which is the machine's, and decides nothing.

Standards: RFC 5321 §3.1, §3.8, §4.5.3.2 (timeouts), RFC 3207.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.interfaces import IIncoming
from smfd.model.envelope import Envelope, Forward
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.net.fired import is_deferred
from smfd.proto.command import Hello, Mail, Rcpt
from smfd.proto.event import Event, Refusal, Signal
from smfd.proto.phrase import READY_FOR_TLS, WELCOME
from smfd.proto.reply import Reply
from smfd.proto.sasl import Login
from smfd.smtpd import phrase
from smfd.smtpd.intake import Intake
from smfd.smtpd.pace import Pace
from smfd.smtpd.parting import Parting
from smfd.smtpd.post import Post
from smfd.smtpd.wire import Wire

T = TypeVar("T")


@implementer(IHandshakeListener, IHalfCloseableProtocol)
class SMTPProtocol(Protocol):
    """
    The shell around a L{ServerMachine}.

    One answer is awaited at a time, and nothing is read ahead beyond a bound
    while one is due or the client does not take our replies.
    """

    _log = Logger()

    session: Session
    _wire: Wire
    _pace: Pace
    _parting: Parting
    _envelope: Envelope | None = None
    _pending: Deferred[Any] | None = None
    _known = False  # the door knows of us
    _greeted = False
    _ended = False  # the client sends nothing more
    _over = False
    _running = False
    _retiring: Reply | None = None

    def __init__(self, post: Post) -> None:
        self._post = post
        self._machine = post.machine(post.stress.limits, post.offer)
        self._intake = Intake(post.budget)

    # What Twisted tells us.

    def connectionMade(self) -> None:
        """Somebody came; under implicit TLS he is heard after the handshake."""
        post = self._post
        post.came(self)
        self._wire = Wire(self.transport, self._unblocked)
        self._deadline = post.deadlines.start(self._late)
        self._pace = Pace(self._deadline, post.stress)
        self._parting = Parting(self._machine, self._wire, self._intake, self._deadline)
        self.session = post.session(*self._wire.peer())
        if self._wire.secure:
            self._machine.secure = True
            self._pace.handshake()
            if not post.handshakes.begun(self.session.client, self):
                self.abort("too many handshakes")
        else:
            self._run()

    def handshakeCompleted(self) -> None:
        """TLS is up."""
        wire = self._wire
        self._post.handshakes.over(self.session.client, self)
        self.session = evolve(
            self.session, tls=wire.tls(), certificate=wire.certificate()
        )
        if not self._known:
            self._run()

    def dataReceived(self, data: bytes) -> None:
        """Octets came: understand as many as may be."""
        self._machine.receive(data)
        self._pace.octets += len(data)
        if self._pending is None and not self._wire.blocked:
            self._run()
        else:
            self._throttle()

    def readConnectionLost(self) -> None:
        """The client sends nothing more; what it asked before is answered."""
        self._ended = True
        self._leave()

    def writeConnectionLost(self) -> None:
        """We said the last word."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave nothing behind, and tell the door once."""
        self._over = True
        self._post.gone(self)
        self._post.handshakes.over(self.session.client, self)
        self._machine.close()
        self._wire.lost()
        self._deadline.stop()
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
        self._intake.drop()
        if self._known:
            self._known = False
            self._post.closed(self.session, self._parting.why)

    # The conversation.

    def retire(self, last: Reply = phrase.CLOSING) -> None:
        """Say this, and good-bye, as soon as no message is under way."""
        self._retiring = last
        self._unblocked()

    def _run(self) -> None:
        # A loop, not callbacks: a flood of commands must not cost stack.
        if self._running or self._over:
            return
        self._running = True
        moved = False
        try:
            moved = self._converse()
        except Exception:
            self._log.failure("session {id}: it failed", id=self.session.id)
            self.abort("fault")
        finally:
            self._running = False
        wire = self._wire
        wire.flush()
        if wire.blocked or wire.paused or self._pending is not None:
            self._throttle()
        self._watch(moved)
        if self._ended:
            self._leave()

    def _converse(self) -> bool:
        """Meet all that can be met now; whether there was anything."""
        machine, wire, moved = self._machine, self._wire, False
        while self._pending is None and not wire.blocked:
            if self._retiring and not (machine.reading or machine.receiving):
                last, shaking = self._retiring, self._shaking_hands
                why = "shutdown" if last is phrase.CLOSING else "logged out"
                self._parting.dismiss(last, why, shaking, polite=True)
            event = machine.next_event()
            if event is None:
                break
            moved = True
            _MEET[event if type(event) is Signal else type(event)](self, event)
            if self._intake.open and not machine.receiving:
                # RSET, a flaw, or the end: there will be no message.
                self._intake.drop()
        return moved

    def _unblocked(self) -> None:
        if self._pending is None:
            self._run()

    def _say(self, answer: Reply) -> None:
        octets = self._machine.answer(answer)
        if octets:
            self._wire.write(octets)
        if self._machine.closed:
            text = octets.decode().strip()
            self._parting.hang_up("" if text.startswith("221") else text)

    def _ask(
        self, then: Callable[[Any], None], ask: Callable[..., Any], *args: object
    ) -> None:
        """Ask; go on at once when the answer is there, else when it comes."""
        try:
            answer = ask(*args)
        except Exception:
            answer = fail()
        if is_deferred(answer):
            self._await(answer, then, self._failed)
        else:
            then(answer)

    def _await(
        self,
        answer: Deferred[T],
        then: Callable[[T], None],
        otherwise: Callable[[Failure], None],
    ) -> None:
        self._pending = answer
        answer.addCallbacks(
            self._resume, self._fault, callbackArgs=(then,), errbackArgs=(otherwise,)
        )
        answer.addErrback(self._broken)

    def _resume(self, result: T, then: Callable[[T], None]) -> None:
        self._pending = None
        if not self._over:
            then(result)
            if not self._running:
                self._run()
        elif IIncoming.providedBy(result):
            self._intake.begin(result)
            self._intake.drop()

    def _fault(self, failure: Failure, otherwise: Callable[[Failure], None]) -> None:
        """The door broke.  That is our fault, and nobody's business."""
        self._pending = None
        if self._over and failure.check(CancelledError):
            return
        self._log.failure("session {id}: the door failed", failure, id=self.session.id)
        if not self._over:
            otherwise(failure)
            if not self._running:
                self._run()

    def _failed(self, failure: Failure) -> None:
        self._intake.drop()
        self._say(phrase.FAULT if self._greeted else phrase.FAULT_AT_ONCE)

    def _broken(self, failure: Failure) -> None:
        self._log.failure("session {id}: it failed", failure, id=self.session.id)
        self.abort("fault")

    # One event each.

    def _opened(self, event: Event) -> None:
        self._known = True
        self._ask(self._greet, self._post.door.connected, self.session)

    def _greet(self, answer: Reply) -> None:
        self._greeted = True
        self._note_early("greeting")
        self._say(answer)

    def _note_early(self, answer: str) -> None:  # RFC 5321 §4.3.1, RFC 2920 §3.1
        if len(self._machine) and not self.session.early:
            self.session = evolve(self.session, early=answer)

    def _hello(self, event: Hello) -> None:
        self._note_early("hello")
        before = self.session
        self.session = before.called(event.name, event.extended)

        def answered(answer: Reply) -> None:
            if not answer.positive:
                self.session = before
            self._say(answer)

        self._ask(answered, self._post.door.hello, self.session)

    def _login(self, login: Login) -> None:
        def answered(found: Reply | Session) -> None:
            if isinstance(found, Session):
                self.session, found = found, WELCOME
            self._say(found)

        self._ask(answered, self._post.door.login, self.session, login)

    def _mail(self, mail: Mail) -> None:
        self._envelope = self._post.envelope(mail)
        self._ask(self._say, self._post.door.mail, self.session, self._envelope)

    def _rcpt(self, rcpt: Rcpt) -> None:
        forward = Forward(rcpt.address, rcpt.notify, rcpt.orcpt)
        envelope = self._envelope
        assert envelope is not None

        def answered(answer: Reply) -> None:
            if answer.positive:
                self._envelope = envelope.to(*envelope.recipients, forward)
            self._say(answer)

        self._ask(answered, self._post.door.rcpt, self.session, envelope, forward)

    def _begin(self, event: Event) -> None:
        if self._post.reserve(self._intake):
            self._ask(self._began, self._post.door.data, self.session, self._envelope)
        else:
            self._refused(Refusal(phrase.FULL))

    def _began(self, result: Reply | IIncoming) -> None:
        if isinstance(result, Reply):
            self._intake.drop()
            self._say(result)
            return
        self._intake.begin(result)
        self._wire.write(self._machine.go_ahead())

    def _body(self, octets: bytes) -> None:
        room = self._intake.write(octets)
        if room is not None:
            self._await(room, lambda _: None, self._unwritten)

    def _unwritten(self, failure: Failure) -> None:
        # The rest of the body still comes: it is taken, and answered then.
        self._intake.drop()
        self._machine.spoil(phrase.FAULT)

    def _end(self, event: Event) -> None:
        self._ask(self._whole, self._intake.finish)

    def _whole(self, body: Body) -> None:
        self._intake.hand_over()
        door = self._post.door
        self._ask(self._judged, door.message, self.session, self._envelope, body)

    def _judged(self, answer: Reply) -> None:
        self._intake.drop()
        self._envelope = None
        self._say(answer)

    def _refused(self, refusal: Refusal) -> None:
        if refusal.mail is not None:
            self._envelope = self._post.envelope(refusal.mail)
        refused, envelope = self._post.door.refused, self._envelope
        self._ask(self._say, refused, self.session, envelope, refusal.reply)

    def _starttls(self, event: Event) -> None:
        self._say(READY_FOR_TLS)
        self._machine.secured()
        # RFC 3207 §4.2: what the client said of itself is forgotten.
        self.session = self.session.called("", extended=False)
        self._envelope = None
        self._wire.start_tls(self._post.tls)

    # Reading, time and the end.

    @property
    def _shaking_hands(self) -> bool:
        """Whether TLS has begun and is not there yet."""
        return self._machine.secure and not self.session.tls

    def _throttle(self) -> None:
        """Stop reading while nobody can look at more; start again after."""
        wire = self._wire
        busy = self._pending is not None or wire.blocked
        wire.read(not busy or len(self._machine) <= self._post.limits.pending)

    def _watch(self, moved: bool) -> None:
        """Set the next deadline."""
        machine, pace = self._machine, self._pace
        if machine.closed:
            return
        if self._pending is not None:
            pace.ours()
        elif machine.reading:
            pace.body()
        elif moved and machine.secure and self._shaking_hands:
            pace.handshake()
        elif moved or not self._deadline.running:
            pace.command(idle=not machine.receiving)

    def _late(self) -> None:
        self._parting.late(self._shaking_hands)

    def _leave(self) -> None:
        """Go after a client that said all it had to say."""
        if self._pending is None and not self._wire.blocked and not self._over:
            self._parting.leave()

    def abort(self, why: str) -> None:
        """Close at once, whatever is under way."""
        self._parting.abort(why)


_MEET: dict[object, Callable[[SMTPProtocol, Any], None]] = {
    Reply: lambda us, answer: us._say(us._post.corrected(us.session, answer)),
    bytes: SMTPProtocol._body,
    Hello: SMTPProtocol._hello,
    Login: SMTPProtocol._login,
    Mail: SMTPProtocol._mail,
    Rcpt: SMTPProtocol._rcpt,
    Refusal: SMTPProtocol._refused,
    Signal.OPENED: SMTPProtocol._opened,
    Signal.BEGIN: SMTPProtocol._begin,
    Signal.END: SMTPProtocol._end,
    Signal.STARTTLS: SMTPProtocol._starttls,
}
