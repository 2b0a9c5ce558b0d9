"""Batches on their way into files."""

import errno
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.delivery.shelving import Shelving
from smfd.model.entry import Consignment, Outcome, State
from smfd.model.transaction import Body
from smfd.store.atomic import Disk
from smfd.store.maildir import Maildir
from smfd.store.quarantine import Quarantine
from tests.store.making import held, mailbox, make_entry

Fault = tuple[str, str, int]


class FaultyDisk(Disk):
    """
    Fails a kind of step, for paths that contain a word.

    @ivar faults: kind, word, error number.
    @ivar steps: every step that was taken.
    """

    def __init__(self, *faults: Fault) -> None:
        super().__init__()
        self.faults = faults
        self.steps: list[str] = []
        self.names: dict[int, str] = {}

    def _check(self, step: str, path: str) -> None:
        self.steps.append(step)
        for kind, word, error in self.faults:
            if kind == step and word in path:
                raise OSError(error, os.strerror(error))

    def create(self, path: str, over: bool = False) -> int:
        """Fail or not."""
        self._check("create", path)
        fd = super().create(path, over)
        self.names[fd] = path
        return fd

    def write(self, fd: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Fail or not."""
        self._check("write", self.names[fd])
        return super().write(fd, pieces)

    def sync(self, fd: int) -> None:
        """Fail or not."""
        self._check("sync", self.names[fd])
        super().sync(fd)

    def sync_everything(self, fd: int) -> None:
        """Fail or not."""
        self._check("syncfs", "")
        super().sync_everything(fd)

    def sync_folder(self, path: str) -> None:
        """Fail or not."""
        self._check("sync_folder", path)
        super().sync_folder(path)

    def rename(self, old: str, new: str) -> None:
        """Fail or not."""
        self._check("rename", new)
        super().rename(old, new)


class ShelvingCase(SynchronousTestCase):
    """A home for each test."""

    def setUp(self) -> None:
        self.home = Path(os.path.abspath(self.mktemp()))
        (self.home / "mail").mkdir(parents=True)
        (self.home / "quarantine").mkdir()

    def mail(self, disk: Disk, together: int = 100) -> Shelving:
        """Mailboxes."""
        shelf = Maildir(str(self.home / "mail"), "mx", disk)
        return Shelving(shelf, disk, str(self.home), State.DELIVERED, together)

    def files(self, below: str = "mail") -> list[Path]:
        """Every file there is, whole or not."""
        return [p for p in (self.home / below).rglob("*") if p.is_file()]

    def batch(self, *users: str) -> list[Consignment]:
        """One consignment for each user."""
        return [
            make_entry(recipients=[mailbox(n, f"{user}@d.example")]).consignments()[0]
            for n, user in enumerate(users, 1)
        ]

    def by_number(self, outcomes: Sequence[Outcome]) -> dict[int, State]:
        """States by number; each number once."""
        found = {o.number: o.state for o in outcomes}
        self.assertEqual(len(outcomes), len(found))
        return found


class MaildirShelvingTests(ShelvingCase):
    """Into mailboxes."""

    def test_delivered(self) -> None:
        """Each is in new, and the outcome says where."""
        for together in (1, 100):
            batch = self.batch("a", "b", "a")
            outcomes = self.mail(Disk(), together).deliver(batch)
            self.assertEqual({State.DELIVERED}, {o.state for o in outcomes})
            for outcome in outcomes:
                self.assertTrue((self.home / outcome.detail).is_file())
                self.assertIn("/new/", outcome.detail)

    def test_syncs(self) -> None:
        """A small batch syncs its files, a large one the file system, twice."""
        warm = self.batch("a", "b", "a")
        self.mail(Disk()).deliver(warm)
        disk = FaultyDisk()
        self.mail(disk).deliver(self.batch("a", "b", "a"))
        self.assertEqual(3, disk.steps.count("sync"))
        self.assertEqual(2, disk.steps.count("sync_folder"))
        self.assertLess(disk.steps.index("sync"), disk.steps.index("rename"))
        disk = FaultyDisk()
        self.mail(disk, together=3).deliver(self.batch("a", "b", "a"))
        self.assertEqual(
            ["syncfs", "rename", "rename", "rename", "syncfs"],
            [s for s in disk.steps if s not in {"create", "write"}],
        )

    def test_one_fails(self) -> None:
        """Whatever fails for one mailbox, the others get their mail."""
        for step in ("create", "write", "sync", "rename", "sync_folder"):
            self.mail(Disk()).deliver(self.batch("a", "bad", "c"))
            disk = FaultyDisk((step, "/bad/", errno.EIO))
            outcomes = self.mail(disk).deliver(self.batch("a", "bad", "c"))
            self.assertEqual(
                {1: State.DELIVERED, 2: State.DUE, 3: State.DELIVERED},
                self.by_number(outcomes),
                step,
            )
            self.assertEqual([], [p for p in self.files() if p.parent.name == "tmp"])

    def test_sync_of_all_fails(self) -> None:
        """When the file system cannot be synced nothing is called delivered."""
        disk = FaultyDisk(("syncfs", "", errno.EIO))
        outcomes = self.mail(disk, together=1).deliver(self.batch("a", "b"))
        self.assertEqual({1: State.DUE, 2: State.DUE}, self.by_number(outcomes))
        self.assertEqual(1, disk.steps.count("syncfs"))
        self.assertEqual([], self.files())

    def test_full(self) -> None:
        """A full disk is for now: the message stays due, with the reason."""
        disk = FaultyDisk(("write", "", errno.ENOSPC))
        (outcome,) = self.mail(disk).deliver(self.batch("a"))
        self.assertEqual(State.DUE, outcome.state)
        self.assertIn("No space", outcome.detail)
        self.assertEqual([], self.files())

    def test_fault_of_ours(self) -> None:
        """A message that breaks us stays due, alone (R14)."""
        good, broken = self.batch("a", "b")
        poison = Consignment(
            broken.entry_id,
            broken.received,
            broken.sender,
            Body(5, None, "\0"),
            broken.top,
            broken.cuts,
            broken.recipient,
        )
        told = io.StringIO()
        self.patch(sys, "stderr", told)
        outcomes = self.mail(Disk()).deliver([poison, good])
        self.assertEqual({1: State.DELIVERED, 2: State.DUE}, self.by_number(outcomes))
        self.assertIn("ValueError", told.getvalue())

    def test_no_place(self) -> None:
        """An address that no folder can be named after is never lost."""
        (outcome,) = self.mail(Disk()).deliver(self.batch("x" * 300))
        self.assertEqual(State.DUE, outcome.state)

    def test_again(self) -> None:
        """What may have been tried is looked for: in new, or read already."""
        entry = make_entry(recipients=[mailbox(1), mailbox(2), mailbox(3)])
        self.mail(Disk()).deliver(entry.consignments()[:2])
        first = self.files()[0]
        first.rename(first.parent.parent / "cur" / f"{first.name}:2,S")
        disk = FaultyDisk()
        outcomes = self.mail(disk).deliver(entry.consignments(attempts=1))
        self.assertEqual(
            dict.fromkeys((1, 2, 3), State.DELIVERED), self.by_number(outcomes)
        )
        self.assertEqual(3, len(self.files()))
        self.assertEqual(1, disk.steps.count("create"))

    def test_again_not_synced(self) -> None:
        """What is found but cannot be synced is not called delivered."""
        entry = make_entry()
        self.mail(Disk()).deliver(entry.consignments())
        disk = FaultyDisk(("sync_folder", "/new", errno.EIO))
        (outcome,) = self.mail(disk).deliver(entry.consignments(attempts=1))
        self.assertEqual(State.DUE, outcome.state)
        self.assertEqual(1, len(self.files()))

    def test_left_in_tmp(self) -> None:
        """What a power cut left half written is written anew."""
        entry = make_entry()
        shelving = self.mail(Disk())
        draft = shelving.shelf.draft(entry.consignments()[0])
        shelving.shelf.make_room(draft)
        Path(draft.part).write_bytes(b"half a message that is longer" * 100)
        shelving.deliver(entry.consignments(attempts=1))
        (path,) = self.files()
        self.assertIn(f",S={path.stat().st_size},", path.name)


class QuarantineShelvingTests(ShelvingCase):
    """Into the quarantine."""

    def shelving(self, disk: Disk) -> Shelving:
        """The quarantine."""
        shelf = Quarantine(str(self.home / "quarantine"), disk)
        return Shelving(shelf, disk, str(self.home), State.HELD)

    def test_shared(self) -> None:
        """Recipients of one domain share a file, and are all held."""
        entry = make_entry(
            recipients=[held(1), held(2, "v@d.example"), held(3, "u@e.example")]
        )
        outcomes = self.shelving(Disk()).deliver(entry.consignments())
        self.assertEqual(dict.fromkeys((1, 2, 3), State.HELD), self.by_number(outcomes))
        self.assertEqual(2, len(self.files("quarantine")))

    def test_shared_failure(self) -> None:
        """When their file fails all who share it stay due."""
        entry = make_entry(recipients=[held(1), held(2), held(3, "u@e.example")])
        disk = FaultyDisk(("sync", "/d.example/", errno.EIO))
        outcomes = self.shelving(disk).deliver(entry.consignments())
        self.assertEqual(
            {1: State.DUE, 2: State.DUE, 3: State.HELD}, self.by_number(outcomes)
        )

    def test_again(self) -> None:
        """A file that is there is not written again."""
        entry = make_entry(recipients=[held(1)])
        self.shelving(Disk()).deliver(entry.consignments())
        disk = FaultyDisk()
        (outcome,) = self.shelving(disk).deliver(entry.consignments(attempts=1))
        self.assertEqual(State.HELD, outcome.state)
        self.assertNotIn("create", disk.steps)
