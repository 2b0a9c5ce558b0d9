"""
The quarantine: C{quarantine/DOMAIN/YYYY-MM-DD/ENTRY}.

One file for each entry and domain, shared by its recipients there, with the
header lines that all of them have.
"""

import contextlib
import os
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from smfd.model.entry import Consignment
from smfd.store.atomic import Disk, make_folders
from smfd.store.place import folder_name, inside
from smfd.store.shelf import Draft

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Quarantine:
    """All held messages below one root, as a L{Shelf <smfd.store.shelf.Shelf>}."""

    def __init__(self, root: str, disk: Disk) -> None:
        self.root = os.path.abspath(root)
        self._disk = disk

    def draft(self, consignment: Consignment) -> Draft:
        """The recipients of one domain have the same draft."""
        c = consignment
        domain = folder_name(c.recipient.keeper)
        day = datetime.fromtimestamp(c.received, UTC).date().isoformat()
        folder = f"{self.root}/{domain}/{day}"
        part, path = f"{folder}/.{c.entry_id}.part", f"{folder}/{c.entry_id}"
        return Draft(c, c.top, part, path)

    def make_room(self, draft: Draft) -> None:
        """One folder for each domain and day (UTC)."""
        make_folders(self._disk, draft.folder)

    def present(self, drafts: Sequence[Draft]) -> set[str]:
        """A file that has its name is whole."""
        return {draft.path for draft in drafts if os.path.exists(draft.path)}

    def read(self, path: str, octets: int = -1) -> bytes:
        """
        The first octets of a held message, or all of it.

        @param path: absolute, inside the quarantine.
        @raise smfd.store.place.Unplaceable: it is not.
        """
        with open(self._checked(path), "rb") as file:
            return file.read(octets)

    def remove(self, path: str) -> None:
        """
        Take a message away, and its day and domain when they are empty.

        @param path: absolute, inside the quarantine; it may be gone already.
        @raise smfd.store.place.Unplaceable: it is not inside.
        """
        path = self._checked(path)
        self._disk.unlink(path)
        for _ in range(2):
            path = os.path.dirname(path)
            with contextlib.suppress(OSError):
                self._disk.remove_folder(path)

    def prune(self, before: float, wanted: Collection[str]) -> int:
        """
        Remove what is left of days that ended before a time.

        @param before: seconds since the epoch.
        @param wanted: absolute paths that are still needed.
        @return: how many files went.
        """
        first = datetime.fromtimestamp(before, UTC).date().isoformat()
        gone = 0
        for domain in os.listdir(self.root):
            for day in os.listdir(f"{self.root}/{domain}"):
                if _DAY.fullmatch(day) and day < first:
                    gone += self._prune_day(f"{self.root}/{domain}/{day}", wanted)
        return gone

    def _prune_day(self, folder: str, wanted: Collection[str]) -> int:
        paths = [f"{folder}/{name}" for name in os.listdir(folder)]
        old = [path for path in paths if path not in wanted]
        for path in old:
            self.remove(path)
        return len(old)

    def owns(self, path: str) -> bool:
        """Whether a path is inside."""
        return path.startswith(self.root + os.sep)

    def _checked(self, path: str) -> str:
        return inside(self.root, os.path.relpath(path, self.root))
