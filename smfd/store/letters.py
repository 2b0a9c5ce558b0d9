"""
Letters that programs of ours read: a mailbox like any, looked into now and then.

They stay where they are, for people; which were read is in C{reputation.db}.
Who reads them finds them whatever way they came, and after any crash.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred

from smfd.interfaces import IHands
from smfd.store.place import split_mailbox
from smfd.store.reputation_file import ReputationFile

#: Octets of the longest letter that is read.
LONGEST = 8 << 20

#: Letters that are told of at once, and that a mailbox may have.
_AT_ONCE = 50
_MOST = 20_000


@frozen
class Letters:
    """
    The letters of one mailbox.

    @ivar root: the folder of all mailboxes.
    @ivar hands: read from the disk.
    """

    file: ReputationFile
    hands: IHands
    root: str
    address: str

    def unread(self) -> Deferred[Sequence[tuple[str, str]]]:
        """Some that were not read, the oldest first: stem and path."""
        return Deferred.fromCoroutine(self._unread())

    def read(self, path: str) -> Deferred[bytes | None]:
        """The whole letter; None when it is gone for now, b"" when it is too long."""
        return self.hands.run(_read, path)

    def done(self, stem: str) -> Deferred[None]:
        """It was read."""
        return self.file.run(_done, self.address, stem)

    def first(self, what: str) -> Deferred[bool]:
        """Whether it is the first of its kind that a letter tells of."""
        return self.file.run(_first, self.address, what)

    async def _unread(self) -> Sequence[tuple[str, str]]:
        domain, local = split_mailbox(self.address)
        box = os.path.join(self.root, domain, local)
        there: Mapping[str, str] = await self.hands.run(_listed, box)
        stems = await self.file.run(_unknown, self.address, tuple(there))
        return [(stem, there[stem]) for stem in stems]


def _listed(box: str) -> dict[str, str]:
    """Paths by stem, the oldest first: what stays when a reader sets flags."""
    found: dict[str, str] = {}
    for folder in ("new", "cur"):
        try:
            names = os.listdir(f"{box}/{folder}")
        except FileNotFoundError:
            continue
        found |= {name.partition(":")[0]: f"{box}/{folder}/{name}" for name in names}
    return dict(sorted(found.items())[-_MOST:])


def _unknown(
    connection: sqlite3.Connection, mailbox: str, stems: Sequence[str]
) -> list[str]:
    """Those that were not read; what is gone is forgotten."""
    known = {
        stem
        for (stem,) in connection.execute(
            "SELECT stem FROM letters WHERE mailbox=?", (mailbox,)
        )
    }
    connection.executemany(
        "DELETE FROM letters WHERE mailbox=? AND stem=?",
        [(mailbox, stem) for stem in known.difference(stems)],
    )
    return [stem for stem in stems if stem not in known][:_AT_ONCE]


def _read(path: str) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        # Its reader moved it just now: it is found again under its new name.
        return None
    with open(fd, "rb") as file:
        data = file.read(LONGEST + 1)
    return data if len(data) <= LONGEST else b""


def _done(connection: sqlite3.Connection, mailbox: str, stem: str) -> None:
    connection.execute("INSERT OR IGNORE INTO letters VALUES (?,?)", (mailbox, stem))


def _first(connection: sqlite3.Connection, mailbox: str, what: str) -> bool:
    made = connection.execute(
        "INSERT OR IGNORE INTO letters VALUES (?,?)", (f"about {mailbox}", what)
    )
    connection.execute(
        "DELETE FROM letters WHERE mailbox=? AND stem IN (SELECT stem FROM letters"
        " WHERE mailbox=? ORDER BY stem DESC LIMIT -1 OFFSET ?)",
        (f"about {mailbox}", f"about {mailbox}", _MOST),
    )
    return bool(made.rowcount)
