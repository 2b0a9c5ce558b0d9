"""Who changed what in the directory."""

from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed
from smfd.control.times import utc
from smfd.model.directory import Act


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
    return listed(found, _shown)


def _shown(act: Act) -> dict[str, object]:
    return {
        "time": utc(act.time),
        "actor": act.actor,
        "act": act.act,
        "subject": act.subject,
        "detail": act.detail,
    }
