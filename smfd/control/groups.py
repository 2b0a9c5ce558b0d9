"""Groups of users, and which of them everybody may write to (S52, S54)."""

from collections.abc import Sequence

from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed
from smfd.control.times import utc
from smfd.model.directory import Refused
from smfd.model.rule import Group
from smfd.store.directory_rules import domain_name


async def add(
    house: House,
    actor: Actor,
    *,
    name: str,
    members: Sequence[str] = (),
    note: str = "",
) -> Document:
    """Make a group."""
    return _shown(await house.groups.add(name, members, note, actor=actor.name))


async def page(
    house: House,
    actor: Actor,
    *,
    domain: str = "",
    search: str = "",
    unprotected: bool = False,
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """Some of the groups; C{unprotected}: those that everybody may write to."""
    if unprotected and (domain or search):
        raise Refused("invalid", "All unprotected groups are shown, or none.")
    if unprotected:
        return listed(await house.groups.unprotected(limit, offset), _shown)
    name = domain and domain_name(domain)
    return listed(await house.groups.page(name, search, limit, offset), _shown)


async def show(house: House, actor: Actor, *, name: str) -> Document:
    """One group, and the rules that speak of it."""
    found = await house.groups.show(name)
    speaking = await house.groups.rules(found.name)
    return {**_shown(found), "policies": list(speaking)}


async def change(
    house: House,
    actor: Actor,
    *,
    name: str,
    join: Sequence[str] = (),
    leave: Sequence[str] = (),
) -> Document:
    """Make some members, or members no longer."""
    if bool(join) == bool(leave):
        raise Refused("invalid", "Somebody joins, or somebody leaves: one of the two.")
    if join:
        return _shown(await house.groups.join(name, join, actor=actor.name))
    return _shown(await house.groups.leave(name, leave, actor=actor.name))


async def remove(house: House, actor: Actor, *, name: str) -> Document:
    """Unmake a group; its members stay what they are."""
    return _shown(await house.groups.remove(name, actor=actor.name))


def _shown(group: Group) -> dict[str, object]:
    return {
        "name": group.name,
        "members": group.members,
        "note": group.note,
        "created": utc(group.created),
    }
