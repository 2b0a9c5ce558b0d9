"""What others report of a domain of ours: whose it is, and how far back."""

from smfd.control.house import House
from smfd.model.directory import Refused
from smfd.store.directory_rules import domain_name

_DAY = 86_400

#: Days that can be looked back.
FARTHEST = 400


async def told_of(house: House, name: str, days: int) -> tuple[str, int]:
    """
    The domain, and since when: seconds since the epoch.

    @raise Refused: it is not ours, or that is too far back.
    """
    domain = domain_name(name)
    if not await house.directory.is_hosted(domain):
        raise Refused("unknown", f"{domain} is not hosted here.")
    if not 1 <= days <= FARTHEST:
        raise Refused(
            "invalid", f"{days} days cannot be shown.", f"Write 1 to {FARTHEST}."
        )
    return domain, int(house.clock.seconds()) - days * _DAY
