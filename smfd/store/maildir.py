"""
Mailboxes: Maildir++ folders, C{mail/DOMAIN/USER/{tmp,new,cur}}.

A file is written in C{tmp}, synced, then renamed into C{new}: whoever looks
there sees whole messages only.  Its name comes from the entry's id, so that a
second delivery of the same consignment is the same file.
"""

import os
from collections.abc import Sequence

from smfd.model.entry import Consignment
from smfd.store.assembly import length
from smfd.store.atomic import Disk, make_folders
from smfd.store.place import file_part, split_mailbox
from smfd.store.shelf import Draft

#: In the order they are made: where there is a C{tmp} the others are, too.
FOLDERS = ("cur", "new", "tmp")


class Maildir:
    """All mailboxes below one root, as a L{Shelf <smfd.store.shelf.Shelf>}."""

    def __init__(self, root: str, host: str, disk: Disk) -> None:
        """
        @param host: our name, a part of every file's.
        """
        self.root = os.path.abspath(root)
        self._host = file_part(host)
        self._disk = disk

    def draft(self, consignment: Consignment) -> Draft:
        """The lines for this recipient go above those for all."""
        c = consignment
        domain, local = split_mailbox(c.recipient.address)
        box = f"{self.root}/{domain}/{local}"
        top = c.recipient.top + c.top
        size = length(top, c.body, c.cuts)
        # All line ends are CRLF: the size on the wire is the size on the disk.
        name = (
            f"{int(c.received)}.{c.entry_id}-{c.recipient.number}.{self._host}"
            f",S={size},W={size}"
        )
        return Draft(c, top, f"{box}/tmp/{name}", f"{box}/new/{name}")

    def make_room(self, draft: Draft) -> None:
        """A mailbox has all its three folders."""
        box = os.path.dirname(draft.folder)
        for folder in FOLDERS:
            make_folders(self._disk, f"{box}/{folder}")

    def present(self, drafts: Sequence[Draft]) -> set[str]:
        """
        In C{new}, or in C{cur} with whatever flags its reader gave it.

        Every mailbox is listed once.
        """
        found: set[str] = set()
        for new in {draft.folder for draft in drafts}:
            for name in _names(new) | _names(f"{os.path.dirname(new)}/cur"):
                found.add(f"{new}/{name}")
        return found


def _names(folder: str) -> set[str]:
    """The messages in a folder, without their flags; none when it is missing."""
    try:
        return {name.partition(":")[0] for name in os.listdir(folder)}
    except FileNotFoundError:
        return set()
