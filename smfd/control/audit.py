"""Who changed what in the directory."""

from smfd.control.house import Actor, Document, House
from smfd.control.times import utc


async def page(
    house: House,
    actor: Actor,
    *,
    subject: str = "",
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """Some of the acts, the newest first."""
    found = await house.directory.acts(subject, limit, offset)
    items = [
        {
            "time": utc(act.time),
            "actor": act.actor,
            "act": act.act,
            "subject": act.subject,
            "detail": act.detail,
        }
        for act in found.items
    ]
    return {"items": items, "total": found.total}
