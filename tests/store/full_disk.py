"""
A disk that is full, really: a small file system with a file that fills it.

Each trial leaves some room on it, offers messages, gives the room back, and
looks at what became of each (R7).
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field

from smfd.model.entry import Recipient
from smfd.store.atomic import NoSpace
from smfd.store.ids import new_id
from smfd.store.ledger import LedgerTrouble
from smfd.store.spool import SpoolTrouble
from tests.store.making import REACTOR, SmallHouse, held, mailbox, make_entry, pause

#: What a door turns into 452 and 451; anything else would be a fault of ours.
TEMPORARY = (NoSpace, LedgerTrouble, SpoolTrouble)

#: What is full: the ledger's disk, or a folder that is a disk of its own.
PLACES = ("ledger", "spool", "mail", "quarantine")
_FOLDERS = PLACES[1:]

#: The kernel gives room in pages: the steps in which a disk fills up.
PAGE = 4096

#: How many points there are: the last leaves room for everything.
POINTS = 200

#: How many files are enough for everything.
FILES = 20

_SIZE = 8 * 1024 * 1024
_INODES = 200
_INLINE = 50_000

#: Small ones are kept in the ledger, large ones in the spool.
MESSAGES: Sequence[tuple[bytes, tuple[Recipient, ...]]] = (
    (b"#first#" + b"a" * 20_000, (mailbox(1),)),
    (b"#large#" + b"b" * 300_000, (mailbox(1), held(2))),
    (b"#small#" + b"c" * 900, (mailbox(1), held(2, "v@d.example"))),
    (b"#third#" + b"d" * 100_000, (held(1),)),
)
AFTER = (b"#after#" + b"e" * 60_000, (mailbox(1), held(2)))


@define
class SmallDisk:
    """
    A file system of eight MiB, mounted on a folder.

    @ivar inodes: how many files it may have; 0 for as many as there is room for.
    """

    path: Path
    inodes: int = 0
    ballast: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ballast = self.path / "ballast"

    def mount(self) -> None:
        """
        Mount it.

        @raise AssertionError: it cannot be done here, and why.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        limits = f"size={_SIZE}"
        if self.inodes:
            limits += f",nr_inodes={self.inodes}"
        options = ["-t", "tmpfs", "-o", limits, "tmpfs", str(self.path)]
        done = subprocess.run(["mount", *options], capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(
                "A full disk cannot be tried here: a tmpfs must be mounted, which"
                f" takes root. mount said: {done.stderr.strip()}"
            )

    def unmount(self) -> None:
        """Away with it."""
        subprocess.run(["umount", "-l", str(self.path)], check=True)

    def leave(self, pages: int) -> None:
        """Fill it up but for some pages."""
        found = os.statvfs(self.path)
        fill = found.f_bavail * found.f_frsize - pages * PAGE
        with open(self.ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, fill)

    def leave_inodes(self, count: int) -> None:
        """Leave room for so many files and no more."""
        self.ballast.mkdir()
        while os.statvfs(self.path).f_ffree > count:
            (self.ballast / os.urandom(8).hex()).touch()

    def relieve(self) -> None:
        """Give the room back."""
        if self.ballast.is_dir():
            shutil.rmtree(self.ballast)
        else:
            self.ballast.unlink(missing_ok=True)


@define
class Tally:
    """
    What came of it.

    @ivar answers: how many were "accepted", or what they were told.
    @ivar wrong: everything that must not be, a sentence each.
    """

    points: int = 0
    answers: Counter[str] = field(factory=Counter)
    wrong: list[str] = field(factory=list)


@define
class FullDisk:
    """
    Trials in one place, one after the other, each in a home of its own.

    @ivar inodes: it is names that run out, not octets.
    """

    root: Path
    place: str
    inodes: bool = False
    tally: Tally = field(factory=Tally)

    async def point(self, pages: int) -> None:
        """One trial: so many pages, or files, are left."""
        home = self.root / f"{self.place}-{pages}" / "home"
        full = home if self.place == "ledger" else home / self.place
        disk = SmallDisk(full, _INODES if self.inodes else 0)
        disk.mount()
        try:
            if self.place == "ledger":
                self._elsewhere(home)
            await self._trial(home, disk, pages)
        finally:
            disk.unmount()
        self.tally.points += 1

    def _elsewhere(self, home: Path) -> None:
        """All folders are on another disk, which is not full."""
        for name in _FOLDERS:
            (home.parent / name).mkdir()
            (home / name).symlink_to(home.parent / name)

    async def _trial(self, home: Path, disk: SmallDisk, pages: int) -> None:
        what = f"{self.place}, {pages} {'files' if self.inodes else 'pages'} left"
        house = SmallHouse(home, inline=_INLINE, pause=lambda attempts: 0.01)
        await house.begin()
        try:
            if self.inodes:
                disk.leave_inodes(pages)
            else:
                disk.leave(pages)
            accepted = [m for m in MESSAGES if await self._offer(house, *m)]
            await pause(0.02)
            disk.relieve()
            if house.ledger.suspect:
                self._wrong(f"{what}: full is not broken: {house.ledger.suspect}")
                return
            # No restart: it goes on by itself.
            if await self._offer(house, *AFTER):
                accepted.append(AFTER)
            else:
                self._wrong(f"{what}: there is room, and nothing is accepted")
            await house.settled()
            self._check(house, accepted, what)
        finally:
            await house.stop()

    async def _offer(
        self, house: SmallHouse, data: bytes, recipients: Sequence[Recipient]
    ) -> bool:
        """As a door does it; whether it is ours."""
        name = new_id(REACTOR.seconds())
        try:
            body = await house.receive(data, name)
            await house.accept(make_entry(body, recipients, entry_id=name))
        except TEMPORARY as error:
            self.tally.answers[type(error).__name__] += 1
            return False
        self.tally.answers["accepted"] += 1
        return True

    def _check(
        self,
        house: SmallHouse,
        accepted: Sequence[tuple[bytes, Sequence[Recipient]]],
        what: str,
    ) -> None:
        """Each recipient of what was accepted once, and nothing else."""
        found = house.messages("mail") + house.messages("quarantine")
        for data, recipients in (*MESSAGES, AFTER):
            copies = [m for m in found if data[:7] in m]
            mine = any(data is message[0] for message in accepted)
            expected = len(recipients) if mine else 0
            if len(copies) != expected:
                self._wrong(f"{what}: {data[:7]!r}: {len(copies)} and not {expected}")
            if not all(copy.endswith(data) for copy in copies):
                self._wrong(f"{what}: {data[:7]!r} is partial")
        halves = [p for p in house.home.rglob("*/tmp/*") if p.is_file()]
        halves += house.home.rglob("*.part")
        if halves:
            self._wrong(f"{what}: left behind: {halves}")

    def _wrong(self, sentence: str) -> None:
        self.tally.wrong.append(sentence)
