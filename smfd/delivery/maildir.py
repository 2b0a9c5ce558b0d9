"""Delivery into mailboxes."""

import os
from pathlib import Path

from smfd.delivery.destination import FileDestination
from smfd.delivery.shelving import Shelving
from smfd.interfaces import IHands
from smfd.model.entry import State
from smfd.store.atomic import Disk
from smfd.store.maildir import Maildir


class MaildirDestination(FileDestination):
    """Fills C{HOME/mail}: each recipient's message is a file of its own."""

    def __init__(
        self, home: Path, host: str, hands: IHands, disk: Disk | None = None
    ) -> None:
        """
        @param host: our name, a part of every file's.
        """
        disk = disk or Disk()
        root = os.path.abspath(home)
        self.shelf = Maildir(f"{root}/mail", host, disk)
        shelving = Shelving(self.shelf, disk, root, State.DELIVERED)
        super().__init__("maildir", shelving, hands)
