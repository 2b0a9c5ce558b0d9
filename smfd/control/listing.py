"""Pages of what the directory has, as documents."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from smfd.control.house import Actor, Document, House
from smfd.store.directory import Directory
from smfd.store.directory_pages import Page
from smfd.store.directory_rules import domain_name

T = TypeVar("T")


class OfDomains(Protocol):
    """The use case that shows some of what belongs to domains."""

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
        """Some of a domain's, or of all."""


def listed(found: Page[T], shown: Callable[[T], Any]) -> Document:
    """A page as a document; C{shown} makes one of each item."""
    return {"items": [shown(one) for one in found.items], "total": found.total}


def of_domains(
    find: Callable[[Directory, str, str, int, int], Deferred[Page[T]]],
    shown: Callable[[T], Any],
) -> OfDomains:
    """
    The use case that shows a page of what belongs to domains.

    @param find: reads the page: of which domain ("": of all), containing what,
        how many, after how many.
    """

    async def page(
        house: House,
        actor: Actor,
        *,
        domain: str = "",
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Document:
        name = domain and domain_name(domain)
        return listed(await find(house.directory, name, search, limit, offset), shown)

    return page
