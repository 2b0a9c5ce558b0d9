"""
What goes on top of a message that one of our users sends.

It says who sent it in a way that only we can read (S53), not from where: that
is in our records, and nobody else's business.

Standards: RFC 6409 §8, RFC 5321 §4.4.
"""

from collections.abc import Mapping

from attrs import frozen

from smfd.format.completion import BLIND, completion
from smfd.format.header import cuts
from smfd.format.pseudonym import pseudonym
from smfd.format.received import delivered, protocol, received
from smfd.model.directory import Domain
from smfd.model.entry import DESTINATIONS, REMOTE, Entry, Recipient
from smfd.model.envelope import Forward
from smfd.model.record import Record
from smfd.model.transaction import Transaction
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.policy.forwarded import with_forwards
from smfd.smtpd.trace import KEPT, OURS, asked


@frozen
class SentTracer:
    """
    Makes the ledger's entry of a judged message.

    @ivar hostname: what we call ourselves.
    @ivar secret: names accounts.
    """

    hostname: str
    secret: bytes

    def entry(
        self,
        transaction: Transaction,
        verdict: Verdict,
        record: Record,
        domains: Mapping[str, Domain],
        tops: Mapping[str, bytes] = {},
    ) -> Entry:
        """
        The message as it goes on.

        @param domains: those of the recipients that are hosted here.
        @param tops: header lines for some recipients, CRLF ended.
        """
        sender, forwards = record.sender, transaction.envelope.recipients
        return Entry(
            transaction.id,
            transaction.received,
            sender,
            transaction.body,
            self._top(transaction),
            cuts(transaction.header, (*OURS, *BLIND), self.hostname),
            with_forwards(
                tuple(
                    _recipient(number, fate, forward, sender, domains, tops)
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

    def _top(self, transaction: Transaction) -> bytes:
        session = transaction.session
        name, at = transaction.id, transaction.received
        return received(
            helo="",
            client="",
            by=self.hostname,
            word=protocol(
                extended=session.extended,
                tls=bool(session.tls),
                utf8=transaction.envelope.smtputf8,
                authenticated=True,
            ),
            id=name,
            at=at,
            account=pseudonym(self.secret, session.account),
        ) + completion(transaction.header, name, self.hostname, at)


def _recipient(
    number: int,
    fate: Fate,
    forward: Forward,
    sender: str,
    domains: Mapping[str, Domain],
    tops: Mapping[str, bytes],
) -> Recipient:
    domain = domains.get(fate.recipient.rpartition("@")[2])
    where = DESTINATIONS[domain.kind] if domain else REMOTE
    if fate.disposition is Disposition.QUARANTINE:
        where = "quarantine"
    return Recipient(
        number,
        fate.recipient,
        where,
        fate.category,
        fate.reason,
        top=(delivered(sender, fate.recipient) if where == "maildir" else b"")
        + tops.get(fate.recipient, b""),
        keeper=(domain.name if domain else sender.rpartition("@")[2]),
        notify=",".join(forward.notify),
        orcpt=forward.orcpt,
    )
