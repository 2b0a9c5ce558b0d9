"""What is thought of a message, and what is done with it."""

from enum import Enum

from attrs import frozen

#: Of what a held account sends.
HELD = "held"

#: The words for what became of a message, for one recipient.
CATEGORIES = (
    *("clean", "allowed", "blocked", "spam", "virus", "unscanned", "deferred"),
    # Of what our own people send: their account is held, a policy has it so,
    # somebody has to approve of it.
    *(HELD, "policy", "approval"),
)
#: What recipients may also be held as, behind our 250.
UNDELIVERABLE = "undeliverable"
#: And for a message as a whole.
VERDICTS = (*CATEGORIES, "mixed", "refused")


class Disposition(Enum):
    """What is done, for one recipient."""

    # Members are one of a kind; Enum itself would hash their names, in Python.
    __hash__ = object.__hash__

    DELIVER = "deliver"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    DEFER = "defer"


@frozen(slots=False)
class Fate:
    """
    What is decided for one recipient.

    @ivar recipient: the mailbox, as text.
    @ivar category: one of L{CATEGORIES}, the word people see and search for.
    @ivar reason: the sentence an administrator reads.
    @ivar score: the sum that counted for this recipient, None when no sum did.
    @ivar threshold: what the sum was compared with.
    """

    recipient: str
    disposition: Disposition
    category: str
    reason: str
    score: float | None = None
    threshold: float | None = None


@frozen(slots=False)
class Verdict:
    """
    The judgement of one message.

    @ivar category: of the message as a whole; "mixed" when recipients differ.
    @ivar fates: one for each recipient, in the order of the envelope.
    """

    category: str
    score: float
    fates: tuple[Fate, ...]
