"""
What mail policies make of a message: from rulings to fates.

A rule never frees what was held before it: a virus is one for everybody, and
spam for whom it was found to be.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import evolve, frozen

from smfd.format.header import Header
from smfd.format.words import decode_words
from smfd.model.entry import Entry
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Result
from smfd.model.rule import LAST, Addressee, Mail, Ruling
from smfd.model.transaction import Transaction
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.policy.decide import category, settled
from smfd.policy.standing import is_authenticated
from smfd.proto.address import Address

#: What is told to whoever is rejected by a rule without a text of its own.
REFUSED = "A policy of the recipient's domain forbids it"

_WAITS = "waits for approval, says the policy "
_HOLDS = "held, says the policy "
#: Whatever the rules say, it stays as it is.
_SETTLED = frozenset({"virus", "unscanned", "deferred", "held"})
#: Addresses that a finding names.
_SHOWN = 20


@frozen
class Inside:
    """What is attached to a message; see L{Mail <smfd.model.rule.Mail>}."""

    files: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


def mail_of(
    transaction: Transaction,
    recipients: Sequence[Addressee],
    fields: Collection[str],
    inside: Inside,
    verdict: Verdict | None = None,
) -> Mail:
    """
    A message as rules see it.

    @param fields: the names, in lower case, of the header fields they ask for.
    @param verdict: what was thought of it before, if it is inbound.
    """
    session, header = transaction.session, transaction.header
    sender = str(transaction.envelope.sender or "")
    author = header.author or ""
    fates = verdict.fates if verdict else ()
    return Mail(
        sender,
        tuple(recipients),
        transaction.received,
        session.account,
        author,
        frozenset(_proven(transaction, sender, author)),
        session.client,
        decode_words(header.first("subject"))[:1000],
        tuple(_values(header, fields)),
        transaction.body.size,
        inside.files,
        inside.types,
        {fate.recipient: fate.category for fate in fates},
    )


def _values(header: Header, fields: Collection[str]) -> Iterator[tuple[str, str]]:
    for name in fields:
        for found in header.all(name)[:50]:
            yield name, decode_words(found.value, 4096)


def _proven(transaction: Transaction, sender: str, author: str) -> Iterator[str]:
    """Who the sender certainly is."""
    if transaction.session.account:
        # Whoever logged in could only write in names of his own.
        yield transaction.session.account
        yield from filter(None, (sender, author))
        return
    if sender and is_authenticated(transaction.findings, "envelope"):
        yield sender
    if author and is_authenticated(transaction.findings, "header"):
        yield author


@frozen
class Ruled:
    """
    The rulings on one message, one for each recipient, in their order.
    """

    rulings: tuple[Ruling, ...]

    def __bool__(self) -> bool:
        """Whether some rule spoke of it."""
        return any(ruling.rule != LAST for ruling in self.rulings)

    @property
    def by_name(self) -> Mapping[str, Ruling]:
        """The ruling for each recipient."""
        return {ruling.recipient: ruling for ruling in self.rulings}

    @property
    def text(self) -> str:
        """What the sender of a rejected message reads, or ""."""
        refusing = [r for r in self.rulings if r.action == "reject"]
        return refusing[0].text or REFUSED if refusing else ""

    @property
    def fates(self) -> Mapping[str, Fate]:
        """Of those that a rule keeps it from."""
        fates = map(_fate, self.rulings)
        return {fate.recipient: fate for fate in fates if fate is not None}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One for each rule that decided something, and for what it decided."""
        decided: dict[tuple[str, str], list[Ruling]] = {}
        for ruling in self.rulings:
            if ruling.rule != LAST:
                decided.setdefault((ruling.rule, ruling.action), []).append(ruling)
        return tuple(map(_finding, decided.values()))

    @property
    def tops(self) -> Mapping[str, bytes]:
        """Header lines, CRLF ended, on top of what some of them get."""
        return {
            ruling.redirect or ruling.recipient: f"{ruling.header}\r\n".encode()
            for ruling in self.rulings
            if ruling.header
        }

    def redirected(self, envelope: Envelope) -> Envelope:
        """To those who get it instead; who is named twice then gets it once."""
        leads = self._leads()
        return _led(envelope, leads) if leads else envelope

    def applied(
        self,
        transaction: Transaction,
        verdict: Verdict,
        together: Sequence[Collection[str]] = (),
    ) -> tuple[Transaction, Verdict]:
        """
        A judged message with what the rules say of it.

        @param together: as for L{Policy.decide <smfd.policy.decide.Policy>}.
        """
        ruled = self.fates
        leads = self._leads()
        fates = []
        for fate in verdict.fates:
            if fate.disposition is not Disposition.DELIVER:
                leads.pop(fate.recipient, None)
            fates.append(_stricter(fate, ruled.get(fate.recipient)))
        there = frozenset(fate.recipient for fate in fates) - leads.keys()
        moved = {}
        for fate in settled(tuple(fates), together):
            name = leads.get(fate.recipient, fate.recipient)
            if name == fate.recipient or name not in there:
                moved[name] = evolve(fate, recipient=name)
        transaction = transaction.found(*self.findings)
        if leads:
            envelope = _led(transaction.envelope, leads)
            transaction = evolve(transaction, envelope=envelope)
        found = tuple(moved[str(f.address)] for f in transaction.envelope.recipients)
        return transaction, Verdict(category(found), verdict.score, found)

    def _leads(self) -> dict[str, str]:
        """Who gets it instead of whom."""
        return {r.recipient: r.redirect for r in self.rulings if r.redirect}

    def headed(self, entry: Entry) -> Entry:
        """The entry with the header lines that rules want."""
        tops = self.tops
        if not tops:
            return entry
        recipients = tuple(
            evolve(one, top=one.top + tops.get(one.address, b""))
            for one in entry.recipients
        )
        return evolve(entry, recipients=recipients)


