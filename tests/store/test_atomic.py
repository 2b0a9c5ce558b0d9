"""The one place where the disk is written."""

import errno
import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.store.atomic import Disk, is_full, make_folders


class CountingDisk(Disk):
    """Remembers which folders were made and synced."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, str]] = []

    def make_folder(self, path: str) -> None:
        """Remember."""
        self.steps.append(("make", path))
        super().make_folder(path)

    def sync_folder(self, path: str) -> None:
        """Remember."""
        self.steps.append(("sync", path))
        super().sync_folder(path)


class DiskTests(SynchronousTestCase):
    """What each step promises."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.disk = Disk()

    def test_private(self) -> None:
        """Mail is readable by its owner only."""
        os.close(self.disk.create(str(self.root / "f")))
        self.disk.make_folder(str(self.root / "d"))
        self.assertEqual(0o600, stat.S_IMODE((self.root / "f").stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE((self.root / "d").stat().st_mode))

    def test_no_overwriting(self) -> None:
        """A file that is there is not touched, unless that was asked."""
        (self.root / "f").write_text("mine")
        with self.assertRaises(FileExistsError):
            self.disk.create(str(self.root / "f"))
        os.close(self.disk.create(str(self.root / "f"), over=True))
        self.assertEqual("", (self.root / "f").read_text())

    def test_no_following(self) -> None:
        """A link laid in the way is not followed."""
        (self.root / "f").symlink_to(self.root / "elsewhere")
        with self.assertRaises(OSError):
            self.disk.create(str(self.root / "f"), over=True)

    def test_many_pieces(self) -> None:
        """More pieces than the kernel takes at once arrive in order."""
        pieces: list[bytes | memoryview] = [b"%d," % n for n in range(5000)]
        fd = self.disk.create(str(self.root / "f"))
        written = self.disk.write(fd, pieces)
        os.close(fd)
        self.assertEqual(b"".join(pieces), (self.root / "f").read_bytes())
        self.assertEqual((self.root / "f").stat().st_size, written)

    def test_short_source(self) -> None:
        """A body that lost its end is not delivered as if it were whole."""
        (self.root / "a").write_bytes(b"x" * 100)
        source = os.open(self.root / "a", os.O_RDONLY)
        fd = self.disk.create(str(self.root / "b"))
        self.addCleanup(os.close, source)
        self.addCleanup(os.close, fd)
        with self.assertRaises(OSError) as caught:
            self.disk.copy(source, fd, 50, 51)
        self.assertEqual(errno.ENODATA, caught.exception.errno)

    def test_sync_everything_tells(self) -> None:
        """A sync of the file system that fails is an error."""
        with self.assertRaises(OSError) as caught:
            self.disk.sync_everything(-1)
        self.assertEqual(errno.EBADF, caught.exception.errno)

    def test_unlink_twice(self) -> None:
        """Removing what is gone is no error."""
        self.disk.unlink(str(self.root / "none"))

    def test_folders_are_synced(self) -> None:
        """Each new folder's name is synced before anything is put into it."""
        disk = CountingDisk()
        root = str(self.root)
        make_folders(disk, f"{root}/a/b")
        self.assertEqual(
            [
                ("make", f"{root}/a"),
                ("sync", root),
                ("make", f"{root}/a/b"),
                ("sync", f"{root}/a"),
            ],
            disk.steps,
        )

    def test_full(self) -> None:
        """Space, quota and file size are "full"; a broken disk is not."""
        full = [n for n in errno.errorcode if is_full(OSError(n, ""))]
        self.assertEqual({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}, set(full))
