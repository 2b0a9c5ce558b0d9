"""Addresses that do not exist, and that nothing is sent to."""

from typing import Any

from smfd.control.house import Actor, Document, House
from smfd.control.listing import OfDomains
from smfd.control.reputation import reputation_of
from smfd.control.times import utc
from smfd.model.directory import Refused
from smfd.policy.suppression import Suppressed
from smfd.store.directory_pages import Page
from smfd.store.directory_rows import note
from smfd.store.directory_rules import address as checked
from smfd.store.directory_rules import domain_name
from smfd.store.suppressions import Key


async def remove(
    house: House, actor: Actor, *, domain: str, recipient: str
) -> Document:
    """Send there again; it is forgotten that the address was unknown."""
    ours = reputation_of(house).deliverability
    kept = ours.suppressions
    name, address = domain_name(domain), checked(recipient)[0]
    found = kept.get(name, address)
    if found is None:
        raise Refused(
            "unknown",
            f"{name} may write to {address} already.",
            "suppression list names who may not write to whom.",
        )
    subject = f"{name} to {address}"
    await house.directory.act(actor.name, note, "suppression remove", subject, "")
    kept.drop(name, address)
    await ours.write()
    return _suppressed(((name, address), found))


def _suppressed(one: tuple[Key, Suppressed]) -> dict[str, Any]:
    (domain, recipient), row = one
    return {
        "domain": domain,
        "recipient": recipient,
        "times": row.times,
        "last": utc(row.last),
        "until": utc(row.ends),
        "why": row.why,
    }


async def _latest(house: House, *page: Any) -> Page[tuple[Key, Suppressed]]:
    ours = reputation_of(house).deliverability
    await ours.write()
    return await ours.suppressions.page(house.clock.seconds(), *page)


page = OfDomains(_latest, _suppressed)