def waits_for(reason: str) -> str | None:
    """The name of the rule whose approvers may let a held message through."""
    return reason.removeprefix(_WAITS) if reason.startswith(_WAITS) else None


def _fate(ruling: Ruling) -> Fate | None:
    name = ruling.recipient
    if ruling.action == "reject":
        reason = f"{ruling.text or REFUSED} (policy {ruling.rule})"
        return Fate(name, Disposition.REJECT, "policy", reason)
    if ruling.action == "quarantine":
        reason = _HOLDS + ruling.rule
        return Fate(name, Disposition.QUARANTINE, "policy", reason)
    if ruling.action == "hold":
        return Fate(name, Disposition.QUARANTINE, "approval", _WAITS + ruling.rule)
    return None


def _stricter(fate: Fate, ruled: Fate | None) -> Fate:
    """Of two fates the one that lets less through."""
    if ruled is None or fate.category in _SETTLED:
        return fate
    if fate.disposition is Disposition.QUARANTINE:
        kept = ruled.disposition is not Disposition.REJECT
        return fate if kept else ruled
    return ruled


def _finding(rulings: Sequence[Ruling]) -> Finding:
    """What one rule says of all these."""
    rule, action, text = rulings[0].rule, rulings[0].action, rulings[0].text
    why = f" ({text})" if action == "allow" and text else ""
    names = [ruling.recipient for ruling in rulings]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return Finding(
        "policy",
        f"POLICY_{action.upper()}",
        Result.PASS if action == "allow" else Result.SUSPECT,
        reason=f"the policy {rule} says: {action}{why}",
        evidence=f"for {' '.join(names[:_SHOWN])}{more}"[:1000],
    )


def _led(envelope: Envelope, leads: Mapping[str, str]) -> Envelope:
    """To others, each once; whom the client named is known still."""
    to: dict[str, Forward] = {}
    for forward in envelope.recipients:
        name = str(forward.address)
        if name not in leads:
            to[name] = forward
    for forward in envelope.recipients:
        name = leads.get(str(forward.address), "")
        if name and name not in to:
            local, _, domain = name.rpartition("@")
            to[name] = evolve(
                forward, address=Address(local, domain), tagged="", beyond=(), keep=True
            )
    named = dict.fromkeys((*envelope.named, *leads))
    return evolve(envelope, recipients=tuple(to.values()), named=tuple(named))
