"""
The gate that counts: who asks for too much is asked to come again.

Standards: RFC 5321 §4.2.2 (421, 450, 452), RFC 3463 §3.8 (4.7.0).
"""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from smfd.interfaces import IGate
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.policy.limits import Excess, Table, Tally, What, network
from smfd.policy.source import within
from smfd.proto.reply import Reply, reply

Networks = Sequence[IPv4Network | IPv6Network]


@define(eq=False)
class Visit:
    """
    A connection that is counted.

    @ivar tallies: of its address, its network and all.
    @ivar held: what of it is counted at once, to be given back.
    """

    tallies: tuple[Tally, ...]
    held: list[tuple[Tally, What, float]] = field(factory=list)

    def take(self, what: What, now: float, count: float = 1.0) -> Excess | None:
        """Use something up, in all tallies; the first excess."""
        return first(tally.take(what, now, count) for tally in self.tallies)

    def hold(self, what: What, now: float, count: float = 1.0) -> Excess | None:
        """Use something for a while, in all tallies; the first excess."""
        for tally in self.tallies:
            excess = tally.take(what, now, count)
            if excess is not None:
                return excess
            if what in tally.scope.limits:
                self.held.append((tally, what, count))
        return None

    def give_back(self, *whats: What) -> None:
        """What was held of these is not any more."""
        kept = []
        for tally, what, count in self.held:
            if what in whats:
                tally.give_back(what, count)
            else:
                kept.append((tally, what, count))
        self.held = kept

    def barred(self, now: float) -> Excess | None:
        """Why it is not heard now, if it is not."""
        return first(tally.bar(now) for tally in self.tallies)


def first(excesses: Iterable[Excess | None]) -> Excess | None:
    """The first that is one; what comes behind it is not counted."""
    return next((excess for excess in excesses if excess is not None), None)


@implementer(IGate)
@define(eq=False)
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
    _visits: dict[str, Visit] = field(factory=dict, init=False)

    _log = Logger()

    def connected(self, session: Session) -> Deferred[Reply | None]:
        """421 for who is barred, comes too often, or is here too often."""
        if within(session.client, self.exempt):
            return succeed(None)
        now = self.seconds()
        visit = self._visits[session.id] = Visit(
            (
                self.addresses.of(session.client, now),
                self.networks.of(network(session.client), now),
                self.everybody,
            )
        )
        excess = (
            visit.barred(now)
            or visit.hold(What.CONNECTIONS, now)
            or visit.take(What.RATE, now)
        )
        return self._answer(421, excess, session)

    def hello(self, session: Session) -> Deferred[Reply | None]:
        """Whoever is in may say so."""
        return succeed(None)

    def mail(self, session: Session, envelope: Envelope) -> Deferred[Reply | None]:
        """450 for one message too many."""
        visit = self._visits.get(session.id)
        if visit is None:
            return succeed(None)
        visit.give_back(What.OCTETS)
        return self._spend(450, What.MESSAGES, visit, session, envelope)

    def rcpt(
        self, session: Session, envelope: Envelope, forward: Forward
    ) -> Deferred[Reply | None]:
        """452 for one recipient too many, 421 for one guess too many."""
        visit = self._visits.get(session.id)
        if visit is None:
            return succeed(None)
        barred = visit.barred(self.seconds())
        if barred is not None:
            return self._answer(421, barred, session)
        return self._spend(452, What.RECIPIENTS, visit, session, envelope)

    def findings(self, session: Session, envelope: Envelope) -> Sequence[Finding]:
        """Nothing: how much somebody sends says nothing of a message."""
        return ()

    def noted(self, session: Session, record: Record) -> None:
        """A refusal for good is an error, and perhaps a guess."""
        visit = self._visits.get(session.id)
        if visit is None or record.verdict != "refused":
            return
        sins = [What.ERRORS]
        # RFC 3463 §3.2: bad destination mailbox address.
        if " 5.1.1 " in record.reply[:10]:
            sins.append(What.UNKNOWN)
        now = self.seconds()
        for tally in visit.tallies:
            for what in sins:
                self._tell(tally.sin(what, now, self.penalty), session)

    def closed(self, session: Session) -> None:
        """Give back what was held."""
        visit = self._visits.pop(session.id, None)
        if visit is not None:
            visit.give_back(What.CONNECTIONS, What.OCTETS)

    # For the body of a message, which no gate sees.

    def counts(self, session: Session) -> bool:
        """Whether anything is counted for it."""
        return session.id in self._visits

    def carry(self, session: Session, octets: int) -> Excess | None:
        """So many more octets of a message are under way."""
        visit = self._visits.get(session.id)
        if visit is None:
            return None
        excess = visit.hold(What.OCTETS, self.seconds(), octets)
        self._tell(excess, session)
        return excess

    def carried(self, session: Session) -> None:
        """They have arrived, or never will."""
        visit = self._visits.get(session.id)
        if visit is not None:
            visit.give_back(What.OCTETS)

    def _spend(
        self, code: int, what: What, visit: Visit, session: Session, envelope: Envelope
    ) -> Deferred[Reply | None]:
        now = self.seconds()
        excess = visit.take(what, now)
        sender = envelope.sender
        if excess is None and sender is not None and sender.domain:
            excess = self.domains.of(sender.domain.lower(), now).take(what, now)
        return self._answer(code, excess, session)

    def _answer(
        self, code: int, excess: Excess | None, session: Session
    ) -> Deferred[Reply | None]:
        if excess is None:
            return succeed(None)
        self._tell(excess, session)
        text = f"{excess}, try again later"
        return succeed(reply(code, "4.7.0", text, closes=code == 421))

    def _tell(self, excess: Excess | None, session: Session) -> None:
        """The log, once a minute for each source."""
        if excess is not None and excess.first:
            self._log.warn(
                "session {id}: {excess}: {client}",
                id=session.id,
                client=session.client,
                excess=str(excess),
            )
