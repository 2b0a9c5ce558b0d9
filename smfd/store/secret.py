"""A secret of this home, made when it is first wanted."""

import os
import secrets
from pathlib import Path

from smfd.store.atomic import Disk, make_folders

#: Octets.
LENGTH = 32


def secret(path: Path, disk: Disk | None = None) -> bytes:
    """
    Read it, or make it; only we can read the file.

    @raise OSError: it can neither be read nor made, or it was cut short.
    """
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return _made(path, disk or Disk())
    if len(found) < LENGTH:
        raise OSError(f"{path} is damaged: restore it, or remove it to have another")
    return found


def _made(path: Path, disk: Disk) -> bytes:
    """Whole or not there at all, whenever the power goes."""
    made = secrets.token_bytes(LENGTH)
    make_folders(disk, str(path.parent))
    part = f"{path}.{os.getpid()}"
    descriptor = disk.create(part, over=True)
    try:
        disk.write(descriptor, [made])
        disk.sync(descriptor)
    finally:
        os.close(descriptor)
    disk.rename(part, str(path))
    disk.sync_folder(str(path.parent))
    return made
