"""
Time runs out: one delayed call for all connections, however often they move.

Standards: RFC 5321 §4.5.3.2.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_NEVER = float("inf")

#: Seconds between two looks at the least: what is due together is late together.
_GRAIN = 0.05


class Deadlines:
    """
    The deadlines of all connections of a role.

    Starting, moving and ending one costs next to nothing: one delayed call
    looks at all of them, and comes again when the next is due.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, beat: float) -> None:
        """
        @param beat: the most seconds between two looks; never more than the
            nearest deadline that will be set.
        """
        self.clock = clock
        self._beat = beat
        self._open: set[Deadline] = set()
        self._call: IDelayedCall | None = None

    def start(self, late: Callable[[], None]) -> "Deadline":
        """A deadline that is not set yet."""
        deadline = Deadline(self, late)
        self._open.add(deadline)
        if self._call is None:
            self._call = self.clock.callLater(self._beat, self._look)
        return deadline

    def hurry(self, seconds: float) -> None:
        """Nobody who is expected has more than so many seconds left."""
        due = self.clock.seconds() + seconds
        for deadline in self._open:
            if deadline.running and deadline.due > due:
                deadline.due = due

    def end(self, deadline: "Deadline") -> None:
        """It does not matter any more."""
        self._open.discard(deadline)
        if self._call is not None and not self._open:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call = None
        now = self.clock.seconds()
        for deadline in [one for one in self._open if one.due <= now]:
            try:
                deadline.pass_by()
            except Exception:
                # The others have theirs all the same.
                self._log.failure("a deadline passed in vain")
        if self._open and self._call is None:
            left = min(one.due for one in self._open) - self.clock.seconds()
            wait = min(max(left, _GRAIN), self._beat)
            self._call = self.clock.callLater(wait, self._look)


class Deadline:
    """
    Calls when the time is over.

    @ivar due: when, by the clock.
    """

    __slots__ = ("due", "_all", "_clock", "_late")

    def __init__(self, all_: Deadlines, late: Callable[[], None]) -> None:
        self.due = _NEVER
        self._all = all_
        self._clock = all_.clock
        self._late = late

    def expect(self, seconds: float, at_most: float = _NEVER) -> None:
        """So many seconds from now, or at a certain time if that is sooner."""
        due = self._clock.seconds() + seconds
        self.due = due if due < at_most else at_most

    def now(self) -> float:
        """The time, by the clock."""
        return self._clock.seconds()

    def never(self) -> None:
        """Not until told again."""
        self.due = _NEVER

    @property
    def running(self) -> bool:
        """Whether anything is expected."""
        return self.due != _NEVER

    def stop(self) -> None:
        """It does not matter any more."""
        self.due = _NEVER
        self._all.end(self)

    def pass_by(self) -> None:
        """It is over, unless somebody stopped or moved it just now."""
        if self.due <= self._clock.seconds():
            self.due = _NEVER
            self._late()
