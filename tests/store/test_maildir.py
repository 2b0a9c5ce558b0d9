"""Where mailboxes are, and what is in them."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.transaction import Body
from smfd.store.assembly import kept, length
from smfd.store.atomic import Disk
from smfd.store.maildir import Maildir
from smfd.store.place import Unplaceable, folder_name, inside, split_mailbox
from smfd.store.shelf import write
from tests.store.making import OWN_TOP, TOP, mailbox, make_entry

HOSTILE = [
    "../../etc/passwd@d.example",
    "..@d.example",
    ".@d.example",
    ".hidden@d.example",
    "a/b@d.example",
    "/etc/passwd@d.example",
    "a\0b@d.example",
    "~root@d.example",
    "*@d.example",
    "$(id)@d.example",
    "`id`@d.example",
    "-rf@d.example",
    "|sh@d.example",
    ":include:/etc/passwd@d.example",
    "a\nb@d.example",
    '"a@b"@d.example',
    "u@..",
    "u@../x",
    "u@.d.example",
    "u@[127.0.0.1]",
    "u@d.example/new",
]


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """A body and ranges to leave out of it."""
    data = draw(st.binary(max_size=200))
    marks = sorted(draw(st.lists(st.integers(0, len(data) + 5), max_size=8)))
    pairs = zip(marks[::2], marks[1::2], strict=False)
    return data, tuple(pairs)


class PlaceTests(SynchronousTestCase):
    """Every address has a folder of its own, inside (R56)."""

    def test_plain(self) -> None:
        """An ordinary address is written as it is."""
        self.assertEqual(
            ("d.example", "first.last+tag"), split_mailbox("First.Last+tag@d.example")
        )

    def test_hostile(self) -> None:
        """No address leads anywhere else."""
        for address in HOSTILE:
            for part in split_mailbox(address):
                self.assertNotIn("/", part)
                self.assertFalse(part.startswith("."), part)
                self.assertTrue(part.isprintable() and part.isascii(), part)

    @given(st.text(), st.text())
    def test_one_each(self, one: str, other: str) -> None:
        """Two names share a folder only when they differ in case."""
        try:
            same = folder_name(one) == folder_name(other)
        except (Unplaceable, UnicodeEncodeError):
            return
        self.assertEqual(one.lower() == other.lower(), same)

    def test_too_long(self) -> None:
        """A name that no file system takes is refused, not cut."""
        self.assertEqual(255, len(folder_name("a" * 255)))
        for name in ("a" * 256, "é" * 50, ""):
            with self.assertRaises(Unplaceable):
                folder_name(name)

    def test_inside(self) -> None:
        """Paths that come back from outside are checked."""
        self.assertEqual("/q/a/b", inside("/q", "a/b"))
        for path in ("..", "../q2/x", "/etc/passwd", "a/../..", "", ".", "a\0"):
            with self.assertRaises(Unplaceable):
                inside("/q", path)


class AssemblyTests(SynchronousTestCase):
    """The message as it is stored."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.disk = Disk()
        self.maildir = Maildir(str(self.root / "mail"), "mx.example", self.disk)

    def expected(self, data: bytes, cuts: tuple[tuple[int, int], ...]) -> bytes:
        """The slow and obvious way."""
        left = {n for start, end in cuts for n in range(start, end)}
        rest = bytes(o for n, o in enumerate(data) if n not in left)
        return OWN_TOP + TOP + rest

    @given(bodies())
    def test_from_memory(
        self, given: tuple[bytes, tuple[tuple[int, int], ...]]
    ) -> None:
        """Our lines, theirs, and nothing of what is cut: byte for byte."""
        data, cuts = given
        draft = self.maildir.draft(make_entry(data, cuts=cuts).consignments()[0])
        write(self.disk, self.maildir, draft, sync=False)
        self.assertEqual(self.expected(data, cuts), Path(draft.part).read_bytes())
        os.unlink(draft.part)

    @given(bodies())
    def test_from_file(self, given: tuple[bytes, tuple[tuple[int, int], ...]]) -> None:
        """The same from a large body's file."""
        data, cuts = given
        (self.root / "body").write_bytes(data)
        body = Body(len(data), path=str(self.root / "body"))
        draft = self.maildir.draft(make_entry(body, cuts=cuts).consignments()[0])
        write(self.disk, self.maildir, draft, sync=False)
        whole = Path(draft.part).read_bytes()
        self.assertEqual(self.expected(data, cuts), whole)
        self.assertEqual(len(whole), length(OWN_TOP + TOP, body, cuts))
        self.assertIn(f",S={len(whole)},W={len(whole)}", draft.part)
        os.unlink(draft.part)

    def test_kernel_cannot_copy(self) -> None:
        """Between two file systems the copy is made by hand."""
        if not os.path.isdir("/dev/shm"):
            self.fail("this test needs /dev/shm")
        data = os.urandom(3_000_000)
        path = Path("/dev/shm") / f"smfd-{os.getpid()}"
        path.write_bytes(data)
        self.addCleanup(path.unlink)
        body = Body(len(data), path=str(path))
        draft = self.maildir.draft(make_entry(body, cuts=((5, 9),)).consignments()[0])
        write(self.disk, self.maildir, draft, sync=True)
        self.assertEqual(
            OWN_TOP + TOP + data[:5] + data[9:], Path(draft.part).read_bytes()
        )

    def test_damaged_body(self) -> None:
        """A body that lost its end leaves no file."""
        (self.root / "body").write_bytes(b"short")
        body = Body(100, path=str(self.root / "body"))
        draft = self.maildir.draft(make_entry(body).consignments()[0])
        with self.assertRaises(OSError):
            write(self.disk, self.maildir, draft, sync=True)
        self.assertFalse(os.path.exists(draft.part))

    @given(bodies())
    def test_kept(self, given: tuple[bytes, tuple[tuple[int, int], ...]]) -> None:
        """The kept ranges are in order, never empty, and inside."""
        data, cuts = given
        at = 0
        for start, end in kept(len(data), cuts):
            self.assertTrue(at <= start < end <= len(data))
            at = end

    def test_overlapping(self) -> None:
        """Cuts that overlap leave nothing in twice."""
        self.assertEqual([(0, 2), (8, 10)], list(kept(10, ((2, 8), (4, 6)))))


