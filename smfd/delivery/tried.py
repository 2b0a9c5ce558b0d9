"""A batch is tried: whatever breaks, there is an outcome for each of it."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from smfd.delivery.hand import key_of
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome, State

_log = Logger()


async def tried(
    destination: IDestination, batch: Sequence[Consignment]
) -> list[Outcome]:
    """
    Deliver a batch; what nothing is said of is still due.

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
    told = {(o.entry_id, o.number) for o in outcomes}
    silent = [c for c in batch if key_of(c) not in told]
    return [
        *outcomes,
        *(c.outcome(State.DUE, "the destination said nothing") for c in silent),
    ]


def _delivered(
    destination: IDestination, batch: Sequence[Consignment]
) -> "Deferred[Sequence[Outcome]]":
    return maybeDeferred(destination.deliver, batch)
