"""
The end of DATA at the front door: judged, kept, answered.

Nothing passes unscanned.

Standards: RFC 5321 §4.2.5, §6.3 (loops).
"""

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from smfd.format.header import Header
from smfd.model.envelope import Envelope
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.policy.decide import Policy
from smfd.proto.reply import Reply
from smfd.scan.chain import Chain
from smfd.smtpd import answers
from smfd.smtpd.answers import said as _said
from smfd.smtpd.custody import Arrival, Custody
from smfd.smtpd.guarded import Gates
from smfd.smtpd.policed import Judged, Policed, domains_of
from smfd.smtpd.recipients import Ends, Recipients
from smfd.smtpd.trace import Tracer
from smfd.store.directory import Directory

#: So many Received fields are no loop yet.  RFC 5321 §6.3 would rather have a
#: hundred; Postfix's fifty have been enough for all, and halve what a loop costs.
HOPS = 50


@frozen
class Acceptance:
    """
    Takes whole messages and makes them ours, or says why not.

    @ivar recipients: whose mail it is.
    @ivar policed: knows the mail policies.
    @ivar gates: know where it comes from.
    """

    custody: Custody
    chain: Chain
    policy: Policy
    directory: Directory
    recipients: Recipients
    tracer: Tracer
    clock: IReactorTime
    policed: Policed
    gates: Gates = field(factory=Gates)

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """Judge and commit, whether the client waits for it or not."""
        return self.custody.take(session, envelope, body, self._judge)

    async def _judge(self, arrival: Arrival) -> Reply:
        custody, session = self.custody, arrival.session
        transaction, ends = await self._addressed(arrival)
        envelope = transaction.envelope
        together = ends.shares if session.lmtp else ()
        refusal = unacceptable(arrival.header, envelope, ends)
        if refusal is not None:
            return custody.refuse(arrival, transaction, None, refusal)
        transaction = self.policy.weigh(await self.chain.run(transaction))
        domains = await domains_of(self.directory, envelope)
        groups = answers.merged(together)
        judged = Judged(
            transaction, self.policy.decide(transaction, domains, groups), domains
        )
        judged = await self.policed.judge(judged, arrival.envelope, ends, groups)
        said = answers.each(judged.verdict, envelope, together, judged.ruled.text)
        if said.positive:
            await self._keep(arrival, judged, said)
        else:
            custody.refuse(arrival, judged.transaction, judged.verdict, said)
        custody.afterwards(self.policed.tell, judged)
        return said

    async def _keep(self, arrival: Arrival, judged: Judged, said: Reply) -> None:
        transaction, verdict = judged.transaction, judged.verdict
        record = await self.custody.record(arrival, transaction, verdict, said)
        entry = self.tracer.entry(transaction, verdict, record, judged.domains)
        entry = judged.ruled.headed(entry)
        results = self.tracer.vouched(transaction)
        entry = await self.custody.sealed(entry, arrival.header, results)
        await self.custody.keep(entry, said)

    async def _addressed(self, arrival: Arrival) -> tuple[Transaction, Ends]:
        """To the mailboxes behind the recipients, if there are any."""
        session, envelope, header = arrival.session, arrival.envelope, arrival.header
        ends = await self.recipients.ends(envelope.recipients, passed(header))
        if ends.forwards and ends.forwards != envelope.recipients:
            envelope = evolve(envelope, recipients=ends.forwards, named=ends.named)
        transaction = Transaction(
            envelope.id,
            Flow.INBOUND,
            self.clock.seconds(),
            session,
            envelope,
            arrival.body,
            header,
            (*self.gates.findings(session, envelope), *ends.findings),
        )
        return transaction, ends


def passed(header: Header) -> list[bytes]:
    """The mailboxes that it says it was delivered to before."""
    return [field.value for field in header.all("delivered-to")]


def unacceptable(header: Header, envelope: Envelope, ends: Ends) -> Reply | None:
    """What is refused before anybody judges it."""
    if "oversized" in header.defects or "too-many-fields" in header.defects:
        return _said(552, "5.3.4", "Message header too large", envelope)
    if len(header.all("received")) > HOPS:
        return _said(554, "5.4.6", "Too many hops, this is a loop", envelope)
    if ends.trouble is not None:
        trouble = ends.trouble
        return _said(trouble.code, trouble.status, trouble.text, envelope)
    return None
