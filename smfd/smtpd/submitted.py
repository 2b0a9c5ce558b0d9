"""
The end of DATA at the submission door: what our own people send.

Who wrote it, how much he sends, what the house rules say, whether there is a
virus in it; then to the mailboxes of ours, and out.

Standards: RFC 6409 §6.1 (what may be enforced), RFC 5321 §4.2.5.
"""

from collections.abc import Callable, Mapping

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from smfd.model.directory import Domain
from smfd.model.envelope import Envelope, Forward
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.model.verdict import Disposition, Verdict
from smfd.policy.authorship import authorship
from smfd.policy.sent import Sending, decide_sent, is_refused
from smfd.proto.reply import Reply
from smfd.scan.chain import Chain
from smfd.smtpd.accept import passed, unacceptable
from smfd.smtpd.answers import said as _said
from smfd.smtpd.custody import Arrival, Custody
from smfd.smtpd.notices import Notices
from smfd.smtpd.recipients import Ends, Recipients
from smfd.smtpd.sent_trace import SentTracer
from smfd.store.directory import Directory


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
    notices: Notices
    encrypted: frozenset[str] = frozenset()

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """Judge and commit, whether the client waits for it or not."""
        return self.custody.take(session, envelope, body, self._judge)

    async def _judge(self, arrival: Arrival) -> Reply:
        transaction, ends, domains = await self._addressed(arrival)
        envelope = transaction.envelope
        refusal = unacceptable(arrival.header, envelope, ends)
        refusal = refusal or await self._in_his_name(transaction)
        if refusal is not None:
            return self.custody.refuse(arrival, transaction, None, refusal)
        return await self._sent(arrival, transaction, domains)

    async def _in_his_name(self, transaction: Transaction) -> Reply | None:
        """The refusal of what is written in another's name (S19, C15)."""
        account, envelope = transaction.session.account, transaction.envelope
        own = await self.identities(account)
        wrong = authorship(transaction.header, envelope.sender, account, own)
        if wrong is None:
            return None
        return _said(wrong.code, wrong.status, wrong.text, envelope)

    async def _sent(
        self, arrival: Arrival, transaction: Transaction, domains: Mapping[str, Domain]
    ) -> Reply:
        custody, envelope = self.custody, transaction.envelope
        at = transaction.session.account.rpartition("@")[2]
        # C1 and C2: what people of ours get is always scanned.
        if domains or await self._is_scanned(at):
            transaction = await self.chain.run(transaction)
        sending = Sending(
            frozenset(
                str(forward.address)
                for forward in envelope.recipients
                if forward.address.domain in domains
            ),
            encrypted=not self.encrypted.isdisjoint((at, "*")),
        )
        verdict = decide_sent(transaction, sending)
        answer = _answer(verdict, envelope)
        if not any(f.disposition in _KEPT for f in verdict.fates):
            return custody.refuse(arrival, transaction, verdict, answer)
        record = await custody.record(arrival, transaction, verdict, answer)
        entry = self.tracer.entry(transaction, verdict, record, domains)
        await custody.keep(entry, answer)
        self._tell(record)
        return answer

    def _tell(self, record: Record) -> None:
        """C1: whoever sent a virus hears of it, and who looks after him."""
        if record.verdict != "virus":
            return
        account = record.account
        postmaster = f"postmaster@{account.rpartition('@')[2]}"
        why = record.fates[0].reason
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

    async def _addressed(
        self, arrival: Arrival
    ) -> tuple[Transaction, Ends, Mapping[str, Domain]]:
        """To the mailboxes behind the recipients of ours, and to all others."""
        envelope, header = arrival.envelope, arrival.header
        ours: list[Forward] = []
        others: list[Forward] = []
        for forward in envelope.recipients:
            (ours if await self._is_ours(forward) else others).append(forward)
        ends = Ends()
        if ours:
            ends = await self.recipients.ends(ours, passed(header))
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
            header,
            ends.findings,
        )
        domains = {}
        for name in {forward.address.domain for forward in to}:
            domain = await self.directory.domain(name)
            if domain is not None:
                domains[name] = domain
        return transaction, ends, domains


_KEPT = (Disposition.DELIVER, Disposition.QUARANTINE)


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
