"""
Mail that waits: looked at, tried now, held back, given up.

What is done to many says how many they are first, and is done when it is said
again that all of them are meant.
"""

import re
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from smfd.control.house import Actor, Document, House
from smfd.control.times import moment, utc
from smfd.control.words import one_of, said_of
from smfd.model.directory import Refused
from smfd.model.grammar import counted
from smfd.model.queue import Changed, Choice, SiteState
from smfd.model.quota import Hold
from smfd.store.directory_rules import domain_name
from smfd.store.ids import new_id
from smfd.store.ledger_held import split_item
from smfd.store.queue import Queue

#: So many recipients are touched without being asked twice.
FEW = 100

#: Nobody counts any further.
MANY = 1_000_000

#: A recipient of a message, as C{next} names him.
_MARK = re.compile(r"[0-9a-z]{16}-[0-9]{1,9}")

_STATES = ("due", "suspended")
_LONGEST_REASON = 300


@frozen
class Asked:
    """
    How something is to be done.

    @ivar actor: who does it.
    @ivar reason: why; it is written down.
    """

    actor: str
    reason: str


async def page(
    house: House,
    actor: Actor,
    *,
    site: str = "",
    sender: str = "",
    recipient: str = "",
    account: str = "",
    older: str = "",
    state: str = "",
    after: str = "",
    limit: int = 100,
) -> Document:
    """
    Some of what waits, the oldest first, an item for each recipient.

    @param older: messages older than C{2h}, or from before a time.
    @param after: C{next} of the page before.
    """
    one_of(state, _STATES, "state")
    choice = _choice(house, "", site, sender, recipient, account, older)
    if state:
        choice = evolve(choice, states=(state,))
    limit = max(1, min(limit, 1000))
    rows = await house.reader.queue_page(choice, _mark(after), limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": await _items(house, rows[:limit]),
        "next": f"{last['id']}-{last['number']}" if last else None,
    }


async def show(house: House, actor: Actor, *, id: str) -> Document:  # noqa: A002
    """One message, and all of its recipients that wait."""
    entry = id.partition("-")[0]
    rows = await house.reader.queue_page(Choice(entry=entry), limit=1000)
    if not rows:
        raise Refused(
            "unknown",
            f"Nothing of {id[:40]!r} waits.",
            "trace show says what became of it.",
        )
    whole = {name: rows[0][name] for name in ("id", "sender", "account", "size")}
    trace = await house.reader.record(entry)
    subject = trace["record"].get("subject", "") if trace else ""
    return {
        **whole,
        "received": utc(rows[0]["received"]),
        "subject": subject,
        "recipients": await _items(house, rows),
    }


def queue_of(house: House) -> Queue:
    """The queue, which must be there."""
    if house.queue is None:
        raise Refused("conflict", "Nothing is queued here.")
    return house.queue


def check_many(many: int, yes: bool) -> None:
    """
    Let few recipients be touched, or all of them when somebody said yes.

    @raise Refused: nobody did.
    """
    if many > FEW and not yes:
        count = f"{MANY} or more" if many == MANY else str(many)
        raise Refused(
            "conflict",
            f"{count} recipients are meant.",
            "Say --yes if you mean all of them.",
        )


def said(reason: str) -> str:
    """A reason, which must not be long."""
    if len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise Refused(
            "invalid", f"A reason is one line of {_LONGEST_REASON} characters."
        )
    return reason.strip()


def site_named(text: str) -> str:
    """A site as the queue knows it: a domain, or an address in brackets."""
    name = text.strip().removeprefix("@").lower()
    return name if name.startswith("[") else domain_name(name)


def _mark(after: str) -> tuple[str, int]:
    """Where a page begins: a wrong mark would hide what waits."""
    if after and not _MARK.fullmatch(after):
        raise Refused(
            "invalid",
            f"{after[:40]!r} is no place in the queue.",
            "Write what the page before ended with, or leave it out.",
        )
    return split_item(after)


def _choice(
    house: House,
    entry: str,
    site: str,
    sender: str,
    recipient: str,
    account: str,
    older: str,
) -> Choice:
    before = moment(older, house.clock.seconds())
    name, _, number = entry.strip().partition("-")
    if number:
        # To take it for all of the message would do more than was said.
        raise Refused(
            "invalid",
            f"{entry[:40]!r} names one recipient of a message.",
            f"Say {name[:16]} for all of it, or that and --recipient ADDRESS for one.",
        )
    return Choice(
        entry=name,
        site=site and site_named(site),
        sender=sender,
        recipient=recipient,
        account=account.lower(),
        before=new_id(max(0.0, before)) if before is not None else "",
    )


