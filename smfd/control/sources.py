"""What is known of those who connect (S2, S3)."""

from smfd.control.house import Actor, Document, House
from smfd.model.directory import Refused
from smfd.policy.networks import address_of, network_of
from smfd.scan.source_known import Sources
from smfd.store.directory_rows import note


async def show(house: House, actor: Actor, *, address: str) -> Document:
    """All that is known of an address: its past, its name, its lists."""
    try:
        return await _sources(house).about(address)
    except ValueError:
        raise _no_address(address) from None


async def forget(house: House, actor: Actor, *, address: str) -> Document:
    """Forget the past of an address and of its network."""
    sources = _sources(house)
    try:
        client = str(address_of(address))
    except ValueError:
        raise _no_address(address) from None
    # First in the audit: what is forgotten cannot be brought back.
    await house.directory.act(
        actor.name, note, "source forget", client, network_of(client)
    )
    return sources.forget(client)


def _sources(house: House) -> Sources:
    if house.sources is None:
        raise Refused("conflict", "No source is judged here.")
    return house.sources


def _no_address(text: str) -> Refused:
    return Refused("invalid", f"{text[:60]!r} is no IP address.")
