"""What is known of those who connect (S2, S3)."""

from twisted.logger import Logger

from smfd.control.house import Actor, Document, House
from smfd.model.directory import Refused
from smfd.scan.source_known import Sources

_log = Logger()


async def show(house: House, actor: Actor, *, address: str) -> Document:
    """All that is known of an address: its past, its name, its lists."""
    try:
        return await _sources(house).about(address)
    except ValueError:
        raise _no_address(address) from None


async def forget(house: House, actor: Actor, *, address: str) -> Document:
    """Forget the past of an address and of its network."""
    try:
        forgotten = _sources(house).forget(address)
    except ValueError:
        raise _no_address(address) from None
    _log.info(
        "{actor} forgot the past of {address}",
        actor=actor.name,
        address=forgotten["address"],
    )
    return forgotten


def _sources(house: House) -> Sources:
    if house.sources is None:
        raise Refused("conflict", "No source is judged here.")
    return house.sources


def _no_address(text: str) -> Refused:
    return Refused("invalid", f"{text[:60]!r} is no IP address.")
