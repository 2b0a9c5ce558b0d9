"""The ports we listen on."""

import errno
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from smfd.config.value import SYSTEMD, UNIX, split_address
from smfd.net.eager import EagerPort
from smfd.net.eager_unix import EagerUNIXPort, HandedUNIXPort
from smfd.net.socket_path import SocketPath, remove_stale
from smfd.net.systemd import Handed

#: Connections the kernel keeps for us while we are busy.
BACKLOG = 1024

#: Who may open a UNIX socket of ours: its user and its group.
_MODE = 0o660

_MEND = {
    errno.EADDRINUSE: " Another program has it, another mail server perhaps.",
    errno.EACCES: " Ports below 1024 need CAP_NET_BIND_SERVICE, or root.",
    errno.EADDRNOTAVAIL: " This machine has no such address.",
    errno.EAFNOSUPPORT: " This machine has no IPv6: take it out of the settings.",
}


def _why(error: CannotListenError | OSError) -> OSError:
    return error.socketError if isinstance(error, CannotListenError) else error


class Listener(Service):
    """Listens on every address given, or ends the start with a sentence."""

    def __init__(
        self,
        addresses: Sequence[str],
        factory: IProtocolFactory,
        reactor: Any,
        sockets: Handed | None = None,
    ) -> None:
        """
        @param addresses: C{"192.0.2.1:25"}, C{"[::]:25"}, C{"unix:/path"},
            C{"systemd:name"}.
        @param sockets: what systemd opened for us.
        """
        self._addresses = tuple(addresses)
        self._factory = factory
        self._reactor = reactor
        self._sockets = sockets or {}
        self._ports: list[IListeningPort] = []
        self._paths: list[SocketPath] = []

    def privilegedStartService(self) -> None:
        """
        Bind, while we still may.

        @raise SystemExit: a port cannot be had.
        """
        for address in self._addresses:
            try:
                for port in self._made(address):
                    port.startListening()
                    self._ports.append(port)
            except (CannotListenError, OSError) as error:
                self._close()
                why = _why(error)
                raise SystemExit(
                    f"smfd: cannot listen on {address}: {why.strerror}."
                    f"{_MEND.get(why.errno or 0, '')}"
                ) from None

    def stopService(self) -> Deferred[Any]:
        """Take no more connections."""
        super().stopService()
        return self._close()

    def _made(self, address: str) -> Sequence[IListeningPort]:
        """What listens at an address, not yet started."""
        if address.startswith(SYSTEMD):
            return self._adopted(address.removeprefix(SYSTEMD))
        if address.startswith(UNIX):
            return [self._unix(Path(address.removeprefix(UNIX)))]
        host, port = split_address(address)
        return [EagerPort(port, self._factory, BACKLOG, host, self._reactor)]

    def _unix(self, path: Path) -> IListeningPort:
        place = SocketPath(path)
        self._paths.append(place)
        short = place.open()
        remove_stale(short)
        return EagerUNIXPort(
            short.encode(), self._factory, BACKLOG, _MODE, self._reactor
        )

    def _adopted(self, name: str) -> Sequence[IListeningPort]:
        sockets = self._sockets.get(name, ())
        if not sockets:
            self._close()
            raise SystemExit(
                f"smfd: systemd gave us no socket named {name}. Is smfd.socket "
                f"enabled, with FileDescriptorName={name}?"
            )
        return [self._adopt(each) for each in sockets]

    def _adopt(self, each: socket.socket) -> IListeningPort:
        made: IListeningPort
        if each.family == socket.AF_UNIX:
            made = HandedUNIXPort._fromListeningDescriptor(
                self._reactor, each.fileno(), self._factory
            )
        else:
            made = EagerPort._fromListeningDescriptor(
                self._reactor, each.fileno(), each.family, self._factory
            )
        return made

    def _close(self) -> Deferred[Any]:
        ports, self._ports = self._ports, []
        stopped = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        return stopped.addBoth(self._closed)

    def _closed(self, result: Any) -> Any:
        while self._paths:
            self._paths.pop().close()
        return result
