"""What is written down of a message: its record and its line in the log."""

from time import perf_counter

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from smfd.format.header import Header
from smfd.format.mailbox import author
from smfd.format.words import decode_words
from smfd.model.envelope import Envelope
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body, Transaction
from smfd.model.verdict import Verdict
from smfd.proto.reply import Reply
from smfd.store.ledger import Ledger
from smfd.store.maillog import MailLog

#: What a message is called that never got a verdict, by the reply's first digit.
_UNJUDGED = {4: "deferred", 5: "refused"}


@frozen
class Recorder:
    """Writes down what was seen and done."""

    ledger: Ledger
    maillog: MailLog
    clock: IReactorTime

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
        return Record(
            id=transaction.id,
            kind="message",
            time=transaction.received,
            flow=transaction.flow.value,
            client=session.client,
            helo=session.helo,
            tls=session.tls,
            sender=str(envelope.sender or ""),
            recipients=tuple(str(f.address) for f in envelope.recipients),
            verdict=verdict.category if verdict else _UNJUDGED[said.code // 100],
            reply=f"{said.code} {said.status} {said.lines[0]}",
            subject=_words(transaction.header, "subject"),
            header_from=author(transaction.header)
            or _words(transaction.header, "from"),
            message_id=_words(transaction.header, "message-id"),
            size=transaction.body.size,
            score=verdict.score if verdict else None,
            ms=round((perf_counter() - begun) * 1000, 2),
            findings=transaction.findings,
            fates=verdict.fates if verdict else (),
        )

    def broke(
        self, session: Session, envelope: Envelope, body: Body, said: Reply
    ) -> None:
        """A fault of ours: the sender comes again, and it can be found."""
        record = Record(
            id=envelope.id,
            kind="message",
            time=self.clock.seconds(),
            flow="inbound",
            client=session.client,
            helo=session.helo,
            tls=session.tls,
            sender=str(envelope.sender or ""),
            recipients=tuple(str(f.address) for f in envelope.recipients),
            verdict="deferred",
            reply=f"{said.code} {said.status} {said.lines[0]}",
            size=body.size,
        )
        self.ledger.note(record)
        self.log(record)

    def log(self, record: Record) -> None:
        """One line."""
        fates = " ".join(f"<{f.recipient}>={f.category}" for f in record.fates[:20])
        self.maillog.line(
            record.id,
            client=record.client,
            helo=record.helo,
            **{"from": f"<{record.sender}>"},
            to=fates or " ".join(f"<{r}>" for r in record.recipients[:20]),
            nrcpt=len(record.recipients),
            size=record.size,
            verdict=record.verdict,
            score=record.score,
            delay=f"{record.ms / 1000:.3f}",
            reply=record.reply,
        )


def _words(header: Header, name: str) -> str:
    return decode_words(header.first(name), 1000)
