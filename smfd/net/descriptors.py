"""
File descriptors: as many as we may have, and what to do when they are used up.
"""

import errno
import resource
import socket
from collections.abc import Callable
from typing import Any

#: Descriptors that are not connections: databases, workers, spool files, logs.
RESERVE = 256

#: What accept says when there is nothing left to accept with.
_SPENT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def raise_limit() -> int:
    """Have as many descriptors as the system allows; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return soft
    return hard


def allowed() -> int:
    """How many descriptors L{raise_limit} would bring."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def connections(descriptors: int) -> int:
    """How many connections there can be with so many descriptors."""
    if descriptors == resource.RLIM_INFINITY:
        return 1 << 30
    return max(1, descriptors - min(RESERVE, descriptors // 2))


class PatientSocket(socket.socket):
    """
    A listening socket that accepts nobody while it cannot, or should not.

    Twisted would take the connection with a descriptor kept for that and close
    it at once, again and again; here it waits in the kernel for better times.
    Before it comes to that, the last descriptors are left to files.

    @ivar spent: called with the reason when it begins to rest.
    @ivar resting: it accepts nobody; whoever listens ends it.
    """

    spent: Callable[[str], None]
    resting = False
    _highest = 1 << 30

    def keep(self, descriptors: int) -> None:
        """Of so many descriptors, leave some to others."""
        self._highest = descriptors - min(RESERVE // 4, descriptors // 5)

    def accept(self) -> tuple[socket.socket, Any]:
        """
        Take a connection.

        @raise BlockingIOError: there is none, or none can be taken now.
        """
        if self.resting:
            raise BlockingIOError(errno.EWOULDBLOCK, "not now")
        try:
            made = super().accept()
        except OSError as trouble:
            if trouble.errno not in _SPENT:
                raise
            self._rest(trouble.strerror or "accept fails")
            raise BlockingIOError(errno.EWOULDBLOCK, "not now") from trouble
        # The lowest that is free is given out: few are left.
        if made[0].fileno() >= self._highest:
            self._rest("the last file descriptors are kept")
        return made

    def _rest(self, why: str) -> None:
        self.resting = True
        self.spent(why)
