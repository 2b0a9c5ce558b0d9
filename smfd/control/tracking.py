"""What became of a message, and why (S31, S32)."""

from pathlib import Path
from typing import Any

from smfd.control.house import Actor, Document, House
from smfd.control.times import moment, utc
from smfd.control.words import one_of
from smfd.model.directory import Refused
from smfd.model.verdict import VERDICTS
from smfd.store.directory_named import account_named
from smfd.store.search_criteria import Criteria, Unsearchable
from smfd.store.search_shelf import TooBroad


async def search(
    house: House,
    actor: Actor,
    *,
    recipient: str = "",
    sender: str = "",
    account: str = "",
    subject: str = "",
    client: str = "",
    verdict: str = "",
    since: str = "",
    until: str = "",
    limit: int = 50,
    offset: int = 0,
) -> Document:
    """Records that match, the newest first, and up to when that is complete."""
    now = house.clock.seconds()
    one_of(verdict, VERDICTS, "verdict")
    criteria = Criteria(
        sender=sender,
        recipient=recipient,
        account=account,
        subject=subject,
        client=client,
        verdict=verdict,
        since=moment(since, now),
        until=moment(until, now),
    )
    try:
        found = await house.search.search(criteria, limit, offset)
    except Unsearchable as wrong:
        raise Refused("invalid", str(wrong)) from None
    except TooBroad:
        raise Refused(
            "invalid", "The search took too long.", "Narrow it down, by time for one."
        ) from None
    return {
        "items": [{**item, "time": utc(item["time"])} for item in found.items],
        "complete_up_to": utc(found.complete_up_to),
    }


async def show(house: House, actor: Actor, *, id: str) -> Document:  # noqa: A002
    """
    Everything that is known about one message or refusal.

    @param id: a record's, or that of an item held in the quarantine.
    """
    id = id.partition("-")[0]  # noqa: A001
    found = await house.reader.record(id)
    if found is None:
        # A refusal is noted when it suits the ledger; asking it anything
        # makes it write down what waits.
        await house.ledger.next_try()
        found = await house.reader.record(id)
    if found is None:
        raise Refused(
            "unknown",
            f"There is no record {id[:40]!r}.",
            "It may be past its retention; trace search finds those there are.",
        )
    return {
        "record": _dated(found["record"], "time"),
        "recipients": [
            _dated(_dated(r, "decided"), "next_try") for r in found["recipients"]
        ],
        "acts": [_dated(act, "time") for act in found["acts"]],
    }


async def account(house: House, actor: Actor, *, name: str) -> Document:
    """Who is meant by the other name in the trace field of a message (S53)."""
    home, asked = Path(house.home), name.strip().lower()
    found = await house.directory.ask(account_named, home, asked)
    if not found:
        raise Refused(
            "unknown",
            f"No account here is called {name[:40]!r}.",
            "It stands behind the word account in the Received field that we wrote.",
        )
    return {"name": asked, "account": found}


def _dated(document: dict[str, Any], key: str) -> dict[str, Any]:
    """The document with one of its times as people read it."""
    time = document.get(key)
    return {**document, key: utc(time) if isinstance(time, int | float) else time}
