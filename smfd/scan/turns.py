"""
Whose turn it is: so many at once, and those who wait are served in rounds.

One message of each source in a round, however many it has: a flood waits for
itself.
"""

from collections import OrderedDict, deque

from twisted.internet import defer
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure


class Crowded(Exception):
    """It was nobody's fault, but there was no turn in time."""


class Turns:
    """
    Turns, given out fairly.

    @ivar busy: how many have one now.
    """

    def __init__(self, most: int, patience: float, clock: IReactorTime) -> None:
        """
        @param most: turns at once.
        @param patience: seconds that one may wait for his.
        """
        self.busy = 0
        self._most = most
        self._patience = patience
        self._clock = clock
        self._waiting: OrderedDict[str, deque[Deferred[None]]] = OrderedDict()

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(queue) for queue in self._waiting.values())

    def take(self, source: str) -> Deferred[None]:
        """
        Fires when it is the source's turn, or fails with L{Crowded}.

        Whoever had one calls L{done}.
        """
        if self.busy < self._most:
            self.busy += 1
            return succeed(None)
        turn: Deferred[None] = Deferred(lambda d: self._leave(source, d))
        self._waiting.setdefault(source, deque()).append(turn)
        turn.addTimeout(self._patience, self._clock)
        return turn.addErrback(_crowded)

    def done(self) -> None:
        """Somebody is done: it is the turn of the next source."""
        if not self._waiting:
            self.busy -= 1
            return
        source, queue = self._waiting.popitem(last=False)
        turn = queue.popleft()
        if queue:
            # At the end of the round: the others come first.
            self._waiting[source] = queue
        turn.callback(None)

    def _leave(self, source: str, turn: Deferred[None]) -> None:
        """He waits no longer."""
        queue = self._waiting[source]
        queue.remove(turn)
        if not queue:
            del self._waiting[source]


def _crowded(failure: Failure) -> None:
    failure.trap(defer.TimeoutError)
    raise Crowded
