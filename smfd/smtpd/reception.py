"""
The doors as a service: opened, and closed so that nobody is cut off.

Standards: RFC 5321 §3.8 (421 when we shut down).
"""

from collections.abc import Sequence
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred

from smfd.net.listener import Listener
from smfd.smtpd.factory import SMTPFactory

#: Seconds that messages under way have when we stop.
GRACE = 20.0


class Reception(MultiService):
    """Listens; at the end it finishes what is under way, within a deadline."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        factories: Sequence[SMTPFactory],
        grace: float = GRACE,
    ) -> None:
        """
        @param listeners: who let them in.
        @param factories: who meets them.
        @param grace: seconds that messages under way have when we stop.
        """
        super().__init__()
        self._connections = [factory.connections for factory in factories]
        self._grace = grace
        for listener in listeners:
            listener.setServiceParent(self)

    def stopService(self) -> "Deferred[Any]":
        """Let nobody in any more; fires when the last one has left."""
        closed = maybeDeferred(super().stopService)
        drained = [each.drain(self._grace) for each in self._connections]
        return gatherResults([closed, *drained])
