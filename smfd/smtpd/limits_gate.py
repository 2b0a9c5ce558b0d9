"""
The gate that counts: who asks for too much is asked to come again.

Standards: RFC 5321 §4.2.2 (421, 450, 452), RFC 3463 §3.8 (4.7.0).
"""

from collections.abc import Callable, Iterable

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from smfd.interfaces import Answer, IGate, IIncoming, IVisit
from smfd.model.envelope import Envelope, Forward
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.policy.limits import Excess, Table, Tally, What
from smfd.policy.networks import Networks, network_of, within
from smfd.proto.reply import Reply, reply
from smfd.smtpd.visit import Visit

#: Octets are counted by the so many.
_STEP = 131072


@implementer(IIncoming)
@define(eq=False)
class Weighed:
    """
    A body while it arrives, as long as there may be more of it.

    Behind that the rest is taken and thrown away, and the end is empty.
    """

    incoming: IIncoming
    visit: "LimitsVisit"
    session: Session
    _room: int = field(default=0, init=False)
    _over: bool = field(default=False, init=False)

    def write(self, chunk: bytes) -> "Deferred[None] | None":
        """Weigh it and pass it on."""
        self._room -= len(chunk)
        if self._room < 0 and not self._over:
            more = -(self._room // _STEP) * _STEP
            self._room += more
            if not self.visit.carry(self.session, more):
                self._over = True
                self.incoming.abandon()
        if self._over:
            return None
        room: Deferred[None] | None = self.incoming.write(chunk)
        return room

    def finish(self) -> Body | Deferred[Body]:
        """All of it, or nothing."""
        if self._over:
            return Body(0, b"")
        whole: Body | Deferred[Body] = self.incoming.finish()
        return whole

    def abandon(self) -> None:
        """It will never be complete."""
        if not self._over:
            self.incoming.abandon()


@define(eq=False)
class LimitsVisit(Visit):
    """
    A connection that is counted.

    @ivar tallies: of its address, its network and all.
    @ivar domains: one for each sender's domain.
    @ivar seconds: the time now.
    @ivar penalty: seconds for which a source is not heard that guesses.
    """

    tallies: tuple[Tally, ...]
    domains: Table
    seconds: Callable[[], float]
    penalty: float
    _held: list[tuple[Tally, What, float]] = field(factory=list, init=False)
    _heavy: Excess | None = field(default=None, init=False)
    _early: bool = field(default=False, init=False)

    _log = Logger()

    def connected(self, session: Session) -> Answer:
        """421 for who is barred, comes too often, or is here too often."""
        now = self.seconds()
        excess = (
            self._barred(now)
            or self._hold(What.CONNECTIONS, now)
            or self._take(What.RATE, now)
        )
        return self._answer(421, excess, session)

    def hello(self, session: Session) -> Answer:
        """Who did not wait for the greeting has made his first error."""
        if session.early and not self._early:
            self._early = True
            self._sin(session, What.ERRORS)
        return None

    def mail(self, session: Session, envelope: Envelope) -> Answer:
        """450 for one message too many."""
        self._give_back(What.OCTETS)
        return self._spend(450, What.MESSAGES, session, envelope)

    def rcpt(self, session: Session, envelope: Envelope, forward: Forward) -> Answer:
        """452 for one recipient too many, 421 for one guess too many."""
        barred = self._barred(self.seconds())
        if barred is not None:
            return self._answer(421, barred, session)
        return self._spend(452, What.RECIPIENTS, session, envelope)

    def message(self, session: Session, envelope: Envelope, body: Body) -> Answer:
        """452 for what was too much; there is nothing of it."""
        heavy, self._heavy = self._heavy, None
        return self._answer(452, heavy, session)

    def incoming(self, session: Session, incoming: IIncoming) -> IIncoming:
        """Bodies are weighed."""
        self._heavy = None
        return Weighed(incoming, self, session)

    def carry(self, session: Session, octets: int) -> bool:
        """So many more octets of a message are under way; whether they may be."""
        self._heavy = self._hold(What.OCTETS, self.seconds(), octets)
        return self._heavy is None

    def noted(self, session: Session, record: Record) -> None:
        """
        What was under way is here, or never will be.

        A refusal for good is an error, and perhaps a guess.
        """
        self._give_back(What.OCTETS)
        if record.verdict != "refused":
            return
        sins = [What.ERRORS]
        if record.unknown:
            sins.append(What.UNKNOWN)
        self._sin(session, *sins)

    def erred(self, session: Session, answer: Reply) -> None:
        """An error."""
        self._sin(session, What.ERRORS)

    def closed(self) -> None:
        """Give back what was held."""
        self._give_back(What.CONNECTIONS, What.OCTETS)

    def _sin(self, session: Session, *sins: What) -> None:
        """Count what is not forgotten at once, in all tallies."""
        now = self.seconds()
        for tally in self.tallies:
            for what in sins:
                self._tell(tally.sin(what, now, self.penalty), session)

    def _take(self, what: What, now: float) -> Excess | None:
        """Use one up, in all tallies; the first excess."""
        return _first(tally.take(what, now) for tally in self.tallies)

    def _hold(self, what: What, now: float, count: float = 1.0) -> Excess | None:
        """Use something for a while, in all tallies; the first excess."""
        for tally in self.tallies:
            excess = tally.take(what, now, count)
            if excess is not None:
                return excess
            if what in tally.scope.limits:
                self._held.append((tally, what, count))
        return None

    def _give_back(self, *whats: What) -> None:
        """What was held of these is not any more."""
        kept = []
        for tally, what, count in self._held:
            if what in whats:
                tally.give_back(what, count)
            else:
                kept.append((tally, what, count))
        self._held = kept

    def _barred(self, now: float) -> Excess | None:
        """Why it is not heard now, if it is not."""
        return _first(tally.bar(now) for tally in self.tallies)

    def _spend(
        self, code: int, what: What, session: Session, envelope: Envelope
    ) -> Answer:
        now = self.seconds()
        excess = self._take(what, now)
        sender = envelope.sender
        if excess is None and sender is not None and sender.domain:
            excess = self.domains.of(sender.domain.lower(), now).take(what, now)
        return self._answer(code, excess, session)

    def _answer(self, code: int, excess: Excess | None, session: Session) -> Answer:
        if excess is None:
            return None
        self._tell(excess, session)
        text = f"{excess}, try again later"
        return reply(code, "4.7.0", text, closes=code == 421)

    def _tell(self, excess: Excess | None, session: Session) -> None:
        """The log, once a minute for each source."""
        if excess is not None and excess.first:
            self._log.warn(
                "session {id}: {excess}: {client}",
                id=session.id,
                client=session.client,
                excess=str(excess),
            )


def _first(excesses: Iterable[Excess | None]) -> Excess | None:
    """The first that is one; what comes behind it is not counted."""
    return next((excess for excess in excesses if excess is not None), None)


@implementer(IGate)
@frozen
class LimitsGate:
    """
    Counts what sources do.

    @ivar addresses: a tally for each address.
    @ivar networks: one for each /24 or /64.
    @ivar domains: one for each sender's domain.
    @ivar everybody: one for all.
    @ivar seconds: the time now.
    @ivar penalty: seconds for which a source is not heard that guesses.
    @ivar exempt: networks that nothing is counted for.
    """

    addresses: Table
    networks: Table
    domains: Table
    everybody: Tally
    seconds: Callable[[], float]
    penalty: float = 600.0
    exempt: Networks = ()

    def visit(self, session: Session) -> IVisit | None:
        """Count it, unless it is exempt."""
        if within(session.client, self.exempt):
            return None
        now = self.seconds()
        tallies = (
            self.addresses.of(session.client, now),
            self.networks.of(network_of(session.client), now),
            self.everybody,
        )
        return LimitsVisit(tallies, self.domains, self.seconds, self.penalty)
