"""A secret of this home, made when it is first wanted."""

import os
import secrets
from pathlib import Path

#: Octets.
LENGTH = 32


def secret(path: Path) -> bytes:
    """
    Read it, or make it; only we can read the file.

    @raise OSError: it can neither be read nor made, or it was cut short.
    """
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return _made(path)
    if len(found) < LENGTH:
        raise OSError(f"{path} is damaged: restore it, or remove it to have another")
    return found


def _made(path: Path) -> bytes:
    """Whole or not there at all, whenever the power goes."""
    made = secrets.token_bytes(LENGTH)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(made)
        file.flush()
        os.fsync(descriptor)
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return made
