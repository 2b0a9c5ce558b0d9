"""
Notices that nobody answers any more, and that somebody does again.

A domain whose servers are dead makes a healthy resolver slow; a dead resolver
makes everything slow.  One question that every resolver can answer tells them
apart.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from smfd.net.dns_backend import News


class Breaker(News):
    """
    Open while the servers are dead: look-ups then fail at once.

    @ivar open: whether it is.
    """

    def __init__(
        self,
        clock: Any,
        probe: Callable[[], Deferred[object]],
        opened: Callable[[], None] = lambda: None,
        patience: int = 3,
        pause: float = 5.0,
    ) -> None:
        """
        @param probe: asks one question; what matters is whether L{heard} is
            called meanwhile.
        @param opened: called when it opens.
        @param patience: queries in a row without any answer that make us ask.
        @param pause: seconds between two probes while it is open.
        """
        self.open = False
        self._clock = clock
        self._probe = probe
        self._opened = opened
        self._patience = patience
        self._pause = pause
        self._silent = 0
        self._again = 0.0
        self._probing = False
        self._spoken = False

    def heard(self) -> None:
        """Some server answered, whatever it said."""
        self._silent = 0
        self._spoken = True
        self.open = False

    def silence(self) -> None:
        """A query got no answer in its time."""
        self._silent += 1
        if self._silent >= self._patience and not self.open:
            self._ask()

    def allows(self) -> bool:
        """Whether to ask now; while open, it sees to it that it will close."""
        if self.open and self._clock.seconds() >= self._again:
            self._ask()
        return not self.open

    def _ask(self) -> None:
        if self._probing:
            return
        self._probing, self._spoken = True, False
        self._probe().addBoth(self._asked)

    def _asked(self, _: object) -> None:
        self._probing = False
        if self._spoken:
            return
        self._again = self._clock.seconds() + self._pause
        if not self.open:
            self.open = True
            self._opened()
