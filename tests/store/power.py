"""A disk whose power fails after every step."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from attrs import define, field, frozen

from smfd.store.atomic import Disk

T = TypeVar("T")


@frozen
class Wreck:
    """
    What was on the disk when the power failed.

    @ivar step: the step after which it failed.
    @ivar home: a copy of everything that was written.
    @ivar lost: what of it was not synced: files that are gone, as paths
        relative to the home.
    @ivar torn: files of which half is gone.
    @ivar acknowledged: the entries that a client had its 250 for.
    """

    step: str
    home: Path
    lost: frozenset[str]
    torn: frozenset[str]
    acknowledged: frozenset[str]

    def cut(self) -> None:
        """Take away what was not synced."""
        for name in self.torn:
            path = self.home / name
            os.truncate(path, path.stat().st_size // 2)
        for name in sorted(self.lost):
            path = self.home / name
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()


@define(eq=False)
class FailingPower(Disk):
    """
    The real disk, copied after each step.

    It knows what was synced, and what the power would have taken.

    @ivar acknowledged: whom the test has acknowledged so far.
    """

    home: Path
    wrecks: Path
    acknowledged: set[str] = field(factory=set)
    found: list[Wreck] = field(factory=list)
    _lock: threading.RLock = field(factory=threading.RLock)
    _names: set[str] = field(factory=set)
    _dirty: set[str] = field(factory=set)
    _open: dict[int, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        super().__init__()

    def _step(self, name: str, act: Callable[[], T], after: Callable[[T], None]) -> T:
        # One step at a time: a copy is of one moment.
        with self._lock:
            result = act()
            after(result)
            self._copy(name)
            return result

    def _copy(self, name: str) -> None:
        target = self.wrecks / f"{len(self.found):04d}"
        shutil.copytree(
            self.home, target, ignore=shutil.ignore_patterns("*-shm", "ledger.lock")
        )
        self.found.append(
            Wreck(
                name,
                target,
                frozenset(self._relative(p) for p in self._names),
                frozenset(self._relative(p) for p in self._dirty - self._names),
                frozenset(self.acknowledged),
            )
        )

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self.home)

    def create(self, path: str, over: bool = False) -> int:
        """A name that is not synced yet."""

        def after(fd: int) -> None:
            self._names.add(path)
            self._open[fd] = path

        return self._step("create", lambda: Disk.create(self, path, over), after)

    def write(self, fd: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Content that is not synced yet."""

        def after(_: int) -> None:
            self._dirty.add(self._open[fd])

        return self._step("write", lambda: Disk.write(self, fd, pieces), after)

    def copy(self, source: int, target: int, start: int, count: int) -> None:
        """Content that is not synced yet."""

        def after(_: None) -> None:
            self._dirty.add(self._open[target])

        self._step("copy", lambda: Disk.copy(self, source, target, start, count), after)

    def sync(self, fd: int) -> None:
        """Content that stays."""

        def after(_: None) -> None:
            self._dirty.discard(self._open[fd])

        self._step("sync", lambda: Disk.sync(self, fd), after)

    def sync_everything(self, fd: int) -> None:
        """All of it stays."""

        def after(_: None) -> None:
            self._dirty.clear()
            self._names.clear()

        self._step("syncfs", lambda: Disk.sync_everything(self, fd), after)

    def sync_folder(self, path: str) -> None:
        """Names that stay."""

        def after(_: None) -> None:
            self._names -= {n for n in self._names if os.path.dirname(n) == path}

        self._step("sync_folder", lambda: Disk.sync_folder(self, path), after)

    def rename(self, old: str, new: str) -> None:
        """A name that is not synced yet, of content that may be."""

        def after(_: None) -> None:
            self._names.discard(old)
            self._names.add(new)
            if old in self._dirty:
                self._dirty.discard(old)
                self._dirty.add(new)

        self._step("rename", lambda: Disk.rename(self, old, new), after)

    def unlink(self, path: str) -> None:
        """Gone; that it may come back is harmless."""

        def after(_: None) -> None:
            self._names.discard(path)
            self._dirty.discard(path)

        self._step("unlink", lambda: Disk.unlink(self, path), after)

    def make_folder(self, path: str) -> None:
        """A name that is not synced yet."""

        def after(_: None) -> None:
            self._names.add(path)

        self._step("make_folder", lambda: Disk.make_folder(self, path), after)

    def remove_folder(self, path: str) -> None:
        """Gone."""

        def after(_: None) -> None:
            self._names.discard(path)

        self._step("remove_folder", lambda: Disk.remove_folder(self, path), after)

    def commit(self, connection: sqlite3.Connection) -> None:
        """All or nothing, and synced."""
        with self._lock:
            self._copy("the rows, before their commit")
        self._step("commit", lambda: Disk.commit(self, connection), lambda _: None)
