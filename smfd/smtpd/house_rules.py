"""
Mail policies at the doors (S51, S52): looked up, asked, and who they name told.

Where no rule asks what is attached nobody looks into a message for them; where
one does and nobody can look, the message is deferred.
"""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any, Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from smfd.format.words import decode_words
from smfd.model.envelope import Forward
from smfd.model.record import Record
from smfd.model.rule import Addressee, Ruling
from smfd.model.transaction import Body, Transaction
from smfd.model.verdict import Fate, Verdict
from smfd.policy.bucket import TokenBucket
from smfd.policy.rule import Rulebook
from smfd.policy.ruled import Inside, Ruled, mail_of
from smfd.scan.pool import Pool
from smfd.smtpd.notices import Notices

#: Letters because of one rule within an hour; then one says that there are more.
LETTERS = 20
_HOUR = 3600.0
_RULES = 1000

#: What is said of a message where there are no rules.
UNRULED = Ruled(())

_NOTHING = Inside()
_WAITS = """
It waits until somebody lets it go, or throws it away:

{items}"""
_ITEM = """  for {recipient}
    smfdctl quarantine release {item} --approver {approver}
    smfdctl quarantine delete {item} --approver {approver}
"""
_NOT_YET = """These recipients have not got your message:

{kept}

Subject: {subject}
Number: {id}
"""
_NO_NEED = """
What waits need not be sent again. You hear of it if it is not approved of.
"""
#: What a sender reads where the rule has no words of its own.
_KEPT = {
    "reject": "the rules of the house do not allow it",
    "hold": "it waits until somebody approves of it",
}
_MORE = """The mail policy {rule} speaks of more messages than you are written to about.
You are told so once an hour; smfdctl quarantine list shows what waits.
"""


class Rulebooks(Protocol):
    """Who has the rules in force: L{Policies <smfd.store.directory_policies>}."""

    def rulebook(self) -> Deferred[Rulebook]:
        """All of them."""


