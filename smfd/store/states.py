"""
The durable states of a message, as a table.

Whatever the power does, what is on the disk is one of these; a test stops
after every step, looks, starts again, and looks again.
"""

from attrs import frozen


@frozen
class DurableState:
    """
    What may be on the disk of one recipient's message.

    @ivar body: the body is in a file of the spool, or in the ledger.
    @ivar due: the ledger says that the recipient waits for it.
    @ivar whole: the destination has the file under its name.
    @ivar settled: the ledger says that it is delivered or held.
    @ivar corrupt: the ledger says that it is damaged.
    @ivar means: what it is.
    @ivar after: what the next start makes of it.
    """

    body: bool
    due: bool
    whole: bool
    settled: bool
    means: str
    after: str
    corrupt: bool = False


DURABLE_STATES = (
    DurableState(
        False, False, False, False, "nothing", "nothing; it was never acknowledged"
    ),
    DurableState(
        True,
        False,
        False,
        False,
        "a spool file without a row: not ours yet, never acknowledged",
        "removed when it is a day old",
    ),
    DurableState(
        True,
        True,
        False,
        False,
        "a row with recipients left: ours, whatever is half written elsewhere",
        "delivered",
    ),
    DurableState(
        True,
        True,
        True,
        False,
        "delivered, not yet noted",
        "noted, not delivered twice",
    ),
    DurableState(
        True,
        False,
        True,
        True,
        "done; the body is there for others, or of no use",
        "goes with the last recipient, at the latest when it is a day old",
    ),
    DurableState(
        False,
        False,
        True,
        True,
        "done, and the body gone",
        "kept as a record until its retention ends",
    ),
    DurableState(
        True,
        False,
        False,
        False,
        "damaged: what is left of the body is there, and in the folder corrupt",
        "looked at once more, for it may have been mended",
        corrupt=True,
    ),
    DurableState(
        False,
        False,
        False,
        False,
        "lost: the body is missing; our header lines are in the folder corrupt",
        "looked at once more, for it may be there again",
        corrupt=True,
    ),
)


def state_of(
    body: bool, due: bool, whole: bool, settled: bool, corrupt: bool = False
) -> DurableState:
    """
    The state with these marks.

    @raise LookupError: there is none: something is wrong with us.
    """
    for state in DURABLE_STATES:
        if (state.body, state.due, state.whole, state.settled, state.corrupt) == (
            body,
            due,
            whole,
            settled,
            corrupt,
        ):
            return state
    raise LookupError(
        f"{body=} {due=} {whole=} {settled=} {corrupt=} is no durable state"
    )
