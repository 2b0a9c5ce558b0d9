"""Allow and block entries (S7, S8, S37, C8)."""

from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed
from smfd.control.times import moment, utc
from smfd.model.directory import ListEntry, Refused
from smfd.store.directory_rules import pattern as pattern_name
from smfd.store.directory_rules import scope as scope_name


async def add(
    house: House,
    actor: Actor,
    *,
    scope: str,
    allow: bool,
    pattern: str,
    expires: str = "",
    note: str = "",
    locked: bool = False,
) -> Document:
    """Put an entry on a list; the same again replaces its note and end."""
    end = moment(expires, house.clock.seconds(), ahead=True)
    entry = ListEntry(0, scope, allow, pattern, locked, end, note)
    return _shown(await house.lists.add(entry, actor=actor.name))


async def page(
    house: House,
    actor: Actor,
    *,
    scope: str = "",
    pattern: str = "",
    search: str = "",
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """Some of the entries, expired ones too, the newest first."""
    scope = scope and scope_name(scope)
    pattern = pattern and str(pattern_name(pattern))
    found = await house.lists.page(scope, pattern, search, limit, offset)
    return listed(found, _shown)


async def remove(house: House, actor: Actor, *, id: str) -> Document:  # noqa: A002
    """Take an entry off its list."""
    if not (id.isascii() and id.isdecimal() and len(id) < 16):
        raise Refused("invalid", f"{id[:40]!r} is no entry's number.")
    return _shown(await house.lists.remove(int(id), actor=actor.name))


def _shown(entry: ListEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "scope": entry.scope,
        "kind": "allow" if entry.allow else "block",
        "pattern": entry.pattern,
        "locked": entry.locked,
        "expires": None if entry.expires is None else utc(entry.expires),
        "note": entry.note,
    }
