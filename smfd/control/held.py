"""The quarantine: listed, shown, emptied (S28 to S31)."""

from typing import Any

from smfd.control.approvals import acting, approvers_of, declined
from smfd.control.house import Actor, Document, House
from smfd.control.times import utc
from smfd.control.words import one_of
from smfd.model.directory import Refused
from smfd.model.entry import State
from smfd.model.verdict import CATEGORIES, UNDELIVERABLE
from smfd.store.directory_rules import domain_name

_SHOWN = (
    "id",
    "recipient",
    "sender",
    "subject",
    "class",
    "reason",
    "score",
    "received",
    "size",
    "domain",
)


async def page(
    house: House,
    actor: Actor,
    *,
    domain: str = "",
    recipient: str = "",
    search: str = "",
    category: str = "",
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """Some of the held items, the newest first."""
    one_of(category, (*CATEGORIES, UNDELIVERABLE), "class")
    found = await house.reader.held(
        domain=domain and domain_name(domain),
        recipient=recipient.lower(),
        words=search,
        category=category,
        limit=limit,
        offset=offset,
    )
    return {
        "items": [_shown(item) for item in found["items"]],
        "total": found["total"],
    }


async def show(house: House, actor: Actor, *, id: str) -> Document:  # noqa: A002
    """One held item, the record of its message, and who may decide about it."""
    item = await existing(house, id)
    trace = await house.reader.record(id.rpartition("-")[0])
    return {
        **_shown(item),
        "record": trace["record"] if trace else None,
        "approvers": await approvers_of(house, item),
    }


async def delete(
    house: House,
    actor: Actor,
    *,
    id: str,  # noqa: A002
    approver: str = "",
) -> Document:
    """Throw an item away; who has to approve of it may, too."""
    item = await existing(house, id)
    actor = await acting(house, actor, item, approver)
    if not await house.ledger.decide_held(id, State.DELETED, actor.name):
        raise decided(id)
    await house.ledger.audit(actor.name, "delete", id, "")
    await declined(house, item)
    return {"id": id, "deleted": True, "recipient": item["recipient"]}


async def existing(house: House, item: str) -> dict[str, Any]:
    """The item, which must be held."""
    found = await house.reader.held_item(item)
    if found is None:
        raise Refused(
            "unknown",
            f"Nothing is held as {item[:40]!r}.",
            "It may be released, deleted, or past its retention;"
            " quarantine list names what is held.",
        )
    return found


def decided(item: str) -> Refused:
    """Somebody was faster."""
    return Refused("conflict", f"{item} was released or deleted a moment ago.")


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    shown = {key: item.get(key) for key in _SHOWN}
    received = item.get("received")
    if isinstance(received, int | float):
        shown["received"] = utc(received)
    return shown
