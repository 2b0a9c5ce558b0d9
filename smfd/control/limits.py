"""What accounts, groups and domains may send: shown and set (S24, C14)."""

from collections.abc import Sequence

from smfd.control.house import Actor, Document, House
from smfd.control.quota import Quota
from smfd.model.directory import Refused
from smfd.model.quota import shown
from smfd.store.directory_limits import GROUP

#: What is said instead of a number.
_NONE, _INHERIT = "none", "inherit"


def quota_of(house: House) -> Quota:
    """The quota, which must be there."""
    if house.quota is None:
        raise Refused("conflict", "Nobody sends from here.")
    return house.quota


async def show(house: House, actor: Actor, *, scope: str) -> Document:
    """What a scope says; of a mailbox, what counts and what it has used."""
    name, said = await quota_of(house).allowances.said(scope)
    return await _document(house, name, said)


async def change(
    house: House, actor: Actor, *, scope: str, limits: Sequence[str]
) -> Document:
    """
    Limit a mailbox, a domain or a group.

    @param limits: C{messages=500}, C{rate=none}, or C{size=inherit} for what
        the next above says.
    """
    changes: dict[str, int] = {}
    inherit: list[str] = []
    for word in limits:
        name, most = _read(word)
        if most is None:
            inherit.append(name)
        else:
            changes[name] = most
    found, said = await quota_of(house).allowances.set_limits(
        scope, changes, tuple(inherit), actor=actor.name
    )
    return await _document(house, found, said)


def _read(word: str) -> tuple[str, int | None]:
    name, _, most = word.partition("=")
    if most == _INHERIT:
        return name, None
    if most == _NONE:
        return name, 0
    if not (most.isascii() and most.isdecimal() and len(most) < 16):
        raise Refused(
            "invalid",
            f"{word[:60]!r} is no limit.",
            "Write messages=500, messages=none or messages=inherit; sizes in octets.",
        )
    # In the settings it is no limit; here somebody may mean that nothing is sent.
    if not int(most):
        raise Refused(
            "invalid",
            f"{word[:60]!r} has two meanings.",
            f"No limit is {name[:20]}=none; user held add holds all that a user sends.",
        )
    return name, int(most)


async def _document(house: House, scope: str, said: dict[str, int]) -> Document:
    if "@" not in scope or scope.startswith(GROUP):
        return {"scope": scope, "says": said}
    return {"scope": scope, "says": said, **await standing(house, scope)}


async def standing(house: House, account: str) -> dict[str, dict[str, float]]:
    """What counts for an account, and what it has used in 24 hours."""
    quota = quota_of(house)
    return {
        "limits": {**shown(await quota.allowances.allowance(account))},
        "used": {**await quota.counters.used(account)},
    }
