"""Pages of what the house has, as documents."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from attrs import frozen

from smfd.control.house import Actor, Document, House
from smfd.store.directory_pages import Page
from smfd.store.directory_rules import domain_name

T = TypeVar("T")


def listed(found: Page[T], shown: Callable[[T], Any]) -> Document:
    """A page as a document; C{shown} makes one of each item."""
    return {"items": [shown(one) for one in found.items], "total": found.total}


@frozen
class OfDomains(Generic[T]):
    """
    A use case: some of what belongs to a domain, or to all.

    @ivar find: reads the page: of which domain ("": of all), containing what,
        how many, after how many.
    @ivar shown: makes a document of each.
    """

    find: Callable[[House, str, str, int, int], Awaitable[Page[T]]]
    shown: Callable[[T], Any]

    async def __call__(
        self,
        house: House,
        actor: Actor,
        *,
        domain: str = "",
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Document:
        """A page."""
        name = domain and domain_name(domain)
        return listed(await self.find(house, name, search, limit, offset), self.shown)
