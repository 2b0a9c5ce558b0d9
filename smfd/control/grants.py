"""Who may write as whom (C15)."""

from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed
from smfd.control.times import utc
from smfd.model.grant import Grant, Identity
from smfd.store import directory_grants
from smfd.store.directory_pages import LONGEST, Page


async def add(house: House, actor: Actor, *, account: str, address: str) -> Document:
    """Let a user write as an address; again changes nothing."""
    made = await house.directory.act(actor.name, directory_grants.add, account, address)
    return _shown(made)


async def remove(house: House, actor: Actor, *, account: str, address: str) -> Document:
    """Let a user write as an address no more."""
    gone = await house.directory.act(
        actor.name, directory_grants.remove, account, address
    )
    return {"account": gone.account, "address": gone.address}


async def page(
    house: House,
    actor: Actor,
    *,
    account: str = "",
    address: str = "",
    search: str = "",
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """Some of the grants: of a user, of an address, or of all."""
    found = await house.directory.ask(
        directory_grants.page, account, address, search, limit, offset
    )
    return listed(found, _shown)


async def show(
    house: House, actor: Actor, *, address: str, limit: int = 100, offset: int = 0
) -> Document:
    """Some of the addresses that a user may write as, and why."""
    found = await house.directory.ask(directory_grants.existing, address)
    first = max(0, offset)
    some = found[first : first + max(0, min(limit, LONGEST))]
    return listed(Page(some, len(found)), _explained)


def _shown(grant: Grant) -> dict[str, object]:
    return {
        "account": grant.account,
        "address": grant.address,
        "created": utc(grant.created),
    }


def _explained(identity: Identity) -> dict[str, object]:
    return {"address": identity.address, "why": identity.why}
