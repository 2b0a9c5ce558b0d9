"""
The submission door: where our own people hand in what they send.

Nothing is taken but from who has logged in, and in a name that is his.

Standards: RFC 6409 §4.3 and §6.1, RFC 4954 §4 and §6, RFC 8314 §3.3.
"""

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from smfd.control.login import LoginRefused, Logins, account_of
from smfd.control.quota import Exceeded, Quota
from smfd.interfaces import Believed, IDoor, Said
from smfd.model.envelope import Envelope, Forward
from smfd.model.session import Session
from smfd.policy.authorship import sendership
from smfd.policy.networks import Networks, within
from smfd.proto.reply import Reply, reply
from smfd.proto.sasl import Login
from smfd.smtpd.mx import MX, OK_MAIL, OK_RCPT
from smfd.smtpd.recipients import Standing

LITERAL = reply(
    550, "5.7.1", "Mail is not sent to IP addresses from here, write to a domain"
)
NOT_AS = reply(535, "5.7.8", "Nobody logs in to act as another")


def _nobody(sender: str, recipient: str) -> str:
    """All mail is sent."""
    return ""


@implementer(IDoor)
@define
class Submission(MX):
    """
    What lies behind it takes whole messages of users.

    @ivar logins: knows who is who.
    @ivar identities: the addresses of an account.
    @ivar quota: what an account may send; None for as much as it likes.
    @ivar literals: networks whose addresses may stand for a domain.
    @ivar suppressed: why a sender's mail to a recipient is not sent, or "".
    """

    logins: Logins = field(kw_only=True)
    identities: Callable[[str], Deferred[frozenset[str]]] = field(kw_only=True)
    quota: Quota | None = field(kw_only=True, default=None)
    literals: Networks = field(kw_only=True, default=())
    suppressed: Callable[[str, str], str] = field(kw_only=True, default=_nobody)

    def login(self, session: Session, login: Login) -> Believed:
        """Find out who he is."""
        if not _is_himself(login):
            return self.refused(session, None, NOT_AS)
        return Deferred.fromCoroutine(self._login(session, login))

    async def _login(self, session: Session, login: Login) -> Reply | Session:
        found = await self.logins.login(
            login.user, login.password, session.client, "submission"
        )
        if isinstance(found, LoginRefused):
            self._note(session, found.account, found.kind)
            tried = evolve(session, account=found.account)
            return self.refused(tried, None, _refusal(found))
        excess = await self.quota.login(found) if self.quota is not None else None
        if excess is not None:
            # RFC 4954 §6 knows no other code for later.
            later = reply(454, "4.7.0", excess.text)
            return self.refused(evolve(session, account=found), None, later)
        self._note(session, found, "ok")
        return evolve(session, account=found)

    def _note(self, session: Session, account: str, what: str) -> None:
        # What was typed for a name may be a password: only addresses are named.
        self.recorder.maillog.line(
            session.id,
            client=session.client,
            helo=session.helo,
            login=what,
            sasl_username=account or "unknown",
        )

    def mail(self, session: Session, envelope: Envelope) -> Said:
        """Only in a name of his own (S19)."""
        trouble = self._trouble(envelope)
        if trouble is not None:
            return self.refused(session, envelope, trouble)
        return Deferred.fromCoroutine(self._mail(session, envelope))

    async def _mail(self, session: Session, envelope: Envelope) -> Reply:
        refusal = await self._named(session.account, envelope)
        if refusal is None and self.quota is not None:
            size = envelope.size or 0
            refusal = _excess(await self.quota.mail(session.account, size))
        if refusal is None:
            return OK_MAIL
        return self.refused(session, envelope, refusal)

    async def _named(self, account: str, envelope: Envelope) -> Reply | None:
        own = await self.identities(account)
        wrong = sendership(envelope.sender, account, own)
        return reply(wrong.code, wrong.status, wrong.text) if wrong else None

    def rcpt(self, session: Session, envelope: Envelope, forward: Forward) -> Said:
        """Mailboxes that are here, and all the world."""
        if self.quota is None:
            return super().rcpt(session, envelope, forward)
        return Deferred.fromCoroutine(
            self._rcpt(self.quota, session, envelope, forward)
        )

    async def _rcpt(
        self, quota: Quota, session: Session, envelope: Envelope, forward: Forward
    ) -> Reply:
        count = len(envelope.recipients) + 1
        excess = _excess(await quota.rcpt(session.account, count))
        if excess is not None:
            return self.refused(session, envelope.to(forward), excess)
        said = super().rcpt(session, envelope, forward)
        return await said if isinstance(said, Deferred) else said

    def _stands(
        self,
        standing: Standing,
        session: Session,
        envelope: Envelope,
        forward: Forward,
    ) -> Reply:
        if standing is not Standing.FOREIGN:
            return super()._stands(standing, session, envelope, forward)
        literal = _literal(forward.address.domain)
        # It would lead past everything that the DNS says of a domain, and to
        # what only we can reach.
        if literal and not within(literal, self.literals):
            return self.refused(session, envelope.to(forward), LITERAL)
        unknown = self.suppressed(str(envelope.sender or ""), str(forward.address))
        if unknown:
            gone = reply(550, "5.1.1", unknown)
            return self.refused(session, envelope.to(forward), gone)
        return OK_RCPT


def _is_himself(login: Login) -> bool:
    """RFC 4616 §2: to name oneself twice is to name no other."""
    if login.authorization in ("", login.user):
        return True
    account = account_of(login.authorization)
    return bool(account) and account == account_of(login.user)


def _literal(domain: str) -> str:
    """The IP address that a domain is, RFC 5321 §4.1.3; "" when it has a name."""
    return domain[1:-1].removeprefix("IPv6:") if domain.startswith("[") else ""


def _excess(excess: Exceeded | None) -> Reply | None:
    if excess is None:
        return None
    return reply(excess.code, excess.status, excess.text)


def _refusal(refused: LoginRefused) -> Reply:
    if refused.kind in ("wrong", "restricted"):
        return reply(535, "5.7.8", refused.text)
    # RFC 4954 §6: a temporary authentication failure.
    return reply(454, "4.7.0", refused.text)
