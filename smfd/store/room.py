"""How much room a disk has, as far as is known without waiting for it."""

import os
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

#: Seconds that an answer is believed.
FRESH = 1.0

#: Seconds that an answer may take; a disk that takes longer hangs.
PATIENCE = 10.0

#: With fewer free inodes than this the disk counts as full.
_INODES = 100


def measure(path: str) -> int:
    """
    Octets that are free on the disk of a path; 0 when no name is.

    Blocks, for ever when the disk does.
    """
    found = os.statvfs(path)
    nameless = found.f_files and found.f_favail < _INODES
    return 0 if nameless else found.f_bavail * found.f_frsize


@define(eq=False)
class Room:
    """
    The last answer; whoever asks late has the next one fetched.

    @ivar run: calls a function in a thread.
    """

    path: str
    run: Callable[[Callable[[str], int], str], Deferred[int]]
    clock: IReactorTime
    _octets: int = field(default=0, init=False)
    _measured: float | None = field(default=None, init=False)
    _asked: float | None = field(default=None, init=False)

    _log = Logger()

    def start(self) -> None:
        """Ask for the first time, and wait."""
        self._told(measure(self.path))

    def free(self) -> int:
        """
        Octets that are free, as the last answer said.

        0 before the start, and while the disk does not answer.
        """
        now = self.clock.seconds()
        if self._asked is not None:
            return self._octets if 0 <= now - self._asked < PATIENCE else 0
        if self._measured is None or not 0 <= now - self._measured < FRESH:
            self._asked = now
            self.run(measure, self.path).addCallbacks(self._told, self._failed)
        return self._octets

    def _told(self, octets: int) -> None:
        self._octets = octets
        self._measured = self.clock.seconds()
        self._asked = None

    def _failed(self, failure: Failure) -> None:
        self._told(0)
        self._log.error("cannot ask for the free space: {why}", why=failure.value)
