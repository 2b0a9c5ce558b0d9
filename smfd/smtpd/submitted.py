"""
The end of DATA at the submission door: what our own people send.

Who wrote it, how much he sends, what the house rules say, whether there is a
virus in it; then to the mailboxes of ours, and out.

Standards: RFC 6409 §6.1 (what may be enforced), RFC 5321 §4.2.5.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.control.quota import Exceeded, Quota
from smfd.model.directory import Domain
from smfd.model.envelope import Envelope, Forward
from smfd.model.record import Record
from smfd.model.rule import Addressee
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.model.verdict import Disposition, Verdict
from smfd.policy.authorship import authorship
from smfd.policy.ruled import Ruled
from smfd.policy.sent import Sending, decide_sent, is_refused
from smfd.proto.reply import Reply
from smfd.scan.chain import Chain
from smfd.smtpd.accept import passed, unacceptable
from smfd.smtpd.answers import said as _said
from smfd.smtpd.custody import Arrival, Custody
from smfd.smtpd.house_rules import HouseRules, led_by
from smfd.smtpd.notices import Notices
from smfd.smtpd.recipients import Ends, Recipients
from smfd.smtpd.sent_trace import SentTracer
from smfd.smtpd.trace import KEPT
from smfd.store.directory import Directory


@frozen
class _Way:
    """
    Where a message goes.

    @ivar domains: those of its recipients that are ours.
    @ivar led: the addresses that led to a mailbox, by mailbox.
    """

    transaction: Transaction
    ends: Ends
    domains: Mapping[str, Domain]
    led: Mapping[str, tuple[str, ...]]

    @property
    def ours(self) -> frozenset[str]:
        """The recipients that are hosted here."""
        return frozenset(
            str(forward.address)
            for forward in self.transaction.envelope.recipients
            if forward.address.domain in self.domains
        )

    @property
    def recipients(self) -> tuple[Addressee, ...]:
        """All of them, as rules see them."""
        ours = self.ours
        names = [str(f.address) for f in self.transaction.envelope.recipients]
        return tuple(
            Addressee(
                name, "local" if name in ours else "outbound", self.led.get(name, ())
            )
            for name in names
        )


@frozen
class Submitted:
    """
    Takes whole messages of users who logged in, or says why not.

    @ivar identities: whose addresses count as an account's own.
    @ivar encrypted: domains whose users may send what nobody can look into.
    """

    custody: Custody
    chain: Chain
    directory: Directory
    recipients: Recipients
    tracer: SentTracer
    clock: IReactorTime
    identities: Callable[[str], Deferred[frozenset[str]]]
    quota: Quota
    rules: HouseRules
    notices: Notices
    encrypted: frozenset[str] = frozenset()

    _log = Logger()

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """Judge and commit, whether the client waits for it or not."""
        return self.custody.take(session, envelope, body, self._judge)

    async def _judge(self, arrival: Arrival) -> Reply:
        way = await self._addressed(arrival, arrival.envelope)
        envelope = way.transaction.envelope
        refusal = unacceptable(arrival.header, envelope, way.ends)
        refusal = refusal or await self._in_his_name(way.transaction)
        if refusal is not None:
            return self._refuse(arrival, way, refusal)
        ruled = await self.rules.judge(way.transaction, way.recipients)
        to = ruled.redirected(envelope)
        if to is not envelope:
            way = await self._addressed(arrival, to)
            refusal = unacceptable(arrival.header, to, way.ends)
            if refusal is not None:
                # Who gets it instead cannot be had; nobody is left out silently.
                return self._refuse(arrival, way, refusal)
        return await self._counted(arrival, way, ruled)

    def _refuse(self, arrival: Arrival, way: _Way, refusal: Reply) -> Reply:
        """Nobody looked into it; but nobody has us say so without end."""
        session = arrival.session
        noted = self.quota.refused(session.account)
        noted.addErrback(self._uncounted, session, "refused")
        return self.custody.refuse(arrival, way.transaction, None, refusal)

    async def _in_his_name(self, transaction: Transaction) -> Reply | None:
        """The refusal of what is written in another's name (S19, C15)."""
        account, envelope = transaction.session.account, transaction.envelope
        own = await self.identities(account)
        wrong = authorship(transaction.header, envelope.sender, account, own)
        if wrong is None:
            return None
        return _said(wrong.code, wrong.status, wrong.text, envelope)

    async def _counted(self, arrival: Arrival, way: _Way, ruled: Ruled) -> Reply:
        """Count it first; what is not kept after all does not count (S20, S24)."""
        session, envelope = arrival.session, arrival.envelope
        granted = await self.quota.spend(
            session.account,
            [str(forward.address) for forward in envelope.recipients],
            arrival.body.size,
            _digest(arrival),
            session.client,
        )
        if isinstance(granted, Exceeded):
            said = _said(granted.code, granted.status, granted.text, envelope)
            return self.custody.refuse(arrival, way.transaction, None, said)
        kept = False
        try:
            answer, kept = await self._sent(arrival, way, ruled, granted.held)
        finally:
            # Of what is refused a copy may be kept (C2), and takes room: it counts.
            if not kept:
                refunded = self.quota.refund(granted)
                refunded.addErrback(self._uncounted, session, "not taken")
        return answer

    def _uncounted(self, failure: Failure, session: Session, what: str) -> None:
        self._log.warn(
            "{account}: how a message counts that was {what} is not noted: {why}",
            account=session.account,
            what=what,
            why=failure.getErrorMessage(),
        )

    async def _sent(
        self, arrival: Arrival, way: _Way, ruled: Ruled, held: str
    ) -> tuple[Reply, bool]:
        """What is answered, and whether some of it is kept."""
        custody, transaction = self.custody, way.transaction.found(*ruled.findings)
        at = transaction.session.account.rpartition("@")[2]
        # C1 and C2: what people of ours get is always scanned.
        if way.domains or await self._is_scanned(at):
            transaction = await self.chain.run(transaction)
        sending = Sending(
            way.ours,
            held,
            encrypted=not self.encrypted.isdisjoint((at, "*")),
            ruled=ruled.fates,
        )
        verdict = decide_sent(transaction, sending)
        answer = _answer(verdict, transaction.envelope)
        if not any(f.disposition in KEPT for f in verdict.fates):
            said = custody.refuse(arrival, transaction, verdict, answer)
            custody.afterwards(
                self.rules.tell, ruled, transaction, verdict, self.notices
            )
            return said, False
        record = await custody.record(arrival, transaction, verdict, answer)
        entry = self.tracer.entry(transaction, verdict, record, way.domains, ruled.tops)
        await custody.keep(await custody.signed(entry, arrival.header), answer)
        custody.afterwards(self._tell, record)
        custody.afterwards(self.rules.tell_sender, ruled, record, self.notices)
        custody.afterwards(self.rules.tell, ruled, transaction, verdict, self.notices)
        return answer, True

    def _tell(self, record: Record) -> None:
        """C1: whoever sent a virus hears of it, and who looks after him."""
        if record.verdict != "virus":
            return
        account = record.account
        postmaster = f"postmaster@{account.rpartition('@')[2]}"
        why = next(fate.reason for fate in record.fates if fate.category == "virus")
        self.notices.send(
            (account, postmaster),
            f"virus {account}",
            "A message was held: it carries a virus",
            f"A message sent by {account} carries a virus and was not sent on.\n\n"
            f"Found: {why}\nSubject: {record.subject}\n"
            f"Recipients: {', '.join(record.recipients[:20])}\n"
            f"Number: {record.id}\n\n"
            "Whoever uses this account should look after his computer. There may be\n"
            "more of them: you are told once an hour at most.\n",
        )

    async def _is_scanned(self, at: str) -> bool:
        """Always, but where the sender's domain wants no scan of what goes out."""
        domain = await self.directory.domain(at)
        return domain is None or domain.scan_outbound

    async def _is_ours(self, forward: Forward) -> bool:
        """RFC 5321 §4.5.1: <postmaster> alone is the first domain's."""
        name = forward.address.domain
        return not name or await self.directory.is_hosted(name)

    async def _addressed(self, arrival: Arrival, envelope: Envelope) -> _Way:
        """To the mailboxes behind the recipients of ours, and to all others."""
        ours: list[Forward] = []
        others: list[Forward] = []
        for forward in envelope.recipients:
            (ours if await self._is_ours(forward) else others).append(forward)
        ends = Ends()
        if ours:
            ends = await self.recipients.ends(ours, passed(arrival.header))
        to = (*ends.forwards, *others)
        if to and to != envelope.recipients:
            envelope = evolve(envelope, recipients=to, named=ends.named)
        transaction = Transaction(
            envelope.id,
            Flow.OUTBOUND if others else Flow.LOCAL,
            self.clock.seconds(),
            arrival.session,
            envelope,
            arrival.body,
            arrival.header,
            ends.findings,
        )
        domains = {}
        for name in {forward.address.domain for forward in to}:
            domain = await self.directory.domain(name)
            if domain is not None:
                domains[name] = domain
        return _Way(transaction, ends, domains, led_by(ours, ends.shares))


def _digest(arrival: Arrival) -> bytes:
    """Of the body alone: what is sent again and again has a new header each time."""
    body = arrival.body
    if body.data is None:
        # It is a file, and not worth reading: few send the same large one often.
        return f"{body.size} {body.crc}".encode()
    return blake2b(body.data[arrival.header.size :], digest_size=16).digest()


def _answer(verdict: Verdict, envelope: Envelope) -> Reply:
    if is_refused(verdict):
        why = next(
            fate.reason
            for fate in verdict.fates
            if fate.disposition is Disposition.REJECT
        )
        return _said(550, "5.7.1", f"Not accepted: {why}", envelope)
    if verdict.fates[0].disposition is Disposition.DEFER:
        text = "The message cannot be checked now, try again later"
        return _said(451, "4.7.1", text, envelope)
    return _said(250, "2.0.0", "Accepted", envelope)
