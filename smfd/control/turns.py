"""Those who wait until somebody may guess again: who goes first, and how many."""

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from smfd.delivery.timer import Timer

Rank = tuple[float, float]

#: Seconds; who is woken sooner finds nothing changed.
_LEAST = 0.01


@frozen(eq=False)
class Turn:
    """
    One who waits.

    @ivar rank: whose is lower goes first; of the same, who came last, for he still
        waits when the others have given up.
    @ivar come: fires with whether he may try again; if not, another needs his place.
    """

    rank: Rank
    come: "Deferred[bool]" = field(factory=Deferred)


@define(eq=False)
class Turns:
    """
    Lets all try again, one after the other, whenever somebody has ended.

    @ivar most: how many wait at once; who would go last makes room for another.
    """

    clock: IReactorTime
    most: int
    _waiting: list[Turn] = field(factory=list, init=False)
    _timer: Timer = field(init=False)

    @_timer.default
    def _calling(self) -> Timer:
        return Timer(self.clock, self.call)

    def wait(self, rank: Rank, seconds: float | None) -> "Deferred[bool]":
        """
        Wait for somebody to end.

        @param seconds: or until then; None: for nothing else.
        @return: fires with whether it is worth another try.
        """
        if len(self._waiting) >= self.most and not self._makes_room(rank):
            return succeed(False)
        turn = Turn(rank)
        self._waiting.append(turn)
        if seconds is not None:
            self._timer.within(max(seconds, _LEAST))
        return turn.come

    def call(self) -> None:
        """Somebody has ended, or it is time: all try again."""
        self._timer.stop()
        waiting, self._waiting = self._waiting, []
        for turn in sorted(waiting, key=lambda turn: turn.rank):
            turn.come.callback(True)

    def _makes_room(self, rank: Rank) -> bool:
        last = max(self._waiting, key=lambda turn: turn.rank, default=None)
        if last is None or last.rank < rank:
            return False
        self._waiting.remove(last)
        last.come.callback(False)
        return True
