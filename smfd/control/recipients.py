"""Listed addresses of domains that are verified by list (C16)."""

from collections.abc import Sequence

from smfd.control.house import Actor, Document, House
from smfd.store.directory_rules import domain_name


async def add(house: House, actor: Actor, *, addresses: Sequence[str]) -> Document:
    """List addresses; those that are listed stay so."""
    listed = await house.directory.list_recipients(addresses, actor=actor.name)
    return {"added": list(listed)}


async def page(
    house: House,
    actor: Actor,
    *,
    domain: str = "",
    search: str = "",
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """Some of the listed addresses."""
    domain = domain and domain_name(domain)
    found = await house.directory.recipients(domain, search, limit, offset)
    return {"items": [{"address": a} for a in found.items], "total": found.total}


async def remove(house: House, actor: Actor, *, address: str) -> Document:
    """Take an address off the list of its domain."""
    gone = await house.directory.unlist_recipient(address, actor=actor.name)
    return {"address": gone}