class MailboxTests(SynchronousTestCase):
    """Maildir++ as readers expect it."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.disk = Disk()
        self.maildir = Maildir(str(self.root), "mx:1/a.example", self.disk)

    def test_folders(self) -> None:
        """A mailbox has tmp, new and cur, for its owner only."""
        draft = self.maildir.draft(make_entry().consignments()[0])
        write(self.disk, self.maildir, draft, sync=True)
        box = self.root / "d.example" / "u"
        self.assertEqual({"tmp", "new", "cur"}, set(os.listdir(box)))
        for path in [box.parent, box, *box.iterdir()]:
            self.assertEqual(0o700, path.stat().st_mode & 0o777)
        self.assertEqual(0o600, os.stat(draft.part).st_mode & 0o777)

    def test_name(self) -> None:
        """The same consignment has the same name; no other has it."""
        entry = make_entry(recipients=[mailbox(1), mailbox(2)])
        first, second = entry.consignments()
        self.assertEqual(self.maildir.draft(first), self.maildir.draft(first))
        self.assertNotEqual(
            self.maildir.draft(first).path, self.maildir.draft(second).path
        )
        name = os.path.basename(self.maildir.draft(first).path)
        self.assertRegex(
            name, rf"^\d+\.{entry.id}-1\.mx\\0721\\057a\.example,S=\d+,W=\d+$"
        )

    def test_present(self) -> None:
        """A message is found in new, and in cur with its flags."""
        entry = make_entry(recipients=[mailbox(n) for n in (1, 2, 3)])
        new, read, missing = [self.maildir.draft(c) for c in entry.consignments()]
        self.assertEqual(set(), self.maildir.present([new, read, missing]))
        self.maildir.make_room(new)
        Path(new.path).touch()
        box = self.root / "d.example" / "u"
        (box / "cur" / f"{os.path.basename(read.path)}:2,SR").touch()
        (box / "cur" / "1.foreign").touch()
        present = self.maildir.present([new, read, missing])
        self.assertEqual(
            {new.path, read.path}, {d.path for d in (new, read, missing)} & present
        )
