"""How the mail for a domain of others would go, for whoever asks why it does not."""

from smfd.control.house import Actor, Document, House
from smfd.delivery.rehearsal import Found, Tried
from smfd.model.directory import Refused
from smfd.policy.lists import parse_domain
from smfd.policy.mx import NoWay


async def show(house: House, actor: Actor, *, domain: str) -> Document:
    """Where it would go, and how safe it must be; the DNS is asked."""
    return await _found(house, domain, live=False)


async def attempt(house: House, actor: Actor, *, domain: str) -> Document:
    """The same, and how far each server lets us come; nothing is sent."""
    return await _found(house, domain, live=True)


async def _found(house: House, domain: str, live: bool) -> Document:
    if house.rehearsal is None:
        raise Refused("conflict", "No mail leaves here.")
    try:
        name = parse_domain(domain)
    except ValueError as error:
        raise Refused("invalid", str(error)) from None
    if await house.directory.is_hosted(name):
        hint = f"domain show {name} says where its mail goes."
        raise Refused("conflict", f"{name} is hosted here.", hint)
    document = {"domain": name, "tried": live, "refusal": "", "servers": []}
    try:
        found = await house.rehearsal.of(name, live)
    except NoWay as no:
        return {**document, "refusal": str(no.said), "permanent": no.permanent}
    return {**document, "permanent": False, **_way(found)}


def _way(found: Found) -> Document:
    policy = found.way.policy
    sts = policy.sts if policy else None
    return {
        "by": "route" if found.way.routed else "MX",
        "dnssec": found.way.secure and not found.way.routed,
        "override": policy.override if policy else "",
        "mta_sts": sts.mode if sts else "",
        "servers": [_server(one) for one in found.servers],
    }


def _server(one: Tried) -> Document:
    hop = one.hop
    return {
        "host": hop.host,
        "address": hop.address,
        "port": hop.port,
        "from": hop.origin.address,
        "hello": hop.origin.hello,
        "must": hop.tls,
        "tlsa": [str(record) for record in hop.tlsa],
        "trouble": one.trouble,
        "steps": [
            {"name": step.name, "ms": round(step.seconds * 1000, 1)}
            for step in one.steps
        ],
        "tls": one.tls,
        "tls_fault": one.fault,
        "offers": list(one.offers),
    }
