"""
Accounts whose mail is held back: looked at, let go, thrown away (D5).

What the account sent is in the quarantine as C{held}.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred

from smfd.control import held
from smfd.control.house import Actor, Document, House
from smfd.control.limits import quota_of, standing
from smfd.control.listing import listed
from smfd.control.release import release as let_go
from smfd.control.times import utc
from smfd.model.directory import Refused
from smfd.model.queue import Changed, Choice
from smfd.model.quota import Hold
from smfd.model.verdict import HELD
from smfd.store.directory_rows import note
from smfd.store.directory_rules import address as checked
from smfd.store.queue import Queue

#: Seconds for which one request works; then it says what is left.
BUDGET = 45.0

#: Items that are read at once.
_PAGE = 100

#: How many reasons why something stays are told.
_TOLD = 20

_Act = Callable[[str], Awaitable[object]]


async def page(
    house: House,
    actor: Actor,
    *,
    search: str = "",
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """Some of the held accounts, the latest first."""
    return listed(await quota_of(house).holds.page(search, limit, offset), _shown)


async def show(house: House, actor: Actor, *, address: str) -> Document:
    """Why an account is held, what it has used, and one message of it to look at."""
    account = await _existing(house, address)
    hold = await quota_of(house).holds.held(account)
    items = await _items(house, account, limit=1)
    return {
        **(_shown(hold) if hold else {"address": account, "since": None}),
        "held": items["total"],
        "sample": [one["id"] for one in items["items"]],
        "queued": await _queued(house, account),
        **await standing(house, account),
    }


async def add(house: House, actor: Actor, *, address: str, reason: str) -> Document:
    """Hold an account by hand."""
    return _shown(await quota_of(house).hold(checked(address)[0], reason, actor.name))


async def release(
    house: House, actor: Actor, *, address: str, reason: str = ""
) -> Document:
    """
    It was all right: hold it no more, and send what it had sent.

    Its counters begin anew, or the next message would hold it again.  What a
    fresh look finds a virus in stays.
    """
    account = await _concerned(house, address)
    await _free(house, actor, account, "user held release", reason)

    async def act(item: str) -> None:
        await let_go(house, actor, id=item, reason=reason)

    gone = await _of_queue(house, Queue.resume, account, actor)
    done = await _each(house, account, act)
    return {"address": account, "released": True, "queued": gone, **done}


async def purge(
    house: House, actor: Actor, *, address: str, reason: str = ""
) -> Document:
    """It was a thief: throw away what was sent; the account stays held."""
    account = await _concerned(house, address)
    # First in the audit: what is thrown away cannot be brought back.
    await house.directory.act(actor.name, note, "user held purge", account, reason)

    async def act(item: str) -> None:
        await held.delete(house, actor, id=item)

    gone = await _of_queue(house, Queue.drop, account, actor)
    done = await _each(house, account, act)
    return {"address": account, "purged": True, "queued": gone, **done}


async def reset(house: House, actor: Actor, *, address: str) -> Document:
    """Hold it no more, and begin to count anew; what is held stays so."""
    account = await _existing(house, address)
    hold = await _free(house, actor, account, "user held reset", "")
    return {"address": account, "was_held": hold is not None}


async def _free(
    house: House, actor: Actor, account: str, act: str, reason: str
) -> Hold | None:
    quota = quota_of(house)
    await quota.counters.reset(account)
    return await quota.holds.free(account, act, reason, actor=actor.name)


async def _each(house: House, account: str, act: _Act) -> dict[str, Any]:
    """Do it to each held item, the oldest first, as long as there is time."""
    until = house.clock.seconds() + BUDGET
    done, stayed, why = 0, 0, []
    while house.clock.seconds() < until:
        left = (await _items(house, account, limit=0))["total"] - stayed
        size = min(_PAGE, left)
        if size <= 0:
            break
        items = await _items(house, account, limit=size, offset=left - size)
        for item in reversed(items["items"]):
            try:
                await act(item["id"])
                done += 1
            except Refused as no:
                stayed += 1
                why.append(f"{item['id']}: {no.sentence}")
            if house.clock.seconds() >= until:
                break
    left = (await _items(house, account, limit=0))["total"]
    return {"done": done, "left": left, "stayed": stayed, "why": why[:_TOLD]}


async def _of_queue(
    house: House,
    act: Callable[[Queue, Choice, str], Deferred[Changed]],
    account: str,
    actor: Actor,
) -> int:
    """Do it to what was on its way when the account was held; how many those are."""
    if house.queue is None:
        return 0
    return (await act(house.queue, _stopped(account), actor.name)).count


async def _queued(house: House, account: str) -> int:
    """How many recipients wait for it to be let go, besides the quarantine."""
    return await house.reader.queue_count(_stopped(account), 1_000_000)


def _stopped(account: str) -> Choice:
    return Choice(account=account, states=("suspended",))


async def _items(
    house: House, account: str, limit: int, offset: int = 0
) -> dict[str, Any]:
    return await house.reader.held(
        account=account, category=HELD, limit=limit, offset=offset
    )


async def _concerned(house: House, address: str) -> str:
    """The mailbox, if it is held, or something that it sent is."""
    account = await _existing(house, address)
    if (
        await quota_of(house).holds.held(account) is None
        and not (await _items(house, account, limit=0))["total"]
        and not await _queued(house, account)
    ):
        raise Refused(
            "conflict",
            f"{account} is not held, and nothing that it sent is.",
            "user held list names those that are.",
        )
    return account


async def _existing(house: House, address: str) -> str:
    name = checked(address)[0]
    account = await house.directory.account(name)
    if account is None or account.address != name:
        raise Refused(
            "unknown", f"There is no mailbox {name}.", "user list names them."
        )
    return name


def _shown(hold: Hold) -> dict[str, object]:
    return {
        "address": hold.account,
        "since": utc(hold.since),
        "actor": hold.actor,
        "reason": hold.reason,
    }
