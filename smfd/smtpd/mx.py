"""
The front door: the MX of the hosted domains.

It takes mail for mailboxes that are here (C16) from whoever comes, within
limits.  What it refuses it refuses with a record that can be found.

Standards: RFC 5321 §3.3, §3.6.2 (no relaying), §4.5.1 (postmaster).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from smfd.interfaces import IDoor, IIncoming
from smfd.model.directory import Account, Domain
from smfd.model.envelope import Envelope, Forward
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.proto.reply import Reply, reply
from smfd.smtpd.accept import Acceptance
from smfd.store.directory import Directory
from smfd.store.ledger import Ledger
from smfd.store.maillog import MailLog
from smfd.store.spool import Spool

Networks = Sequence[IPv4Network | IPv6Network]

OK_MAIL = reply(250, "2.1.0", "Sender OK")
OK_RCPT = reply(250, "2.1.5", "Recipient OK")
FULL = reply(452, "4.3.1", "Insufficient system storage, try again later")


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
    directory: Directory
    spool: Spool
    ledger: Ledger
    maillog: MailLog
    acceptance: Acceptance
    clock: IReactorTime
    ids: Callable[[], str]
    connections: int = 2000
    per_address: int = 50
    exempt: Networks = ()
    _open: int = field(default=0, init=False)
    _from: Counter[str] = field(factory=Counter, init=False)

    def connected(self, session: Session) -> Deferred[Reply]:
        """Greet, unless there are too many."""
        self._open += 1
        self._from[session.client] += 1
        too_many = self._from[session.client] > self.per_address
        if self._open > self.connections:
            return self._turn_away(session, "Too many connections")
        if too_many and not self._is_exempt(session.client):
            return self._turn_away(session, "Too many connections from your address")
        return succeed(reply(220, "", f"{self.hostname} ESMTP smfd"))

    def _is_exempt(self, client: str) -> bool:
        address = ip_address(client.partition("%")[0])
        return any(address in network for network in self.exempt)

    def _turn_away(self, session: Session, why: str) -> Deferred[Reply]:
        text = f"{self.hostname} {why}, try again later id={session.id}"
        said = reply(421, "4.7.0", text, closes=True)
        self._refused(session, session.id, said)
        return succeed(said)

    def hello(self, session: Session) -> Deferred[Reply]:
        """Whoever says who he is, is welcome."""
        return succeed(reply(250, "", f"{self.hostname} greets you"))

    def mail(self, session: Session, envelope: Envelope) -> Deferred[Reply]:
        """Any sender, as long as there is room for his message."""
        if not self.spool.has_room(envelope.size or 0):
            # RFC 1870 §6.1: say so before the message is sent.
            return succeed(FULL)
        return succeed(OK_MAIL)

    def rcpt(
        self, session: Session, envelope: Envelope, forward: Forward
    ) -> Deferred[Reply]:
        """Only mailboxes that are here: unknown ones are refused now (C16)."""
        address = forward.address
        if not address.domain:
            # RFC 5321 §4.5.1: <postmaster> alone is always somebody.
            return succeed(OK_RCPT)
        d = self.directory.account(str(address))
        return d.addCallback(self._known, session, envelope, forward)

    def _known(
        self,
        account: Account | None,
        session: Session,
        envelope: Envelope,
        forward: Forward,
    ) -> Reply | Deferred[Reply]:
        if account is not None:
            return OK_RCPT
        return self.directory.domain(forward.address.domain).addCallback(
            self._unknown, session, envelope, forward
        )

    def _unknown(
        self,
        domain: Domain | None,
        session: Session,
        envelope: Envelope,
        forward: Forward,
    ) -> Reply:
        name = self.ids()
        if domain is None:
            said = reply(550, "5.7.1", f"We do not relay for that domain id={name}")
        else:
            said = reply(550, "5.1.1", f"No such mailbox here id={name}")
        self._refused(session, name, said, envelope, forward)
        return said

    def data(self, session: Session, envelope: Envelope) -> Deferred[Reply | IIncoming]:
        """Where the message goes, if there is room; it may wait for a turn."""
        if not self.spool.has_room(envelope.size or 0):
            return succeed(FULL)
        return self.acceptance.turn().addCallback(
            lambda _: self.spool.receive(envelope.id)
        )

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """Judge it, and make it ours or not."""
        return self.acceptance.message(session, envelope, body)

    def closed(self, session: Session, why: str) -> None:
        """Forget the connection; note an end that is not a good-bye."""
        self._open -= 1
        self._from[session.client] -= 1
        if not self._from[session.client]:
            del self._from[session.client]
        if why:
            self.maillog.line(
                session.id, client=session.client, helo=session.helo, closed=why
            )

    def _refused(
        self,
        session: Session,
        name: str,
        said: Reply,
        envelope: Envelope | None = None,
        forward: Forward | None = None,
    ) -> None:
        """Everything refused can be found: a record and a line in the log."""
        sender = envelope.sender if envelope else None
        recipient = str(forward.address) if forward else ""
        text = f"{said.code} {said.status} {said.lines[0]}"
        self.ledger.note(
            Record(
                id=name,
                kind="refusal",
                time=self.clock.seconds(),
                flow="inbound",
                client=session.client,
                helo=session.helo,
                tls=session.tls,
                sender=str(sender or ""),
                recipients=(recipient,) if recipient else (),
                verdict="refused",
                reply=text,
            )
        )
        self.maillog.line(
            name,
            client=session.client,
            helo=session.helo,
            **{"from": f"<{sender or ''}>" if envelope else ""},
            to=f"<{recipient}>" if recipient else "",
            status="refused",
            reply=text,
        )
