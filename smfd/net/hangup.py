"""SIGHUP, the old way to say: read your files again."""

import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads


class Hangup(Service):
    """Calls a function in the reactor, once for each SIGHUP."""

    def __init__(
        self, reactor: IReactorFromThreads, function: Callable[[], object]
    ) -> None:
        """
        @param function: called without arguments; must not raise.
        """
        self._reactor = reactor
        self._function = function
        self._before: Any = None

    def startService(self) -> None:
        """Listen to the signal; without us it would end the process."""
        super().startService()
        self._before = signal.signal(signal.SIGHUP, self._heard)

    def stopService(self) -> None:
        """As it was before."""
        super().stopService()
        signal.signal(signal.SIGHUP, self._before)

    def _heard(self, number: int, frame: object) -> None:
        # Between any two instructions: do nothing here.
        self._reactor.callFromThread(self._function)
