"""
What the mail policies make of a message (S51, S52): looked up, asked, applied.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred

from smfd.format.words import decode_words
from smfd.model.envelope import Envelope, Forward
from smfd.model.record import Record
from smfd.model.rule import Addressee, Mail, Ruling
from smfd.model.transaction import Transaction
from smfd.model.verdict import Disposition, Fate
from smfd.policy.rule import Rulebook
from smfd.proto.address import Address
from smfd.smtpd.notices import Notices

#: What a client may read of a header field, in characters.
_LONGEST = 1000

_WAITS = """{about}
It is held until somebody lets it go, or throws it away:

    smfdctl quarantine show {item}
    smfdctl quarantine release {item}
"""


class Rulebooks(Protocol):
    """Who has the rules in force."""

    def rulebook(self) -> Deferred[Rulebook]:
        """All of them."""


@frozen
class Ruled:
    """
    What they say of one message.

    @ivar rulings: of the recipients, by address.
    """

    rulings: Mapping[str, Ruling] = field(factory=dict)

    @property
    def fates(self) -> dict[str, Fate]:
        """What is done for those whom it does not simply reach."""
        return {
            name: fate
            for name, ruling in self.rulings.items()
            if (fate := _fate(ruling)) is not None
        }

    @property
    def tops(self) -> dict[str, bytes]:
        """Header lines for some of them."""
        return {
            name: f"{ruling.header}\r\n".encode()
            for name, ruling in self.rulings.items()
            if ruling.header
        }

    def redirected(self, envelope: Envelope) -> Envelope:
        """To those who get it instead."""
        to: dict[str, Forward] = {}
        for forward in envelope.recipients:
            ruling = self.rulings.get(str(forward.address))
            if ruling is not None and ruling.action == "redirect":
                local, _, domain = ruling.redirect.rpartition("@")
                forward = evolve(forward, address=Address(local, domain))
            to.setdefault(str(forward.address), forward)
        recipients = tuple(to.values())
        if recipients == envelope.recipients:
            return envelope
        return evolve(envelope, recipients=recipients)

    def tell(self, record: Record, notices: Notices) -> None:
        """Write to those who have to approve of it, or want to know."""
        for number, fate in enumerate(record.fates, 1):
            ruling = self.rulings.get(fate.recipient)
            if ruling is None:
                continue
            about = _about(record, ruling)
            if fate.category == "approval":
                subject = "A message waits for your approval"
                text = _WAITS.format(about=about, item=f"{record.id}-{number}")
                notices.send(ruling.approvers, record.id, subject, text)
            if ruling.notify:
                subject = f"A message met the rule {ruling.rule}"
                text = f"{about}What was done: {fate.category}\n"
                notices.send(ruling.notify, record.id, subject, text)


@frozen
class HouseRules:
    """
    Asks the rules.

    @ivar policies: has them.
    """

    policies: Rulebooks

    async def judge(
        self,
        transaction: Transaction,
        recipients: Sequence[Addressee],
        proven: frozenset[str],
    ) -> Ruled:
        """
        What they say of a message.

        @param proven: who its sender is known to be.
        """
        book = await self.policies.rulebook()
        if not book:
            return Ruled()
        rulings = book.judge(_mail(transaction, recipients, proven, book.fields))
        return Ruled({ruling.recipient: ruling for ruling in rulings})


def _mail(
    transaction: Transaction,
    recipients: Sequence[Addressee],
    proven: frozenset[str],
    names: frozenset[str],
) -> Mail:
    header, session = transaction.header, transaction.session
    return Mail(
        sender=str(transaction.envelope.sender or ""),
        recipients=tuple(recipients),
        time=transaction.received,
        account=session.account,
        author=header.author or "",
        proven=proven,
        client=session.client,
        subject=decode_words(header.first("subject"), _LONGEST),
        header=tuple(
            (name, decode_words(found.value, _LONGEST))
            for name in sorted(names)
            for found in header.all(name)
        ),
        size=transaction.body.size,
    )


def _fate(ruling: Ruling) -> Fate | None:
    """None where it goes on; whom it is redirected to has no ruling."""
    to, by = ruling.recipient, f"rule {ruling.rule}"
    if ruling.action == "reject":
        return Fate(to, Disposition.REJECT, "policy", ruling.text or by)
    if ruling.action == "quarantine":
        return Fate(to, Disposition.QUARANTINE, "policy", by)
    if ruling.action == "hold":
        who = ", ".join(ruling.approvers)
        return Fate(
            to, Disposition.QUARANTINE, "approval", f"{by}: {who} has to approve"
        )
    return None


def _about(record: Record, ruling: Ruling) -> str:
    return (
        f"Rule: {ruling.rule}\nFrom: {record.header_from}\nFor: {ruling.recipient}\n"
        f"Subject: {record.subject}\nNumber: {record.id}\n"
    )
