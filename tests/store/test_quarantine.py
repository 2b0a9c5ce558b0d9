"""Where held messages are kept."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.store.atomic import Disk
from smfd.store.place import Unplaceable
from smfd.store.quarantine import Quarantine
from smfd.store.shelf import write
from tests.store.making import TOP, held, make_entry


class QuarantineTests(SynchronousTestCase):
    """One file for each message and domain."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.disk = Disk()
        self.root.mkdir()
        self.quarantine = Quarantine(str(self.root), self.disk)

    def hold(self, when: float = 0.0) -> str:
        """A message that is held; its path."""
        entry = make_entry(b"abcdef", [held(1)], ((1, 2),), when=when)
        draft = self.quarantine.draft(entry.consignments()[0])
        write(self.disk, self.quarantine, draft, sync=True)
        os.rename(draft.part, draft.path)
        return draft.path

    def test_shared(self) -> None:
        """The recipients of one domain share a file, those of another do not."""
        entry = make_entry(
            recipients=[held(1), held(2, "v@d.example"), held(3, "u@e.example")],
            when=86400.0 * 365,
        )
        drafts = [self.quarantine.draft(c) for c in entry.consignments()]
        self.assertEqual(drafts[0].path, drafts[1].path)
        self.assertEqual(
            [f"d.example/1971-01-01/{entry.id}", f"e.example/1971-01-01/{entry.id}"],
            sorted({os.path.relpath(d.path, self.root) for d in drafts}),
        )

    def test_content(self) -> None:
        """It holds what would have been delivered, but for the last lines."""
        path = self.hold()
        self.assertEqual(TOP + b"acdef", self.quarantine.read(path))
        self.assertEqual(TOP[:5], self.quarantine.read(path, 5))

    def test_present(self) -> None:
        """Only a file that has its name counts."""
        entry = make_entry(recipients=[held(1)])
        draft = self.quarantine.draft(entry.consignments()[0])
        write(self.disk, self.quarantine, draft, sync=True)
        self.assertEqual(set(), self.quarantine.present([draft]))
        os.rename(draft.part, draft.path)
        self.assertEqual({draft.path}, self.quarantine.present([draft]))

    def test_removed(self) -> None:
        """Empty days and domains go with the last message."""
        first, second = self.hold(), self.hold()
        self.quarantine.remove(first)
        self.assertTrue(os.path.exists(second))
        self.quarantine.remove(second)
        self.assertEqual([], os.listdir(self.root))
        self.quarantine.remove(second)

    def test_outside(self) -> None:
        """Nothing outside is read or removed."""
        outside = self.root.parent / "outside"
        outside.write_text("x")
        for path in (str(outside), f"{self.root}/../outside", str(self.root)):
            with self.assertRaises(Unplaceable):
                self.quarantine.read(path)
            with self.assertRaises(Unplaceable):
                self.quarantine.remove(path)
        self.assertTrue(outside.exists())