@frozen
class Act:
    """
    A use case that does something to all who fit.

    @ivar states: who of them is meant.
    @ivar frees: held accounts are not meant: what they sent may be a thief's.
    """

    name: str
    states: tuple[str, ...]
    do: Callable[[Queue, Choice, Asked], Deferred[Changed]]
    frees: bool = False

    async def __call__(
        self,
        house: House,
        actor: Actor,
        *,
        id: str = "",  # noqa: A002
        site: str = "",
        sender: str = "",
        recipient: str = "",
        account: str = "",
        older: str = "",
        everything: bool = False,
        yes: bool = False,
        reason: str = "",
    ) -> Document:
        """
        Do it; how many were meant, how many there were, and their sites.

        @param older: as above.
        @param everything: no more is named, for all are meant.
        """
        choice = _choice(house, id, site, sender, recipient, account, older)
        if (choice == Choice()) is not everything:
            raise Refused(
                "invalid",
                "Say which messages are meant, or that all are, and not both.",
                "Name a message or a site, a --sender or the like, or say --all.",
            )
        asked = Asked(actor.name, said(reason))
        if self.frees and house.quota is not None:
            choice = evolve(choice, spared=await house.quota.holds.accounts())
        meant = await self._meant(house, choice)
        check_many(meant, yes)
        # First in the audit: what is gone cannot be brought back.
        detail = f"{counted(meant, 'recipient')}. {reason}".strip()
        verb = f"queue {self.name}"
        await house.ledger.audit(actor.name, verb, _about(choice), detail)
        changed = await self.do(queue_of(house), choice, asked)
        sites = sorted(changed.sites)
        return {
            "meant": meant,
            "changed": changed.count,
            "sites": sites[:FEW],
            "held": [site for site in sites if queue_of(house).holds(site)][:FEW],
        }

    async def _meant(self, house: House, choice: Choice) -> int:
        """
        How many are.

        @raise Refused: none.
        """
        count = house.reader.queue_count
        if meant := await count(evolve(choice, states=self.states), MANY):
            return meant
        if not await count(evolve(choice, states=_STATES, spared=()), 1):
            raise Refused(
                "unknown", "Nothing that waits fits.", "queue list shows what waits."
            )
        if "due" in self.states:
            raise Refused(
                "conflict", "What fits is held by itself.", "queue resume lets it go."
            )
        raise Refused(
            "conflict",
            "What fits is not held by itself.",
            "queue list says why it waits.",
        )


retry = Act("retry", ("due",), lambda q, choice, how: q.retry(choice, how.actor))
hold = Act("hold", ("due",), lambda q, choice, how: q.suspend(choice, how.actor))
resume = Act(
    "resume",
    ("suspended",),
    lambda q, choice, how: q.resume(choice, how.actor),
    frees=True,
)
fail = Act(
    "fail",
    _STATES,
    lambda q, choice, how: q.fail(choice, _given_up(how.reason), how.actor),
)
drop = Act("drop", _STATES, lambda q, choice, how: q.drop(choice, how.actor))


def _given_up(reason: str) -> str:
    """What the sender reads of it."""
    return "given up by the postmaster" + (f": {reason}" if reason else "")


def _about(choice: Choice) -> str:
    """What an act was done to, in a word or some."""
    if choice.entry:
        return choice.entry
    words = [
        f"{name} {value}"
        for name, value in (
            ("site", choice.site),
            ("sender", choice.sender),
            ("recipient", choice.recipient),
            ("account", choice.account),
            ("before", choice.before),
        )
        if value
    ]
    return ", ".join(words) or "everything"


async def _items(house: House, rows: list[dict[str, Any]]) -> list[Document]:
    """Recipients, each with when he is tried and why not now."""
    holds = dict[str, Hold | None]()
    if house.quota is not None:
        stopped = {row["account"] for row in rows if row["state"] == "suspended"}
        for account in sorted(stopped - {""}):
            holds[account] = await house.quota.holds.held(account)
    return [_shown(row, _at(house, row), holds.get(row["account"])) for row in rows]


def just_now(house: House, state: SiteState) -> SiteState:
    """A site as whoever brings mail there knows it, else as the ledger does."""
    queue = queue_of(house)
    state = queue.known(state.site) or state
    gone = state.next_try <= house.clock.seconds()
    return evolve(
        state,
        held=queue.holds(state.site),
        next_try=0.0 if gone else state.next_try,
    )


def _at(house: House, row: dict[str, Any]) -> SiteState:
    """How it is where a recipient's mail goes."""
    return just_now(
        house,
        SiteState(
            row["site"],
            next_try=row["site_next_try"],
            attempts=row["site_attempts"],
            why=row["site_why"],
        ),
    )


def _shown(row: dict[str, Any], site: SiteState, hold: Hold | None) -> Document:
    """One recipient; C{hold}: that of the account, if he waits for its end."""
    stopped = row["state"] == "suspended"
    next_try = 0 if stopped else max(row["next_try"], site.next_try)
    return {
        **{name: row[name] for name in _SHOWN},
        "received": utc(row["received"]),
        "held": site.held,
        "account_held": stopped and hold is not None,
        "next_try": utc(next_try) if next_try else None,
        "why": _stopped(hold) if stopped else row["detail"] or _untried(row, site),
    }


def _untried(row: dict[str, Any], site: SiteState) -> str:
    """Why he was not tried yet: what a server said, it said to others."""
    name, at = site.site, site.next_try
    if row["held"]:
        return f"{name} is held: queue resume {name} lets it go."
    if site.held:
        return "Every site is held: queue resume --all lets them go."
    then = f"It is tried next at {utc(at)}." if at else "It is tried next at once."
    said = f" Last: {site.why}" if site.why else ""
    if site.attempts:
        return f"Nobody takes mail for {name}. {then}{said}"
    return f"{name} is left alone for a while. {then}{said}" if at else ""


def _stopped(hold: Hold | None) -> str:
    """Why he is not tried: what servers said before does not keep him."""
    return said_of(hold) if hold else "It is held by itself: queue resume lets it go."


_SHOWN = (
    *("id", "number", "sender", "account", "size", "recipient", "destination"),
    *("site", "state", "attempts", "route"),
)
