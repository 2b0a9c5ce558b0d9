"""
One connection whose source is judged: what is asked, and how long it may wait.
"""

from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.model.finding import Finding, Result
from smfd.policy.source import Judge, Judged, refusals


@define(eq=False)
class Look:
    """
    A question that is asked while the conversation goes on.

    @ivar found: None until it is answered.
    """

    asked: Deferred[Any]
    found: tuple[Judged, ...] | None = None

    def give_up(self) -> None:
        """Wait no longer; what asks has something to say of that too."""
        if self.found is None:
            self.asked.cancel()
        if self.found is None:
            self.found = ()


@define(eq=False)
class Inquiry:
    """
    What is found out of one connection.

    @ivar left: seconds it may still wait for the DNS.
    @ivar noted: what was found without asking.
    @ivar looks: what is asked, by what it is about.
    @ivar pause: while the greeting is late.
    """

    client: str
    network: str
    left: float
    noted: list[Judged] = field(factory=list)
    looks: dict[str, Look] = field(factory=dict)
    about: dict[str, str] = field(factory=dict)
    pause: Deferred[None] | None = None

    _log = Logger()

    def judgements(self) -> Iterator[Judged]:
        """All there is so far."""
        yield from self.noted
        for look in self.looks.values():
            yield from look.found or ()

    @property
    def allowed(self) -> bool:
        """Whether some allow list has it."""
        return any(
            j.finding.result is Result.PASS and j.finding.symbol.startswith("LIST_")
            for j in self.judgements()
        )

    def refusing(self) -> Sequence[Judged]:
        """What refuses it; an allow list spares the block lists (C5)."""
        found = refusals(self.judgements())
        if self.allowed:
            return [j for j in found if not j.finding.symbol.startswith("LIST_")]
        return found

    def wake(self) -> None:
        """There is no reason any more for a late greeting."""
        pause, self.pause = self.pause, None
        if pause is not None and not pause.called:
            pause.cancel()

    def leave(self) -> None:
        """The connection is gone."""
        for look in self.looks.values():
            look.give_up()

    async def late(self, seconds: float, clock: IReactorTime) -> None:
        """Keep it waiting, until L{wake} at most."""
        self.pause = deferLater(clock, seconds)
        try:
            await self.pause
        except CancelledError:
            if self.pause is not None:
                raise  # the connection is gone
        self.pause = None

    def ask(
        self,
        about: str,
        asking: Coroutine[Any, Any, tuple[Finding, ...]],
        judge: Judge,
    ) -> None:
        """Ask, instead of what was asked about the same, and have it judged."""
        self.forget(about)
        asked: Deferred[Any] = Deferred.fromCoroutine(asking)
        asked.addCallback(judge.judge, self.client)
        look = self.looks[about] = Look(asked)

        def answered(found: Any) -> None:
            if isinstance(found, Failure):
                # A fault of ours says nothing of the client.
                look.found = ()
                if not found.check(CancelledError):
                    self._log.failure("{about}: a look failed", found, about=about)
                return
            look.found = found
            if self.allowed:
                self.wake()

        asked.addBoth(answered)

    def forget(self, about: str) -> None:
        """What was found about that counts no more."""
        look = self.looks.pop(about, None)
        if look is not None:
            look.give_up()

    def wait(self, clock: IReactorTime) -> Deferred[None]:
        """Until all is answered, or the budget is used up."""
        pending = [k.asked for k in self.looks.values() if k.found is None]
        if not pending:
            return succeed(None)
        begun = clock.seconds()
        over: Deferred[None] = Deferred()
        timer = clock.callLater(max(0.0, self.left), over.callback, None)

        def answered(_: object) -> None:
            if not over.called:
                over.callback(None)

        def end(result: None) -> None:
            if timer.active():
                timer.cancel()
            self.left -= clock.seconds() - begun
            self.leave()
            return result

        DeferredList(pending, consumeErrors=True).addCallback(answered)
        return over.addBoth(end)
