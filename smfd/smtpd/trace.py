"""
What goes on top of a message, and what is cut out of it.

Everything else stays byte for byte as it was received.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from smfd.content.arc import AS, may_add
from smfd.format.authres import authentication_results, results
from smfd.format.header import Header, cuts
from smfd.format.received import delivered, protocol, received, spam_status
from smfd.model.directory import Domain
from smfd.model.entry import DESTINATIONS, NOTHING, Asked, Entry, Recipient
from smfd.model.envelope import Envelope, Forward
from smfd.model.record import Record
from smfd.model.transaction import Transaction
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.policy.forwarded import with_forwards
from smfd.policy.standing import is_authenticated

#: Fields only we may write (R59); a star stands for any ending.
OURS = ("return-path", "x-spam-*", "x-virus-*", "x-smfd-*")

#: What is refused to one of many goes nowhere (RFC 2033 §4.2).
KEPT = (Disposition.DELIVER, Disposition.QUARANTINE)


@frozen
class Tracer:
    """
    Makes the ledger's entry of a judged message.

    @ivar hostname: what we call ourselves; our authserv-id too (RFC 8601 §2.5).
    """

    hostname: str

    def entry(
        self,
        transaction: Transaction,
        verdict: Verdict,
        record: Record,
        domains: Mapping[str, Domain],
    ) -> Entry:
        """
        The message as it will lie in mailboxes and in the quarantine, or go on.

        @param domains: those of the recipients.
        """
        sender, forwards = record.sender, transaction.envelope.recipients
        return Entry(
            transaction.id,
            transaction.received,
            sender,
            transaction.body,
            self._top(transaction, record.recipients),
            cuts(transaction.header, OURS, self.hostname),
            with_forwards(
                tuple(
                    _recipient(
                        number,
                        fate,
                        forward,
                        _destination(fate, domains),
                        delivered(sender, forward.tagged or fate.recipient),
                        transaction,
                    )
                    for number, (fate, forward) in enumerate(
                        zip(verdict.fates, forwards, strict=True), 1
                    )
                    if fate.disposition in KEPT
                ),
                forwards,
            ),
            record,
            transaction.session.account,
            asked(transaction.envelope, transaction.header),
        )

    def vouched(self, transaction: Transaction) -> str:
        """What we found, for a seal; "" where ours would be no good."""
        found = results(self.hostname, transaction.findings)
        return found if may_add(bool(transaction.header.all(AS)), found) else ""

    def _top(self, transaction: Transaction, recipients: Sequence[str]) -> bytes:
        session, envelope = transaction.session, transaction.envelope
        return authentication_results(self.hostname, transaction.findings) + received(
            helo=session.helo,
            client=session.client,
            by=self.hostname,
            word=protocol(
                extended=session.extended,
                tls=bool(session.tls),
                utf8=envelope.smtputf8,
                authenticated=bool(session.account),
                lmtp=session.lmtp,
            ),
            id=transaction.id,
            at=transaction.received,
            tls=session.tls,
            certificate=session.certificate,
            recipient=recipients[0] if len(recipients) == 1 else "",
        )


def asked(envelope: Envelope, header: Header) -> Asked:
    """
    What came with MAIL and goes on with the message.

    SMTPUTF8 goes on when there is UTF-8 in the header (RFC 6531 §3.6): many a
    client says it always, and plain mail may go where nobody knows the word.
    """
    if envelope.body == "7BIT" and not (
        envelope.ret or envelope.envid or envelope.smtputf8
    ):
        return NOTHING
    utf8 = envelope.smtputf8 and not all(f.value.isascii() for f in header.fields)
    return Asked(envelope.ret, envelope.envid, envelope.body, utf8)


def _destination(fate: Fate, domains: Mapping[str, Domain]) -> str:
    if fate.disposition is Disposition.QUARANTINE:
        return "quarantine"
    domain = domains.get(fate.recipient.rpartition("@")[2])
    return DESTINATIONS[domain.kind] if domain else "maildir"


def _recipient(
    number: int,
    fate: Fate,
    forward: Forward,
    destination: str,
    final: bytes,
    transaction: Transaction,
) -> Recipient:
    if destination not in ("maildir", "quarantine"):
        # RFC 5321 §4.4: Return-Path is written where the mail ends, and not by
        # us when others deliver it; Delivered-To would look like a loop to them.
        final = b""
    return Recipient(
        number,
        fate.recipient,
        destination,
        fate.category,
        fate.reason,
        fate.score,
        final
        + spam_status(
            spam=fate.category == "spam",
            category=fate.category,
            score=fate.score,
            threshold=fate.threshold,
            id=transaction.id,
        ),
        notify=_notify(forward, transaction) if forward.notify else "",
        orcpt=forward.orcpt,
    )


def _notify(forward: Forward, transaction: Transaction) -> str:
    """
    When the sender hears of it.

    Of success only when he has proved who he is, though RFC 3461 §5.2.2 would
    have him told: else anybody could have letters sent to anybody.
    """
    wanted = forward.notify
    proved = is_authenticated(transaction.findings, "envelope")
    if not proved and not transaction.session.lmtp:
        wanted = tuple(word for word in wanted if word != "SUCCESS") or ("NEVER",)
    return ",".join(wanted)
