"""What others report of our domains, as documents."""

from collections.abc import Awaitable, Callable

from attrs import frozen

from smfd.control.house import Actor, Document, House
from smfd.control.reputation import reputation_of
from smfd.control.reputation_settings import Reputation
from smfd.control.times import check_days
from smfd.model.directory import Refused
from smfd.store.directory_rules import domain_name

_DAY = 86_400


@frozen
class OfReports:
    """
    A use case: what others report of a domain of ours.

    @ivar find: what reports of a kind say: of which domain, since when (seconds
        since the epoch), and how many of them to show, after how many.
    """

    find: Callable[[Reputation, str, int, int, int], Awaitable[Document]]

    async def __call__(
        self,
        house: House,
        actor: Actor,
        *,
        name: str,
        days: int = 30,
        limit: int = 20,
        offset: int = 0,
    ) -> Document:
        """
        In sentences, in sum, and which reports there are.

        @param days: so many back; a report counts by the end of its time.
        """
        domain = domain_name(name)
        if not await house.directory.is_hosted(domain):
            raise Refused(
                "unknown",
                f"{domain} is not hosted here.",
                "domain list names what is.",
            )
        check_days(days)
        since = int(house.clock.seconds()) - days * _DAY
        found = await self.find(reputation_of(house), domain, since, limit, offset)
        return {"domain": domain, "days": days, **found}
