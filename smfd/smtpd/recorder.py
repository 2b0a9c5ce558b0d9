"""What is written down of a message: its record and its line in the log."""

from time import perf_counter

from attrs import evolve, field, frozen
from twisted.internet.interfaces import IReactorTime

from smfd.format.header import Header
from smfd.format.words import decode_words
from smfd.model.envelope import Envelope
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.model.verdict import Verdict
from smfd.proto.reply import Reply, with_id
from smfd.smtpd.guarded import Gates
from smfd.smtpd.repeats import Repeats
from smfd.store.ledger import Ledger
from smfd.store.maillog import MailLog

#: What a message is called that never got a verdict, by the reply's first digit.
_UNJUDGED = {4: "deferred", 5: "refused"}


@frozen
class Recorder:
    """
    Writes down what was seen and done.

    @ivar gates: are told of all of it.
    @ivar repeats: counts the refusals of a flood.
    @ivar flow: of what is refused before it is known whom it was for.
    """

    ledger: Ledger
    maillog: MailLog
    clock: IReactorTime
    gates: Gates = field(factory=Gates)
    repeats: Repeats = field()
    flow: Flow = Flow.INBOUND

    @repeats.default
    def _with_repeats(self) -> Repeats:
        return Repeats(self.clock)

    def record(
        self,
        transaction: Transaction,
        verdict: Verdict | None,
        said: Reply,
        begun: float,
    ) -> Record:
        """
        The decision record of a message.

        @param verdict: None when it was refused unseen.
        @param begun: L{perf_counter} when the judgement began.
        """
        session, envelope = transaction.session, transaction.envelope
        record = Record(
            id=transaction.id,
            kind="message",
            time=transaction.received,
            flow=transaction.flow.value,
            client=session.client,
            helo=session.helo,
            tls=session.tls,
            sender=str(envelope.sender or ""),
            recipients=tuple([str(f.address) for f in envelope.recipients]),
            verdict=verdict.category if verdict else _UNJUDGED[said.code // 100],
            reply=_shown(said),
            subject=_words(transaction.header, "subject"),
            header_from=transaction.header.author or _words(transaction.header, "from"),
            message_id=_words(transaction.header, "message-id"),
            size=transaction.body.size,
            score=verdict.score if verdict else None,
            ms=round((perf_counter() - begun) * 1000, 2),
            findings=transaction.findings,
            fates=verdict.fates if verdict else (),
            certificate=session.certificate,
            named=envelope.named,
            account=session.account,
        )
        self.gates.noted(session, record)
        return record

    def broke(
        self, session: Session, envelope: Envelope, body: Body, said: Reply
    ) -> None:
        """A fault of ours: the sender comes again, and it can be found."""
        record = self._unjudged(session, envelope, said)
        record = evolve(record, id=envelope.id, kind="message", size=body.size)
        self.ledger.note(record)
        self.gates.noted(session, record)
        self.log(record)

    def refused(
        self, name: str, session: Session, envelope: Envelope | None, refusal: Reply
    ) -> Reply:
        """
        What never became a message can be found too.

        @param name: what to call it.
        @param envelope: with the recipient that was refused; None when it did
            not come so far.
        @return: the refusal with the id that it is found by.
        """
        said = _named(refusal, name)
        record = evolve(self._unjudged(session, envelope, said), id=name)
        self.gates.noted(session, record)

        def write(count: int) -> None:
            told = record
            if count > 1:
                told = evolve(record, count=count, time=self.clock.seconds())
            self._refusal(told, addressed=envelope is not None)

        found = self.repeats.tell(
            record.client,
            _shown(refusal),
            record.sender or record.account,
            name,
            write,
        )
        return said if found == name else _named(refusal, found)

    def _refusal(self, record: Record, addressed: bool) -> None:
        self.ledger.note(record)
        self.maillog.line(
            record.id,
            client=record.client,
            helo=record.helo,
            sasl_username=record.account,
            **{"from": f"<{record.sender}>" if addressed else ""},
            to=" ".join(f"<{r}>" for r in record.recipients),
            status=record.verdict,
            reply=record.reply,
            count=record.count if record.count > 1 else "",
        )

    def closed(self, session: Session, why: str) -> None:
        """A connection that ended without a good-bye: one line."""

        def write(count: int) -> None:
            self.maillog.line(
                session.id,
                client=session.client,
                helo=session.helo,
                closed=why,
                count=count if count > 1 else "",
            )

        self.repeats.tell(
            session.client, f"closed {why}", session.id, session.id, write
        )

    def _unjudged(
        self, session: Session, envelope: Envelope | None, said: Reply
    ) -> Record:
        """What is known of what nobody judged."""
        recipients = envelope.recipients if envelope else ()
        return Record(
            id=session.id,
            kind="refusal",
            time=self.clock.seconds(),
            flow=self.flow.value,
            client=session.client,
            helo=session.helo,
            tls=session.tls,
            sender=str((envelope and envelope.sender) or ""),
            recipients=tuple(str(f.address) for f in recipients),
            verdict=_UNJUDGED[said.code // 100],
            reply=_shown(said),
            certificate=session.certificate,
            account=session.account,
            findings=self.gates.findings(session, envelope) if envelope else (),
        )

    def log(self, record: Record) -> None:
        """One line for a message."""
        fates = " ".join(f"<{f.recipient}>={f.category}" for f in record.fates[:20])
        self.maillog.line(
            record.id,
            client=record.client,
            helo=record.helo,
            sasl_username=record.account,
            **{"from": f"<{record.sender}>"},
            orig_to=" ".join(f"<{r}>" for r in record.named[:20]),
            to=fates or " ".join(f"<{r}>" for r in record.recipients[:20]),
            nrcpt=len(record.recipients),
            size=record.size,
            verdict=record.verdict,
            score=record.score,
            delay=f"{record.ms / 1000:.3f}",
            reply=record.reply,
        )


def _named(refusal: Reply, name: str) -> Reply:
    return evolve(refusal, lines=(with_id(refusal.lines[0], name),))


def _shown(said: Reply) -> str:
    return f"{said.code} {said.status} {said.lines[0]}"


def _words(header: Header, name: str) -> str:
    return decode_words(header.first(name), 1000)
