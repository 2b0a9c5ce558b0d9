"""
Where messages end as files, whatever the folders look like.

A message is written under one name, synced, then given another: under that
one it is always whole.
"""

import os
from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from smfd.model.entry import Consignment
from smfd.store.assembly import write_message
from smfd.store.atomic import Disk


@frozen
class Draft:
    """
    A message and its names.

    @ivar top: the header lines put above the body.
    @ivar part: the file while it is written.
    @ivar path: the file when it is whole.
    """

    consignment: Consignment
    top: bytes
    part: str
    path: str

    @property
    def folder(self) -> str:
        """The folder of the whole file."""
        return self.path.rpartition("/")[0]


class Shelf(Protocol):
    """
    Knows where things go; blocks, so it is for threads.

    @ivar root: the folder all of it is in, absolute.
    """

    root: str

    def draft(self, consignment: Consignment) -> Draft:
        """
        Where a consignment goes; nothing is done yet.

        @raise smfd.store.place.Unplaceable: no name can be made of it.
        """

    def make_room(self, draft: Draft) -> None:
        """Make the folders that a draft needs."""

    def present(self, drafts: Sequence[Draft]) -> set[str]:
        """Which of the paths are there already, or were and are kept."""


def write(disk: Disk, shelf: Shelf, draft: Draft, sync: bool) -> None:
    """
    Write a draft's part.

    @param sync: it is synced on return; else the caller does it.
    @raise OSError: nothing is left behind.
    """
    try:
        fd = disk.create(draft.part, over=True)
    except FileNotFoundError:
        shelf.make_room(draft)
        fd = disk.create(draft.part, over=True)
    try:
        c = draft.consignment
        write_message(disk, fd, draft.top, c.body, c.cuts)
        if sync:
            disk.sync(fd)
    except OSError:
        disk.unlink(draft.part)
        raise
    finally:
        os.close(fd)


def publish(disk: Disk, shelf: Shelf, draft: Draft) -> None:
    """
    Give a synced part its name; the folder is not synced yet.

    @raise OSError: it has not got it.
    """
    try:
        disk.rename(draft.part, draft.path)
    except FileNotFoundError:
        # Somebody tidied the folder away.
        shelf.make_room(draft)
        disk.rename(draft.part, draft.path)
