"""The log, or the folder for temporary files, is full, really (R7, R123)."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.store.full_disk import SmallDisk
from tests.system.house import House, id_of
from tests.system.test_road import OFFLINE, plain


class FullTests(SynchronousTestCase):
    """Mail goes on, and what was full heals by itself."""

    def disk(self, path: Path) -> SmallDisk:
        """A small disk there; it goes before the house does."""
        disk = SmallDisk(path, inodes=100)
        disk.mount()
        self.addCleanup(disk.unmount)
        return disk

    def house(self) -> House:
        """Not started yet."""
        house = House(settings=OFFLINE)
        self.addCleanup(house.remove)
        return house

    def delivered(self, house: House, mark: bytes) -> str:
        """Send a message and see it in the mailbox; its id."""
        code, said = house.send(plain(mark))
        self.assertEqual(250, code, said)
        house.until(lambda: [m for m in house.mailbox() if mark in m])
        return id_of(said)

    def lines(self, house: House) -> list[str]:
        """The mail log, once there is any."""
        path = house.home / "log" / "mail.log"
        return path.read_text().splitlines() if path.exists() else []

    def logged(self, house: House, name: str) -> bool:
        """Whether a message has its line."""
        return any(name in line for line in self.lines(house))

    def complains(self, house: House) -> bool:
        """Whether the daemon's own log says that lines are lost."""
        return "the mail log was not written" in house.log.read_text(errors="replace")

    def heals(self, house: House, disk: SmallDisk, sent: list[str]) -> None:
        """There is room: a message has its line, and the ledger what has none."""
        disk.relieve()
        after = self.delivered(house, b"after")
        house.until(lambda: self.logged(house, after), 5.0)
        lost = [name for name in sent if not self.logged(house, name)]
        record = house.ctl("trace", "show", lost[0])["record"]
        self.assertEqual("clean", record["verdict"])
        whole = re.compile(
            r"\d{4}-\d\d-\d\dT[^ ]{13} [0-9a-z]{16}: client=((?!client=).)*"
        )
        self.assertEqual(
            [], [one for one in self.lines(house) if not whole.fullmatch(one)]
        )

    def test_log(self) -> None:
        """A full log disk costs lines, no mail, and no line is half."""
        house = self.house()
        disk = self.disk(house.home / "log")
        house.start()
        first = self.delivered(house, b"first")
        house.until(lambda: self.logged(house, first))
        disk.leave(0)
        # Some still fit into the last page of the file.
        sent = []
        while not self.complains(house):
            sent.append(self.delivered(house, b"full"))
        self.heals(house, disk, sent)

    def test_log_inodes(self) -> None:
        """A log that was rotated away finds no name for the next."""
        house = self.house()
        disk = self.disk(house.home / "log")
        house.start()
        disk.leave_inodes(0)
        lost = self.delivered(house, b"nameless")
        house.until(lambda: self.complains(house))
        self.heals(house, disk, [lost])

    def test_temporary(self) -> None:
        """Nothing that mail needs is kept in the folder for temporary files."""
        house = self.house()
        disk = self.disk(house.folder / "tmp")
        house.start(before=("env", f"TMPDIR={disk.path}"))
        disk.leave(0)
        self.delivered(house, b"full")
        large = plain(b"large") + b"x" * 70 * 5000
        self.assertEqual(250, house.send(large)[0])
        disk.relieve()
        disk.leave_inodes(0)
        self.delivered(house, b"nameless")
        self.assertNotIn("Traceback", house.log.read_text(errors="replace"))
