"""Mailboxes whose mail goes to others, too or only."""

from collections.abc import Sequence

from smfd.control.house import Actor, Document, House
from smfd.control.times import utc
from smfd.model.directory import Alias
from smfd.store.directory_rules import domain_name


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


async def page(
    house: House,
    actor: Actor,
    *,
    domain: str = "",
    search: str = "",
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """Some of the forwards."""
    domain = domain and domain_name(domain)
    found = await house.directory.aliases(True, domain, search, limit, offset)
    return {"items": [_shown(one) for one in found.items], "total": found.total}


async def remove(house: House, actor: Actor, *, address: str) -> Document:
    """Forward no more: the mailbox keeps its mail."""
    return _shown(await house.directory.remove_alias(address, True, actor=actor.name))


def _shown(forward: Alias) -> dict[str, object]:
    return {
        "address": forward.address,
        "targets": list(forward.targets),
        "keep": forward.keep,
        "created": utc(forward.created),
    }
