"""
Started by systemd: what it is told of us, sd_notify(3), and the sockets it
opened for us, sd_listen_fds(3).
"""

import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence

from twisted.logger import Logger

READY = "READY=1"
STOPPING = "STOPPING=1"

#: The first descriptor that is handed over.
_FIRST = 3
#: More sockets than anybody hands over.
_MOST = 256

#: Listening sockets by the name that the unit gives them.
Handed = Mapping[str, Sequence[socket.socket]]

_log = Logger()


def notify(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """Tell it; nothing happens when nobody asked to be told."""
    path = environment.get("NOTIFY_SOCKET", "")
    if not path:
        return
    # An abstract socket is written with an @ for its NUL.
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            # A datagram that finds no room must not hold us up.
            manager.setblocking(False)
            manager.sendto(state.encode(), address)
    except OSError as error:
        _log.warn("systemd was not told {state}: {why}", state=state, why=error)


def handed(environment: MutableMapping[str, str] = os.environ) -> Handed:
    """
    Take the listening sockets we were started with, once.

    Our children inherit neither them nor the word of them.
    """
    # Twisted takes number and process out when it is imported, and leaves the
    # names: there is one for each.
    process = environment.pop("LISTEN_PID", str(os.getpid()))
    environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "")
    if process != str(os.getpid()) or not names:
        return {}
    sockets: dict[str, list[socket.socket]] = {}
    for descriptor, name in enumerate(names.split(":")[:_MOST], _FIRST):
        if (found := _listening(descriptor)) is not None:
            sockets.setdefault(name, []).append(found)
    return sockets


def _listening(descriptor: int) -> socket.socket | None:
    try:
        os.set_inheritable(descriptor, False)
        found = socket.socket(fileno=descriptor)
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            found.setblocking(False)
            return found
        found.detach()
    except OSError as error:
        _log.warn("descriptor {fd} is no socket: {why}", fd=descriptor, why=error)
    return None
