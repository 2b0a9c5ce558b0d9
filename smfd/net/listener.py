"""The ports we listen on."""

import errno
from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from smfd.config.value import split_address
from smfd.net.eager import EagerPort

#: Connections the kernel keeps for us while we are busy.
BACKLOG = 1024

_MEND = {
    errno.EADDRINUSE: " Another program has it, another mail server perhaps.",
    errno.EACCES: " Ports below 1024 need CAP_NET_BIND_SERVICE, or root.",
    errno.EADDRNOTAVAIL: " This machine has no such address.",
    errno.EAFNOSUPPORT: " This machine has no IPv6: take it out of [mx] listen.",
}


class Listener(Service):
    """Listens on every address given, or ends the start with a sentence."""

    def __init__(
        self, addresses: Sequence[str], factory: IProtocolFactory, reactor: Any
    ) -> None:
        """
        @param addresses: C{"192.0.2.1:25"}, C{"[::]:25"}.
        """
        self._addresses = tuple(addresses)
        self._factory = factory
        self._reactor = reactor
        self._ports: list[IListeningPort] = []

    def privilegedStartService(self) -> None:
        """
        Bind, while we still may.

        @raise SystemExit: a port cannot be had.
        """
        for address in self._addresses:
            host, port = split_address(address)
            listening = EagerPort(port, self._factory, BACKLOG, host, self._reactor)
            try:
                listening.startListening()
            except CannotListenError as error:
                self._close()
                why = error.socketError
                raise SystemExit(
                    f"smfd: cannot listen on {address}: {why.strerror}."
                    f"{_MEND.get(why.errno, '')}"
                ) from None
            self._ports.append(listening)

    def stopService(self) -> Deferred[Any]:
        """Take no more connections."""
        super().stopService()
        return self._close()

    def _close(self) -> Deferred[Any]:
        ports, self._ports = self._ports, []
        return gatherResults([maybeDeferred(port.stopListening) for port in ports])
