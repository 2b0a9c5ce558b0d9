"""What was taken is noted soon, though the rest of its batch takes its time."""

from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from smfd.model.entry import Outcome

#: Notes outcomes; to note them again changes nothing.
Settle = Callable[[Sequence[Outcome]], Deferred[None]]

#: Seconds that what was taken waits for its batch.
WAIT = 0.25


@define(eq=False)
class Soon:
    """
    For one batch.

    Between the 250 of another server and our note of it a crash sends a message
    twice (RFC 1047).  A server that takes its time over the next message must not
    hold that door open for the one before.
    """

    clock: IReactorTime
    settle: Settle | None
    _waiting: list[Outcome] = field(factory=list, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def add(self, outcome: Outcome) -> None:
        """One more was taken."""
        if self.settle is None:
            return
        self._waiting.append(outcome)
        if self._timer is None:
            self._timer = self.clock.callLater(WAIT, self._note)

    def end(self) -> None:
        """The batch is over, and will be noted as a whole."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _note(self) -> None:
        self._timer = None
        assert self.settle is not None
        outcomes, self._waiting = self._waiting, []
        # What cannot be noted now is noted with the batch.
        self.settle(outcomes).addErrback(lambda failure: None)
