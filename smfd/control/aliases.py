"""Addresses that stand for others."""

from collections.abc import Sequence

from smfd.control.house import Actor, Document, House
from smfd.control.listing import OfDomains
from smfd.control.times import utc
from smfd.model.directory import Alias


async def add(
    house: House, actor: Actor, *, address: str, targets: Sequence[str]
) -> Document:
    """Make an alias; the same again leads to these addresses only."""
    made = await house.directory.put_alias(address, targets, actor=actor.name)
    return shown(made)


async def remove(house: House, actor: Actor, *, address: str) -> Document:
    """Take no more mail for an alias."""
    return shown(await house.directory.remove_alias(address, False, actor=actor.name))


def shown(alias: Alias) -> dict[str, object]:
    """The document of one."""
    return {
        "address": alias.address,
        "targets": list(alias.targets),
        "created": utc(alias.created),
    }


#: Some of the aliases.
page = OfDomains(lambda house, *page: house.directory.aliases(False, *page), shown)
