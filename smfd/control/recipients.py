"""Listed addresses of domains that are verified by list (C16)."""

from collections.abc import Sequence

from smfd.control.house import Actor, Document, House
from smfd.control.listing import OfDomains


async def add(house: House, actor: Actor, *, addresses: Sequence[str]) -> Document:
    """List addresses; those that are listed stay so."""
    listed = await house.directory.list_recipients(addresses, actor=actor.name)
    return {"added": list(listed)}


async def remove(house: House, actor: Actor, *, address: str) -> Document:
    """Take an address off the list of its domain."""
    gone = await house.directory.unlist_recipient(address, actor=actor.name)
    return {"address": gone}


#: Some of the listed addresses.
page = OfDomains(
    lambda house, *page: house.directory.recipients(*page),
    lambda address: {"address": address},
)
