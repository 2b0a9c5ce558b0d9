"""A batch is tried: whatever breaks, there is an outcome for each of it."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome, State

_log = Logger()


async def tried(
    destination: IDestination, batch: Sequence[Consignment]
) -> list[Outcome]:
    """
    Deliver a batch; what nothing is said of is still due, and what was not asked
    is not heard.

    One consignment may break the destination: then each is tried alone.
    """
    try:
        outcomes = await _delivered(destination, batch)
    except Exception as error:
        if len(batch) > 1:
            return [o for c in batch for o in await tried(destination, [c])]
        (c,) = batch
        _log.failure("{id}: {name} failed", id=c.entry_id, name=destination.name)
        return [c.outcome(State.DUE, f"a fault of ours: {type(error).__name__}")]
    asked = {c.key for c in batch}
    answered = [o for o in outcomes if o.key in asked]
    told = {o.key for o in answered}
    silent = [c for c in batch if c.key not in told]
    return [
        *answered,
        *(c.outcome(State.DUE, "the destination said nothing") for c in silent),
    ]


def _delivered(
    destination: IDestination, batch: Sequence[Consignment]
) -> "Deferred[Sequence[Outcome]]":
    return maybeDeferred(destination.deliver, batch)
