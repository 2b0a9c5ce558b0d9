"""
The end of DATA: judged, committed, answered.

250 is sent after the ledger's commit and never before.  What cannot be judged
or kept is deferred; nothing is lost, and nothing passes unscanned.

Standards: RFC 5321 §4.2.5, §6.1, §6.3 (loops).
"""

from collections.abc import Mapping
from time import perf_counter

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.delivery.runner import Runner
from smfd.format.header import Header, read_header
from smfd.model.directory import Domain
from smfd.model.envelope import Envelope
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.model.verdict import Verdict
from smfd.policy.decide import Policy
from smfd.proto.reply import Reply
from smfd.scan.chain import Chain
from smfd.scan.turns import Crowded
from smfd.smtpd import answers
from smfd.smtpd.answers import said as _said
from smfd.smtpd.guarded import Gates
from smfd.smtpd.recipients import Ends, Recipients
from smfd.smtpd.recorder import Recorder
from smfd.smtpd.trace import Tracer
from smfd.store.directory import Directory
from smfd.store.ledger import Ledger, NoSpace
from smfd.store.spool import Spool

LOCAL_ERROR = "Local error, try again later"

#: So many Received fields are no loop yet.  RFC 5321 §6.3 would rather have a
#: hundred; Postfix's fifty have been enough for all, and halve what a loop costs.
HOPS = 50


@frozen
class Acceptance:
    """
    Takes whole messages and makes them ours, or says why not.

    @ivar recipients: whose mail it is.
    @ivar header_size: the most octets a header may have.
    @ivar header_fields: the most fields it may have.
    @ivar gates: know where it comes from.
    """

    chain: Chain
    policy: Policy
    directory: Directory
    recipients: Recipients
    spool: Spool
    ledger: Ledger
    runner: Runner
    tracer: Tracer
    recorder: Recorder
    clock: IReactorTime
    header_size: int = 262_144
    header_fields: int = 2_000
    gates: Gates = field(factory=Gates)

    _log = Logger()

    def turn(self) -> Deferred[None] | None:
        """None while delivery keeps up; else fires when a message may come."""
        return self.runner.pressure()

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """
        Judge and commit.

        The client may hang up meanwhile: what was begun is finished, so that
        a message is either ours and on its way or was never ours.
        """
        answer: Deferred[Reply] = Deferred()
        done = Deferred.fromCoroutine(self._message(session, envelope, body))
        done.addBoth(answer.callback)
        return answer

    async def _message(self, session: Session, envelope: Envelope, body: Body) -> Reply:
        try:
            return await self._judge(session, envelope, body)
        except Crowded:
            said = _said(451, "4.3.2", "Too many messages wait, try again", envelope)
        except NoSpace:
            said = _said(452, "4.3.1", "Insufficient system storage", envelope)
        except Exception:
            self._log.failure("{id}: acceptance failed", id=envelope.id)
            said = _said(451, "4.3.0", LOCAL_ERROR, envelope)
        if not self.ledger.suspect:
            # A commit whose sync failed may be there after all at the next
            # start, and its row would name this file.  The sweep finds it.
            self.spool.discard(body)
        self.recorder.broke(session, envelope, body, said)
        return said

    async def _judge(self, session: Session, envelope: Envelope, body: Body) -> Reply:
        begun = perf_counter()
        head = body.data
        if head is None:
            head = await self.spool.head(body, self.header_size + 1)
        # The disk works while the stages look.  Not before: a body that cannot
        # be synced is gone at once, and there would be no head to read.
        synced = self.spool.sync(body)
        header = read_header(head, self.header_size, self.header_fields)
        transaction, ends = await self._addressed(session, envelope, body, header)
        envelope = transaction.envelope
        together = ends.shares if session.lmtp else ()
        refusal = _unacceptable(header, envelope, ends)
        if refusal is not None:
            return self._refuse(transaction, None, refusal, begun, synced)
        transaction = self.policy.weigh(await self.chain.run(transaction))
        domains = await self._domains(envelope)
        verdict = self.policy.decide(transaction, domains, answers.merged(together))
        answer = answers.each(verdict, envelope, together)
        if not answer.positive:
            return self._refuse(transaction, verdict, answer, begun, synced)
        await synced
        return await self._keep(transaction, verdict, domains, answer, begun)

    async def _addressed(
        self, session: Session, envelope: Envelope, body: Body, header: Header
    ) -> tuple[Transaction, Ends]:
        """To the mailboxes behind the recipients, if there are any."""
        passed = [field.value for field in header.all("delivered-to")]
        ends = await self.recipients.ends(envelope.recipients, passed)
        if ends.forwards and ends.forwards != envelope.recipients:
            envelope = evolve(envelope, recipients=ends.forwards, named=ends.named)
        transaction = Transaction(
            envelope.id,
            Flow.INBOUND,
            self.clock.seconds(),
            session,
            envelope,
            body,
            header,
            (*self.gates.findings(session, envelope), *ends.findings),
        )
        return transaction, ends

    async def _keep(
        self,
        transaction: Transaction,
        verdict: Verdict,
        domains: Mapping[str, Domain],
        said: Reply,
        begun: float,
    ) -> Reply:
        record = self.recorder.record(transaction, verdict, said, begun)
        entry = self.tracer.entry(transaction, verdict, record, domains)
        await self.ledger.commit(entry)
        # It is ours from here on, whatever fails: no fault may throw the body
        # away, or have the client send it again.
        try:
            self.runner.take(entry)
            self.recorder.log(record)
        except Exception:
            self._log.failure("{id}: a fault behind the commit", id=entry.id)
        return said

    def _refuse(
        self,
        transaction: Transaction,
        verdict: Verdict | None,
        said: Reply,
        begun: float,
        synced: Deferred[None],
    ) -> Reply:
        synced.addErrback(lambda _: None)
        self.spool.discard(transaction.body)
        record = self.recorder.record(transaction, verdict, said, begun)
        self.ledger.note(record)
        self.recorder.log(record)
        return said

    async def _domains(self, envelope: Envelope) -> Mapping[str, Domain]:
        names = {forward.address.domain for forward in envelope.recipients}
        found = {}
        for name in names:
            domain = await self.directory.domain(name)
            if domain is not None:
                found[name] = domain
        return found


def _unacceptable(header: Header, envelope: Envelope, ends: Ends) -> Reply | None:
    """What is refused before anybody judges it."""
    if "oversized" in header.defects or "too-many-fields" in header.defects:
        return _said(552, "5.3.4", "Message header too large", envelope)
    if len(header.all("received")) > HOPS:
        return _said(554, "5.4.6", "Too many hops, this is a loop", envelope)
    if ends.trouble is not None:
        trouble = ends.trouble
        return _said(trouble.code, trouble.status, trouble.text, envelope)
    return None
