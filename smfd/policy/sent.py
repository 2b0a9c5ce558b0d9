"""
What becomes of what our own people send (S17, S18, S22, S23, C2, D5).

No spam is looked for and no list is asked.  A virus never passes: to people of
ours it is refused while the sender is there to see it, to the world it is held.
"""

from collections.abc import Mapping, Sequence

from attrs import evolve, frozen

from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.policy.decide import category, one_reply
from smfd.policy.standing import ENCRYPTED

#: Of what a held account sends, its owner learns nothing new.
HELD = "what this account sends is held back"


@frozen
class Sending:
    """
    What is known of a message besides its findings.

    @ivar ours: the recipients that are hosted here.
    @ivar held: why all that the account sends is held, or "".
    @ivar encrypted: the sender's domain lets pass what nobody can look into.
    @ivar ruled: what the mail policies say, of recipients they speak of.
    """

    ours: frozenset[str]
    held: str = ""
    encrypted: bool = False
    ruled: Mapping[str, Fate] = {}


def decide_sent(transaction: Transaction, sending: Sending) -> Verdict:
    """Judge a message whose virus stage has reported, if it was asked."""
    names = [str(forward.address) for forward in transaction.envelope.recipients]
    found = _alarming(transaction.findings, sending.encrypted)
    if found is not None and found.result is not Result.ERROR:
        fates = tuple(_infected(name, found, sending) for name in names)
    elif found is not None:
        # C21: never unscanned, and never lost: come again.
        fates = tuple(
            Fate(name, Disposition.DEFER, "deferred", found.reason) for name in names
        )
    else:
        fates = one_reply(tuple(_free(name, sending) for name in names))
    return Verdict(category(fates), 0.0, fates)


def is_refused(verdict: Verdict) -> bool:
    """
    Whether the sender is told no.

    Even if something is kept: of a virus that people of ours would have got,
    there is a copy where others would have got it too (C2).
    """
    return any(fate.disposition is Disposition.REJECT for fate in verdict.fates)


def _alarming(findings: Sequence[Finding], encrypted: bool) -> Finding | None:
    """What the virus stage has to say against it."""
    for finding in findings:
        if finding.stage != "virus" or finding.result is Result.PASS:
            continue
        if finding.symbol != ENCRYPTED or not encrypted:
            return finding
    return None


def _infected(name: str, found: Finding, sending: Sending) -> Fate:
    word = "virus" if found.result is Result.FAIL else "unscanned"
    if name in sending.ours and word == "virus":  # S18
        return Fate(name, Disposition.REJECT, word, found.reason)
    # S23, and what cannot be looked into is held by all (R23).
    return Fate(name, Disposition.QUARANTINE, word, found.reason)


def _free(name: str, sending: Sending) -> Fate:
    ruled = sending.ruled.get(name)
    if ruled is not None:
        # Also of a held account: once it is let go, nobody asks the rules again.
        return evolve(ruled, recipient=name)
    if sending.held:
        return Fate(name, Disposition.QUARANTINE, "held", sending.held)
    where = "a mailbox here" if name in sending.ours else "the world"
    return Fate(name, Disposition.DELIVER, "clean", f"from one of our users to {where}")
