"""SIGHUP, the old way to say: read your files again."""

import signal
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from smfd.net.tls import ServerTLS, explained

log = Logger()


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


def read_again(tls: ServerTLS | None) -> None:
    """Read the certificate again; all else is read at the start only."""
    if tls is None:
        log.info("SIGHUP: there is no certificate to be read again")
        return
    try:
        tls.reload()
    except (OSError, ValueError, SSL.Error) as trouble:
        why = explained(trouble)
        told = "SIGHUP: the old certificate stays, the new fails: {why} (smfdctl check)"
        log.error(told, why=why)
    else:
        log.info("SIGHUP: the certificate was read again")
