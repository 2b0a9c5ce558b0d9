"""What systemd is told of us, when it started us: sd_notify(3)."""

import os
import socket
from collections.abc import Mapping

from twisted.logger import Logger

READY = "READY=1"
STOPPING = "STOPPING=1"

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
