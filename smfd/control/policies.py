"""Mail policies: rules in their order, changed, moved, exported, applied (S51)."""

from collections.abc import Mapping, Sequence
from typing import Any

from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed
from smfd.model.directory import Refused
from smfd.model.rule import LAST, Rule
from smfd.policy.rule import OTHERWISE, addresses
from smfd.policy.rule_text import described, write_rule
from smfd.store.directory_pages import LONGEST, Page


async def page(
    house: House, actor: Actor, *, search: str = "", limit: int = 100, offset: int = 0
) -> Document:
    """Some of the rules, in their order; the last is always there."""
    rules = (*await house.policies.rules(), OTHERWISE)
    shown = [_shown(rule, place) for place, rule in enumerate(rules, 1)]
    word = search.lower()
    found = [one for one in shown if word in str(one).lower()]
    first, many = max(0, offset), max(0, min(limit, LONGEST))
    return listed(Page(tuple(found[first : first + many]), len(found)), dict)


async def show(house: House, actor: Actor, *, name: str) -> Document:
    """One rule, where it stands, and whom it names that is not there."""
    place, rule = await house.policies.rule(name)
    unknown = [one for one in addresses(rule) if await _is_missing(house, one)]
    return {**_shown(rule, place), "unknown": unknown}


async def add(
    house: House,
    actor: Actor,
    *,
    rule: Mapping[str, Any],
    before: str = "",
) -> Document:
    """Add a rule, at the end or before another."""
    made = await house.policies.add(rule, before, actor=actor.name)
    return await show(house, actor, name=made.name)


async def change(
    house: House, actor: Actor, *, name: str, rule: Mapping[str, Any]
) -> Document:
    """Change the members that are given; a null one goes."""
    made = await house.policies.edit(name, rule, actor=actor.name)
    return await show(house, actor, name=made.name)


async def move(house: House, actor: Actor, *, name: str, before: str = "") -> Document:
    """Put a rule before another, or at the end."""
    moved = await house.policies.move(name, before, actor=actor.name)
    return await show(house, actor, name=moved.name)


async def remove(house: House, actor: Actor, *, name: str) -> Document:
    """Take a rule away."""
    gone = await house.policies.remove(name, actor=actor.name)
    return {"name": gone.name, "rule": write_rule(gone)}


async def apply(
    house: House,
    actor: Actor,
    *,
    rules: Sequence[Mapping[str, Any]],
    empty: bool = False,
) -> Document:
    """
    Have these rules and no others.

    @param empty: there may be none; else no rules for some are a mistake.
    """
    there = () if rules or empty else await house.policies.rules()
    if there:
        raise Refused(
            "invalid",
            f"There is no rule in it, and there are {len(there)}: all would go.",
            "To have none, say so: policy apply --empty.",
        )
    made = await house.policies.apply(rules, actor=actor.name)
    return {"applied": [rule.name for rule in made]}


async def _is_missing(house: House, address: str) -> bool:
    """Whether it should be here, and is not: misspelt, or of somebody who left."""
    if not await house.directory.is_hosted(address.rpartition("@")[2]):
        return False
    return await house.directory.known(address) is None


def _shown(rule: Rule, place: int) -> dict[str, Any]:
    return {
        "position": place,
        "name": rule.name,
        "enabled": rule.enabled,
        "action": rule.action,
        "matches": described(rule),
        "rule": None if rule.name == LAST else write_rule(rule),
    }
