"""The queue by where it goes: how much waits for whom, since when, and why."""

from typing import Any

from smfd.control.house import Actor, Document, House
from smfd.control.queue import MANY, check_many, just_now, queue_of, said, site_named
from smfd.control.times import utc
from smfd.model.directory import Refused
from smfd.model.queue import EVERY, Choice, SiteState
from smfd.policy.route import parse_hop

#: The word that ends a route.
_NONE = "none"


async def page(house: House, actor: Actor, *, limit: int = 100) -> Document:
    """
    The sites that most waits for, by age.

    C{ages}: bounds in seconds.  Of each site C{ages} says how many recipients
    are younger than the first, between that and the second, ... and older than
    the last.
    """
    found = await house.reader.queue_shape(house.clock.seconds(), limit)
    queue = queue_of(house)
    return {
        **{name: found[name] for name in ("due", "suspended", "down", "notices")},
        "ages": found["ages"],
        "items": [_shown(house, site) for site in found["sites"]],
        "held": sorted(queue.held),
        "routes": dict(sorted(queue.routes.items())),
    }


async def hold(
    house: House, actor: Actor, *, site: str, yes: bool = False, reason: str = ""
) -> Document:
    """
    Hold back all mail of a site, that which is still to come too.

    @param site: a domain; "*" is every other server.
    """
    name, queue = _named(site), queue_of(house)
    waiting = await _waiting(house, name)
    check_many(waiting, yes)
    await house.ledger.audit(actor.name, "queue hold", f"site {name}", said(reason))
    await queue.hold_sites([name], True)
    return {"site": name, "held": True, "waiting": waiting}


async def resume(
    house: House, actor: Actor, *, site: str, yes: bool = False, reason: str = ""
) -> Document:
    """Let it go again; messages that are held by themselves stay so."""
    name, queue = _named(site), queue_of(house)
    if name not in queue.held:
        held = ", ".join(sorted(queue.held)[:20])
        raise Refused(
            "conflict",
            f"{name} is not held.",
            f"Held: {held}." if held else "No site is; messages may be by themselves.",
        )
    waiting = await _waiting(house, name)
    check_many(waiting, yes)
    await house.ledger.audit(actor.name, "queue resume", f"site {name}", said(reason))
    await queue.hold_sites([name], False)
    alone = await _waiting(house, name, "suspended")
    return {"site": name, "held": False, "waiting": waiting, "suspended": alone}


async def reroute(
    house: House,
    actor: Actor,
    *,
    site: str,
    to: str,
    yes: bool = False,
    reason: str = "",
) -> Document:
    """
    Send a site's mail elsewhere from now on, until that is taken back.

    What was put off is tried there at once: others than that server put it off.

    @param to: C{smtp://host:port}; C{none} ends it.
    """
    name, queue = site_named(site), queue_of(house)
    if await house.directory.is_hosted(name):
        raise Refused(
            "conflict",
            f"{name} is hosted here: its mail goes where the domain says.",
            "Say domain set --next-hop.",
        )
    route = "" if to.strip().lower() == _NONE else _route(to)
    if not route and name not in queue.routes:
        raise Refused("conflict", f"The mail of {name} goes its usual way.")
    waiting = await _waiting(house, name)
    check_many(waiting, yes)
    detail = f"to {route or 'where it belongs'}. {said(reason)}".strip()
    await house.ledger.audit(actor.name, "queue reroute", f"site {name}", detail)
    await queue.reroute(name, route)
    await queue.retry(Choice(site=name), actor.name)
    return {"site": name, "route": route, "waiting": waiting}


def _named(site: str) -> str:
    return EVERY if site == EVERY else site_named(site)


async def _waiting(house: House, site: str, state: str = "due") -> int:
    """How many recipients stand so there, or at any other server."""
    if site == EVERY:
        shape: dict[str, int] = await house.reader.queue_shape(0.0, 0)
        return shape[state]
    return await house.reader.queue_count(Choice(site=site, states=(state,)), MANY)


def _route(to: str) -> str:
    try:
        return str(parse_hop(to))
    except ValueError as wrong:
        raise Refused("invalid", str(wrong)) from None


def _shown(house: House, site: dict[str, Any]) -> dict[str, Any]:
    older = [site["n"], *site["ages"], 0]
    kept = {name: site[name] for name in ("site", "next_try", "attempts", "why")}
    state = just_now(house, SiteState(**kept, since=site["since"]))
    now, first = house.clock.seconds(), site["first_try"]
    # Who may be tried is what a site waits for, if nothing is wrong with it.
    alone = first > now and not state.next_try
    return {
        "site": site["site"],
        "waiting": site["n"],
        "ages": [more - less for more, less in zip(older, older[1:], strict=False)],
        "held": state.held,
        "route": site["route"],
        "attempts": state.attempts,
        "next_try": utc(max(first, state.next_try))
        if alone or state.next_try
        else None,
        "why": site["first_why"] if alone else state.why,
        "since": utc(state.since) if state.since else None,
    }
