"""Who is in a group."""

from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed


async def page(
    house: House, actor: Actor, *, name: str, limit: int = 100, offset: int = 0
) -> Document:
    """Some of the members, by address."""
    found = await house.groups.members(name, limit, offset)
    return listed(found, lambda address: {"address": address})
