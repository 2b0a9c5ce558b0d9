"""Mailboxes whose mail goes to others, too or only."""

from collections.abc import Sequence

from smfd.control import aliases
from smfd.control.house import Actor, Document, House
from smfd.control.listing import OfDomains
from smfd.model.directory import Alias


async def add(
    house: House,
    actor: Actor,
    *,
    address: str,
    targets: Sequence[str],
    keep: bool = False,
) -> Document:
    """Forward a mailbox's mail; the same again forwards to these only."""
    made = await house.directory.put_forward(address, targets, keep, actor=actor.name)
    return _shown(made)


async def remove(house: House, actor: Actor, *, address: str) -> Document:
    """Forward no more: the mailbox keeps its mail."""
    return _shown(await house.directory.remove_alias(address, True, actor=actor.name))


def _shown(forward: Alias) -> dict[str, object]:
    return {**aliases.shown(forward), "keep": forward.keep}


#: Some of the forwards.
page = OfDomains(lambda house, *page: house.directory.aliases(True, *page), _shown)