@frozen
class HouseRules:
    """
    Asks the rules.

    @ivar policies: has them.
    @ivar workers: look into messages.
    """

    policies: Rulebooks
    workers: Pool | None = None
    _letters: dict[str, TokenBucket] = field(factory=dict, init=False)

    async def speak(self) -> bool:
        """Whether there are any."""
        return bool(await self.policies.rulebook())

    async def judge(
        self,
        transaction: Transaction,
        recipients: Sequence[Addressee],
        verdict: Verdict | None = None,
    ) -> Ruled:
        """
        What they say of a message; fails when nobody can look into it.

        @param verdict: what was decided before, if it is inbound.
        """
        book = await self.policies.rulebook()
        if not book:
            return UNRULED
        inside = await self._inside(transaction.body) if book.looks_inside else _NOTHING
        mail = mail_of(transaction, recipients, book.fields, inside, verdict)
        return Ruled(book.judge(mail))

    async def _inside(self, body: Body) -> Inside:
        if self.workers is None:
            raise LookupError("nobody is there to look into a message")
        said: Mapping[str, Any] = await self.workers.submit("inside", body, {})
        return Inside(tuple(map(str, said["files"])), tuple(map(str, said["types"])))

    def tell(
        self,
        ruled: Ruled,
        transaction: Transaction,
        verdict: Verdict,
        notices: Notices,
    ) -> None:
        """Write to those who want to know, and to those who have to approve."""
        asked: dict[str, list[tuple[str, str]]] = {}
        told: dict[str, Ruling] = {}
        by_name = ruled.by_name
        for number, fate in enumerate(verdict.fates, 1):
            ruling = by_name.get(fate.recipient)
            if ruling is not None and fate.category == "approval":
                told[ruling.rule] = ruling
                item = fate.recipient, f"{transaction.id}-{number}"
                asked.setdefault(ruling.rule, []).append(item)
        about = _about(transaction)
        for rule, items in asked.items():
            letters = {
                approver: about + _waits(items[:100], approver)
                for approver in told[rule].approvers
            }
            subject = "A message waits for your approval"
            name = f"{transaction.id} approval"
            self._send(notices, letters, rule, name, subject)
        for ruling in _notifying(ruled.rulings):
            subject = f"A message met the rule {ruling.rule}"
            whom = [one.recipient for one in ruled.rulings if one.rule == ruling.rule]
            done = _done(ruling, verdict.fates)
            text = f"{about}For: {', '.join(whom[:10])}\nWhat was done: {done}\n"
            letters = dict.fromkeys(ruling.notify, text)
            self._send(notices, letters, ruling.rule, transaction.id, subject)

    def tell_sender(self, ruled: Ruled, record: Record, notices: Notices) -> None:
        """Write to a user of ours whose message, behind its 250, was kept back."""
        by_name = ruled.by_name
        kept = [
            f"  {fate.recipient}: {ruling.text or _KEPT[ruling.action]}"
            for fate in record.fates
            if (ruling := by_name.get(fate.recipient)) is not None
            and ruling.action in _KEPT
            and fate.category in ("policy", "approval")
        ]
        if kept:
            lines = "\n".join(kept[:100])
            text = _NOT_YET.format(kept=lines, subject=record.subject, id=record.id)
            waits = any(fate.category == "approval" for fate in record.fates)
            subject = "Your message did not reach everybody"
            if waits:
                text += _NO_NEED
            if all(fate.category == "approval" for fate in record.fates):
                subject = "Your message waits for approval"
            notices.send((record.account,), f"kept {record.id}", subject, text)

    def _send(
        self,
        notices: Notices,
        letters: Mapping[str, str],
        rule: str,
        name: str,
        subject: str,
    ) -> None:
        """
        Each message is worth a letter, but not thousands of them.

        @param letters: what each address is to read.
        """
        now = notices.clock.seconds()
        if len(self._letters) > _RULES:
            self._letters.clear()
        full = TokenBucket.filled(LETTERS, _HOUR, now)
        if self._letters.setdefault(rule, full).take(now):
            for address, text in letters.items():
                text = f"Rule: {rule}\n{text}"
                notices.send((address,), f"policy {rule} {name}", subject, text)
        else:
            more = _MORE.format(rule=rule)
            notices.send(
                tuple(letters), f"policy {rule}", "More messages met a rule", more
            )


def _waits(items: Sequence[tuple[str, str]], approver: str) -> str:
    """What to type for each item; he who reads it is the approver."""
    # An address may have what a shell takes for its own.
    who = quote(approver)
    return _WAITS.format(
        items="".join(
            _ITEM.format(recipient=recipient, item=item, approver=who)
            for recipient, item in items
        )
    )


def led_by(
    recipients: Sequence[Forward], shares: Sequence[Sequence[str]]
) -> Mapping[str, tuple[str, ...]]:
    """
    The addresses by which each mailbox was reached, where they are others.

    @param shares: the mailboxes of each recipient, in order.
    """
    led: dict[str, tuple[str, ...]] = {}
    for forward, mailboxes in zip(recipients, shares, strict=False):
        name = str(forward.address)
        for mailbox in mailboxes:
            if mailbox != name:
                led[mailbox] = (*led.get(mailbox, ()), name)
    return led


def _notifying(rulings: Sequence[Ruling]) -> Sequence[Ruling]:
    """One for each rule that wants somebody told."""
    return tuple({one.rule: one for one in rulings if one.notify}.values())


def _done(ruling: Ruling, fates: Sequence[Fate]) -> str:
    """What became of it; the verdict may be stricter than the rule."""
    name = ruling.redirect or ruling.recipient
    fate = next((fate for fate in fates if fate.recipient == name), None)
    done = fate.disposition.value if fate else ruling.action
    return f"{done}, for {name}"


def _about(transaction: Transaction) -> str:
    """What a message is, for people, a line each."""
    envelope, header = transaction.envelope, transaction.header
    # Not all whom it is for: blind copies are nobody's business.
    lines = (
        ("From", transaction.session.account or envelope.sender or "<>"),
        ("Subject", decode_words(header.first("subject"), 1000)),
        ("Number", transaction.id),
    )
    return "".join(f"{name}: {value}\n" for name, value in lines)
