"""Holding messages back, and letting them go when all of it is decided."""

import os
from collections.abc import Collection
from pathlib import Path

from twisted.internet.defer import Deferred

from smfd.delivery.destination import FileDestination
from smfd.delivery.shelving import Shelving
from smfd.interfaces import IHands
from smfd.model.entry import State
from smfd.store.atomic import Disk
from smfd.store.quarantine import Quarantine


class QuarantineDestination(FileDestination):
    """Fills C{HOME/quarantine}: one file for each entry and domain."""

    def __init__(self, home: Path, hands: IHands, disk: Disk | None = None) -> None:
        disk = disk or Disk()
        root = os.path.abspath(home)
        self.shelf = Quarantine(f"{root}/quarantine", disk)
        shelving = Shelving(self.shelf, disk, root, State.HELD)
        super().__init__("quarantine", shelving, hands)

    def remove(self, path: str) -> "Deferred[None]":
        """Take a held message away; nobody is waiting for it any more."""
        return self._hands.run(self.shelf.remove, path)

    def prune(self, before: float, wanted: Collection[str]) -> "Deferred[int]":
        """
        Remove files of days that ended before a time; how many went.

        @param wanted: absolute paths that are still needed.
        """
        return self._hands.run(self.shelf.prune, before, wanted)
