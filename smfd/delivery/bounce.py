"""
Senders are told what became of their messages.

What is to be said stands in the ledger from the moment it happened; the report
is committed in the same transaction that takes it out there.  So it is said
once, however often we die.

Standards: RFC 3461 §5.2, RFC 5321 §6.1.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.delivery.bounce_letter import Letter, Way
from smfd.delivery.bounce_pace import Pace
from smfd.interfaces import IHands
from smfd.model.entry import Entry
from smfd.model.notice import Notice, NoticeKey
from smfd.store.ended import ended
from smfd.store.ledger import Ledger, LedgerTrouble, NoSpace
from smfd.store.threads import Closed

#: Messages that are read from the ledger at once: each brings its header.
_PAGE = 20

#: Seconds until a message is looked at again that there is more to be said of.
_SOON = 1.0

#: Notices that are forgotten together, without a report.
_MANY = 500

#: Behind every id.
_END = "~"

#: The mailboxes behind an address; none when it is nobody's.
Ways = Callable[[str], Awaitable[Sequence[Way]]]

#: Makes an entry ours and has it delivered; with it the notices are forgotten.
Keep = Callable[[Entry, Sequence[NoticeKey]], Awaitable[None]]


@frozen
class Terms:
    """
    @ivar per_hour: reports that one sender gets within an hour.
    @ivar gather: seconds that a report waits for others of the same message.
    @ivar patience: seconds that it waits for those who are just being tried.
    @ivar lifetime: seconds for which a message is tried.
    @ivar copies: who gets a copy of each report of a failure, or "".
    """

    per_hour: int = 20
    gather: float = 5.0
    patience: float = 60.0
    lifetime: float = 5 * 86400.0
    copies: str = ""


class Bounces(Service):
    """
    Writes reports; at most so many to one sender, none to the null sender.

    @cvar again: seconds until what could not be written is tried again.
    """

    again = 60.0
    _log = Logger()

    def __init__(
        self,
        ledger: Ledger,
        ways: Ways,
        keep: Keep,
        hands: IHands,
        hostname: str,
        ids: Callable[[], str],
        clock: IReactorTime,
        terms: Terms = Terms(),
    ) -> None:
        """
        @param hands: write letters; one that names a thousand takes a while.
        @param ids: makes the ids of messages.
        """
        self._ledger = ledger
        self._ways = ways
        self._keep = keep
        self._hands = hands
        self._hostname = hostname
        self._ids = ids
        self._clock = clock
        self._terms = terms
        self._pace = Pace(ledger, terms.per_hour)
        self._timer: IDelayedCall | None = None
        self._round: Deferred[Any] | None = None
        self._more = False

    def startService(self) -> None:
        """Say what an earlier run left unsaid."""
        super().startService()
        self._ledger.noticed = self._wake
        self._wake()

    def stopService(self) -> "Deferred[None]":
        """Finish the report in hand; the others wait in the ledger."""
        super().stopService()
        self._ledger.noticed = bool
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._round is None:
            return succeed(None)
        end = ended(self._round)
        self._ledger.outlive(end)
        return end

    def _wake(self) -> None:
        """There is something to be said."""
        self._more = True
        if self.running and self._timer is None and self._round is None:
            self._timer = self._clock.callLater(self._terms.gather, self._go)

    def _go(self) -> None:
        self._timer, self._more = None, False
        self._round = Deferred.fromCoroutine(self._say_all())
        self._round.addErrback(self._failed)
        self._round.addCallback(self._ended)

    def _ended(self, delay: float) -> None:
        self._round = None
        if self.running and (self._more or delay):
            # What is new meanwhile has time to gather as well.
            delay = delay or self._terms.gather
            self._timer = self._clock.callLater(delay, self._go)

    def _failed(self, failure: Failure) -> float:
        # The disk is full, or worse; nothing of it is lost.
        self._log.warn("no reports now: {why}", why=failure.getErrorMessage())
        return self.again

    async def _say_all(self) -> float:
        """Go through all that is to be said; when to come again, or 0."""
        after, delays = "", {0.0}
        unheard = _Unheard(self._ledger)
        while page := await self._ledger.notices(_PAGE, after):
            for notice in page:
                if not self.running:
                    break
                delays.add(await self._one(notice, unheard))
            after = page[-1].entry_id if self.running else _END
            await unheard.forget(_MANY)
        await unheard.forget(1)
        unheard.tell()
        return min(delays - {0.0}, default=0.0)

    async def _one(self, notice: Notice, unheard: "_Unheard") -> float:
        """When to come again for it, or 0; one that fails keeps back no other."""
        soon = self._terms.gather or _SOON
        if self._is_early(notice):
            return soon
        try:
            await self._say(notice, unheard)
        except (LedgerTrouble, NoSpace):
            raise
        except Closed:
            return self.again
        except Exception:
            self._log.failure("{id}: no report", id=notice.entry_id)
            return self.again
        return soon if notice.more else 0.0

    def _is_early(self, notice: Notice) -> bool:
        """Whether others of the same message may still follow at once."""
        now, terms = self._clock.seconds(), self._terms
        ages = [now - told.time for told in notice.told]
        # A clock that was set back keeps nobody waiting.
        if min(ages) < 0 or max(ages) >= max(terms.patience, terms.gather):
            return False
        return notice.trying or min(ages) < terms.gather

    async def _say(self, notice: Notice, unheard: "_Unheard") -> None:
        """One report, or none: the notice is answered by either."""
        now, sender = self._clock.seconds(), notice.sender
        left = await self._pace.left(sender, now) if sender else 0
        if left <= 0:
            unheard.add(notice)
            return
        ways = await self._addressed(notice)
        if not ways:
            unheard.add(notice)
            return
        letter = Letter(
            notice, ways, self._hostname, self._ids(), now, self._terms.lifetime
        )
        entry = await self._hands.run(letter.entry, left == 1)
        await self._keep(entry, notice.keys)

    async def _addressed(self, notice: Notice) -> Sequence[Way]:
        """The sender's mailboxes, and who gets copies."""
        ways = list(await self._ways(notice.sender))
        copies = self._terms.copies
        if copies and any(told.kind == "failed" for told in notice.told):
            ways += [way for way in await self._ways(copies) if way not in ways]
        return ways


@define
class _Unheard:
    """What nobody is told: his mailbox is gone, or he was told enough."""

    ledger: Ledger
    keys: list[NoticeKey] = field(factory=list)
    senders: Counter[str] = field(factory=Counter)

    _log = Logger()

    def add(self, notice: Notice) -> None:
        """One more message."""
        self.keys += notice.keys
        self.senders[notice.sender] += 1

    async def forget(self, least: int) -> None:
        """Have the ledger forget them, if there are so many."""
        if len(self.keys) >= least:
            keys, self.keys = self.keys, []
            await self.ledger.unanswered(keys)

    def tell(self) -> None:
        """Write down how many there were."""
        for sender, count in self.senders.items():
            self._log.warn(
                "<{sender}> gets no report on {count} messages: too many, or nobody",
                sender=sender,
                count=count,
            )
