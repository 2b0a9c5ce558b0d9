"""Who did what: to the directory, and to messages."""

from smfd.control.house import Actor, Document, House
from smfd.control.times import moment, utc
from smfd.model.directory import Act, Refused
from smfd.store.acts import Asked
from smfd.store.directory_pages import LONGEST


async def page(
    house: House,
    actor: Actor,
    *,
    subject: str = "",
    by: str = "",
    until: str = "",
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """
    Some of the acts, the newest first.

    @param by: who did them.
    """
    end = offset + limit
    if end > LONGEST:
        # They come from two files: each has to be read up to there.
        raise Refused(
            "invalid",
            f"A list of acts ends with number {LONGEST}.",
            "Look further back with a time: until.",
        )
    asked = Asked(subject, by, moment(until, house.clock.seconds()))
    of_directory = await house.directory.acts("", asked, end)
    of_messages = await house.reader.acts(asked, end)
    # Those of one file stay in their order, whatever the clock did.
    acts = sorted(
        (*of_directory.items, *of_messages.items),
        key=lambda act: act.time,
        reverse=True,
    )
    return {
        "items": [_shown(act) for act in acts[offset:end]],
        "total": of_directory.total + of_messages.total,
    }


def _shown(act: Act) -> dict[str, object]:
    return {
        "time": utc(act.time),
        "actor": act.actor,
        "act": act.act,
        "subject": act.subject,
        "detail": act.detail,
    }
