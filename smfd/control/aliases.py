"""Addresses that stand for others."""

from collections.abc import Sequence

from smfd.control.house import Actor, Document, House
from smfd.control.times import utc
from smfd.model.directory import Alias
from smfd.store.directory_rules import domain_name


async def add(
    house: House, actor: Actor, *, address: str, targets: Sequence[str]
) -> Document:
    """Make an alias; the same again leads to these addresses only."""
    made = await house.directory.put_alias(address, targets, actor=actor.name)
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
    """Some of the aliases."""
    domain = domain and domain_name(domain)
    found = await house.directory.aliases(False, domain, search, limit, offset)
    return {"items": [_shown(one) for one in found.items], "total": found.total}


async def remove(house: House, actor: Actor, *, address: str) -> Document:
    """Take no more mail for an alias."""
    return _shown(await house.directory.remove_alias(address, False, actor=actor.name))


def _shown(alias: Alias) -> dict[str, object]:
    return {
        "address": alias.address,
        "targets": list(alias.targets),
        "created": utc(alias.created),
    }
