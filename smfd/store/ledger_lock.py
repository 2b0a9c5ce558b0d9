"""One home has one smfd."""

import fcntl
import os
from pathlib import Path


class AlreadyRunning(Exception):
    """Another smfd serves this home."""


def lock(path: Path) -> int:
    """
    Lock the home; the kernel lets go when we end, however we end.

    @return: a descriptor to keep open.
    @raise AlreadyRunning: somebody else has it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise AlreadyRunning(f"another smfd serves {path.parent}") from None
    return fd
