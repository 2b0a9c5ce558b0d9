"""
The order of the road: which stages look at a message, and when it is enough.

Read it aloud beside the seeds' pipeline.  A step is taken when its condition
still holds after all steps before it; stages of one step look at once.
"""

from collections.abc import Callable

from attrs import frozen

from smfd.model.finding import Result
from smfd.model.transaction import Flow, Transaction
from smfd.policy.standing import (
    awaits_authentication,
    awaits_judgement,
    is_infected,
)

Condition = Callable[[Transaction], bool]


@frozen
class Step:
    """
    One step of the road.

    @ivar stages: the names of the stages that look, all at once.
    @ivar when: whether there is still something to find out.
    """

    stages: tuple[str, ...]
    when: Condition


def _always(_: Transaction) -> bool:
    return True


def _virus_free(transaction: Transaction) -> bool:
    # S4: infected mail is not processed any further.  What the scanner could
    # not judge will be deferred, so looking on is wasted.
    return not is_infected(transaction.findings) and not any(
        f.stage == "virus" and f.result is Result.ERROR for f in transaction.findings
    )


def _somebody_may_trust(transaction: Transaction) -> bool:
    return _virus_free(transaction) and awaits_authentication(transaction)


def _somebody_is_neutral(transaction: Transaction) -> bool:
    return _virus_free(transaction) and awaits_judgement(transaction)


def _may_be_locked(transaction: Transaction) -> bool:
    # Whoever judged the content looked for locks, too.
    return _virus_free(transaction) and not any(
        f.stage == "content" and f.result is not Result.ERROR
        for f in transaction.findings
    )


#: What the scanner cannot look into is not called clean (R23).
_LOCKS = Step(("locks",), _may_be_locked)

INBOUND = (
    # S4 to S6: first of all, for the message and not for a recipient.
    Step(("virus",), _always),
    # S7, S8: whom does each recipient trust, and whom not?
    Step(("lists",), _virus_free),
    # S9: an allow entry counts for a sender who proved himself (C9), and who
    # is neither allowed nor blocked is judged by this too.
    Step(("spf", "dkim", "arc"), _somebody_may_trust),
    Step(("dmarc",), _somebody_may_trust),
    # S10, S13: everything else, for those recipients only who said nothing.
    Step(("identity", "content"), _somebody_is_neutral),
    _LOCKS,
)

LOCAL = (
    # S17, S18: our own people are not filtered, but viruses never pass.
    Step(("virus",), _always),
    _LOCKS,
)

OUTBOUND = (
    # S22, S23: no spam scan.
    Step(("virus",), _always),
    _LOCKS,
)

ROADS: dict[Flow, tuple[Step, ...]] = {
    Flow.INBOUND: INBOUND,
    Flow.LOCAL: LOCAL,
    Flow.OUTBOUND: OUTBOUND,
}
