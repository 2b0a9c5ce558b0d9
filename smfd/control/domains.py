"""Hosted domains: added, looked at, changed, removed."""

from smfd.control.house import Actor, Document, House
from smfd.model.directory import Domain, Refused
from smfd.store.directory_rules import domain_name


async def add(
    house: House, actor: Actor, *, name: str, threshold: float = 5.0
) -> Document:
    """Host a domain."""
    return _shown(await house.directory.add_domain(name, threshold, actor=actor.name))


async def page(
    house: House, actor: Actor, *, search: str = "", limit: int = 100, offset: int = 0
) -> Document:
    """Some of the hosted domains."""
    found = await house.directory.domains(search, limit, offset)
    return {"items": [_shown(d) for d in found.items], "total": found.total}


async def show(house: House, actor: Actor, *, name: str) -> Document:
    """One domain, with how many mailboxes it has and how many items are held."""
    domain = await house.directory.domain(domain_name(name))
    if domain is None:
        raise Refused("unknown", f"{name[:80]} is not hosted here.")
    users = await house.directory.accounts(domain.name, limit=0)
    held = await house.reader.held(domain=domain.name, limit=0)
    return {**_shown(domain), "users": users.total, "held": held["total"]}


async def change(
    house: House,
    actor: Actor,
    *,
    name: str,
    threshold: float | None = None,
    allow_unauthenticated: bool | None = None,
) -> Document:
    """Change what is given."""
    if threshold is None and allow_unauthenticated is None:
        raise Refused("invalid", "Nothing to change was named.")
    return _shown(
        await house.directory.set_domain(
            name, threshold, allow_unauthenticated, actor=actor.name
        )
    )


async def remove(
    house: House, actor: Actor, *, name: str, force: bool = False
) -> Document:
    """Host it no longer."""
    return _shown(await house.directory.remove_domain(name, force, actor=actor.name))


def _shown(domain: Domain) -> dict[str, object]:
    return {
        "name": domain.name,
        "kind": domain.kind,
        "threshold": domain.threshold,
        "allow_unauthenticated": domain.allow_unauthenticated,
    }
