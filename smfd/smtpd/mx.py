"""
The front door: the MX of the hosted domains.

It takes mail for mailboxes that are here (C16) from whoever comes, within
limits.  What it refuses it refuses with a record that can be found.

Standards: RFC 5321 §3.3, §3.6.2 (no relaying), §4.5.1 (postmaster).
"""

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from smfd.interfaces import Believed, IDoor, IIncoming, Said
from smfd.model.envelope import Envelope, Forward
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.policy.networks import Networks, within
from smfd.proto.phrase import NOT_OFFERED
from smfd.proto.reply import Reply, reply
from smfd.proto.sasl import Login
from smfd.smtpd.custody import Custody
from smfd.smtpd.recipients import ENDLESS, Recipients, Standing, Trouble
from smfd.smtpd.recorder import Recorder
from smfd.store.spool import Spool

OK_MAIL = reply(250, "2.1.0", "Sender OK")
OK_RCPT = reply(250, "2.1.5", "Recipient OK")
FULL = reply(452, "4.3.1", "Insufficient system storage, try again later")
BROKEN = reply(451, "4.3.0", "Mail system trouble, try again later")
BEHIND = reply(451, "4.3.2", "Delivery is behind, try again later")

_REFUSALS = {
    Standing.UNKNOWN: Trouble(550, "5.1.1", "No such mailbox here"),
    Standing.FOREIGN: Trouble(550, "5.7.1", "We do not relay for that domain"),
    Standing.UNSURE: Trouble(
        450, "4.1.1", "The recipient cannot be verified now, try again later"
    ),
    Standing.ENDLESS: ENDLESS,
}

#: Seconds that DATA waits for a turn; RFC 5321 §4.5.3.2.4 has the client wait
#: for two minutes.
PATIENCE = 60.0


class Behind(Protocol):
    """What lies behind a door: it takes whole messages, or says why not."""

    @property
    def custody(self) -> Custody:
        """What keeps them."""

    @property
    def recipients(self) -> Recipients:
        """Knows whose mail it is."""

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """Judge one, and make it ours or not."""


@implementer(IDoor)
@define
class MX:
    """
    @ivar hostname: what we call ourselves.
    @ivar connections: how many at once, in all.
    @ivar per_address: how many at once from one address.
    @ivar exempt: networks that per_address does not count.
    """

    hostname: str
    spool: Spool
    recorder: Recorder
    acceptance: Behind
    clock: IReactorTime
    ids: Callable[[], str]
    connections: int = 3000
    per_address: int = 50
    exempt: Networks = ()
    _open: int = field(default=0, init=False)
    _from: Counter[str] = field(factory=Counter, init=False)
    _greeting: Reply = field(init=False)
    _welcome: Reply = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._greeting = reply(220, "", f"{self.hostname} ESMTP smfd")
        self._welcome = reply(250, "", f"{self.hostname} greets you")

    def connected(self, session: Session) -> Reply:
        """Greet, unless there are too many."""
        self._open += 1
        self._from[session.client] += 1
        too_many = self._from[session.client] > self.per_address
        if self._open > self.connections:
            return self._turn_away(session, "Too many connections")
        if too_many and not within(session.client, self.exempt):
            return self._turn_away(session, "Too many connections from your address")
        return self._greeting

    def _turn_away(self, session: Session, why: str) -> Reply:
        text = f"{self.hostname} {why}, try again later"
        said = reply(421, "4.7.0", text, closes=True)
        return self.recorder.refused(session.id, session, None, said)

    def hello(self, session: Session) -> Reply:
        """Whoever says who he is, is welcome."""
        return self._welcome

    def login(self, session: Session, login: Login) -> Believed:
        """Nobody logs in here; the machine does not even ask."""
        return NOT_OFFERED

    def mail(self, session: Session, envelope: Envelope) -> Said:
        """Any sender, as long as there is room for his message."""
        # RFC 1870 §6.1: say so before the message is sent.
        trouble = self._trouble(envelope)
        return self.refused(session, envelope, trouble) if trouble else OK_MAIL

    def _trouble(self, envelope: Envelope) -> Reply | None:
        """What keeps any message of that size from being ours."""
        if self.acceptance.custody.ledger.suspect:
            return BROKEN
        return None if self.spool.has_room(envelope.size or 0) else FULL

    def rcpt(self, session: Session, envelope: Envelope, forward: Forward) -> Said:
        """Only mailboxes that are here: unknown ones are refused now (C16)."""
        address = forward.address
        if not address.domain:
            # RFC 5321 §4.5.1: <postmaster> alone is always somebody.
            return OK_RCPT
        recipients = self.acceptance.recipients
        if recipients.is_plain(address):
            return OK_RCPT
        d = recipients.standing(address)
        return d.addCallback(self._stands, session, envelope, forward)

    def _stands(
        self,
        standing: Standing,
        session: Session,
        envelope: Envelope,
        forward: Forward,
    ) -> Reply:
        if standing is Standing.TAKEN:
            return OK_RCPT
        refused, why = envelope.to(forward), _REFUSALS[standing]
        said = reply(why.code, why.status, why.text)
        return self.recorder.refused(self.ids(), session, refused, said)

    def data(
        self, session: Session, envelope: Envelope
    ) -> Reply | IIncoming | Deferred[Reply | IIncoming]:
        """Where the message goes, if there is room; it may wait for a turn."""
        turn = self.acceptance.custody.turn()
        if turn is None and self._trouble(envelope) is None:
            return self.spool.receive(envelope.id)
        return Deferred.fromCoroutine(self._data(session, envelope, turn))

    async def _data(
        self, session: Session, envelope: Envelope, turn: Deferred[None] | None
    ) -> Reply | IIncoming:
        try:
            if turn is not None:
                await turn.addTimeout(PATIENCE, self.clock)
        except defer.TimeoutError:
            return self.refused(session, envelope, BEHIND)
        trouble = self._trouble(envelope)
        if trouble is not None:
            return self.refused(session, envelope, trouble)
        return self.spool.receive(envelope.id)

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """Judge it, and make it ours or not."""
        return self.acceptance.message(session, envelope, body)

    def refused(
        self, session: Session, envelope: Envelope | None, refusal: Reply
    ) -> Reply:
        """A message that did not come so far is written down too."""
        # Not the envelope's id: what was refused at DATA may be tried once more.
        name = self.ids()
        return self.recorder.refused(name, session, envelope, refusal)

    def erred(self, session: Session, answer: Reply) -> None:
        """No affair of the door's: the machine knows how many are too many."""

    def closed(self, session: Session, why: str) -> None:
        """Forget the connection; note an end that is not a good-bye."""
        self._open -= 1
        self._from[session.client] -= 1
        if not self._from[session.client]:
            del self._from[session.client]
        if why:
            self.recorder.closed(session, why)
