"""Hosted domains: added, looked at, changed, removed."""

from functools import partial
from typing import cast

from smfd.control import dkim
from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed
from smfd.model.directory import Domain, Refused
from smfd.policy.address_book import risks
from smfd.store.directory_rows import Changes
from smfd.store.directory_rules import domain_name

#: What takes a catch-all away.
OFF = "off"


async def add(
    house: House,
    actor: Actor,
    *,
    name: str,
    threshold: float | None = None,
    kind: str = "",
    next_hop: str = "",
    tls: str = "",
    verify: str = "",
    catch_all: str = "",
) -> Document:
    """Host a domain; what is left out is as its kind has it."""
    place = _place(
        kind=kind, next_hop=next_hop, tls=tls, verify=verify, catch_all=catch_all
    )
    place["threshold"] = threshold
    made = await house.directory.add_domain(name, actor=actor.name, **place)
    await dkim.give(house, actor, made.name)
    return _shown(house, made)


async def page(
    house: House, actor: Actor, *, search: str = "", limit: int = 100, offset: int = 0
) -> Document:
    """Some of the hosted domains."""
    found = await house.directory.domains(search, limit, offset)
    return listed(found, partial(_shown, house))


async def show(house: House, actor: Actor, *, name: str) -> Document:
    """One domain, with how many mailboxes it has and how many items are held."""
    domain = await house.directory.domain(domain_name(name))
    if domain is None:
        raise Refused(
            "unknown", f"{name[:80]} is not hosted here.", "domain list names what is."
        )
    users = await house.directory.accounts(domain.name, limit=0)
    held = await house.reader.held(domain=domain.name, limit=0)
    return {**_shown(house, domain), "users": users.total, "held": held["total"]}


async def change(
    house: House,
    actor: Actor,
    *,
    name: str,
    threshold: float | None = None,
    default_threshold: bool = False,
    allow_unauthenticated: bool | None = None,
    scan_outbound: bool | None = None,
    kind: str = "",
    next_hop: str = "",
    tls: str = "",
    verify: str = "",
    catch_all: str = "",
) -> Document:
    """Change what is given; C{catch_all} may be "off"."""
    changes = _place(
        kind=kind, next_hop=next_hop, tls=tls, verify=verify, catch_all=catch_all
    )
    if threshold is not None and default_threshold:
        raise Refused("invalid", "A threshold of its own is not the default one.")
    if threshold is not None or default_threshold:
        changes["threshold"] = threshold
    if allow_unauthenticated is not None:
        changes["allow_unauthenticated"] = allow_unauthenticated
    if scan_outbound is not None:
        changes["scan_outbound"] = scan_outbound
    if not changes:
        raise Refused(
            "invalid", "Nothing to change was named.", "See domain set --help."
        )
    changed = await house.directory.set_domain(name, actor=actor.name, **changes)
    return _shown(house, changed)


async def remove(
    house: House, actor: Actor, *, name: str, force: bool = False
) -> Document:
    """Host it no longer."""
    removed = await house.directory.remove_domain(name, force, actor=actor.name)
    return _shown(house, removed)


def _place(**given: str) -> Changes:
    """Where its mailboxes are, as far as it is said."""
    said = {name: text for name, text in given.items() if text}
    if said.get("catch_all") == OFF:
        said["catch_all"] = ""
    return cast(Changes, said)


def _shown(house: House, domain: Domain) -> dict[str, object]:
    own, hop = domain.threshold, domain.next_hop
    return {
        "name": domain.name,
        "kind": domain.kind,
        "next_hop": str(hop) if hop else None,
        "tls": hop.tls if hop else None,
        "verify": domain.verify,
        "catch_all": domain.catch_all or None,
        "threshold": house.facts.threshold if own is None else own,
        "default_threshold": own is None,
        "allow_unauthenticated": domain.allow_unauthenticated,
        "scan_outbound": domain.scan_outbound,
        "risks": list(risks(domain)),
    }
