"""
A batch of messages becomes files: written, synced, named, synced, reported.

Doing a batch again is harmless: a consignment that may have been tried before
is looked for first, and a file's name comes from the entry.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from attrs import define, field

from smfd.model.entry import Consignment, Outcome, State
from smfd.store.atomic import Disk
from smfd.store.damage import Examination
from smfd.store.place import Unplaceable
from smfd.store.shelf import Draft, Shelf, publish, write


@define(eq=False)
class Shelving:
    """
    Puts batches on a shelf.  Blocks: for threads.

    @ivar home: the folder that outcomes name files relative to.
    @ivar state: what a consignment is when its file is synced.
    @ivar together: from so many files on, one C{syncfs} syncs them all: two
        for a batch, whatever its size, where each C{fdatasync} costs a turn of
        the disk.  It waits for what others write to the same file system, so
        small batches sync their own files alone.
    """

    shelf: Shelf
    disk: Disk
    home: str
    state: State
    together: int = 4

    def deliver(self, consignments: Sequence[Consignment]) -> list[Outcome]:
        """One outcome for each; what failed is DUE, the others unaffected."""
        batch = _Batch(self.state, self.home)
        for consignment in consignments:
            self._draft(batch, consignment)
        self._skip_present(batch)
        self._skip_damaged(batch)
        drafts = batch.drafts()
        if len(drafts) >= self.together:
            self._shelve_together(batch, drafts)
        else:
            self._shelve(batch, drafts)
        return batch.outcomes

    def _draft(self, batch: "_Batch", consignment: Consignment) -> None:
        try:
            batch.add(self.shelf.draft(consignment))
        except Exception as error:
            batch.report(consignment, State.DUE, self._why(error))

    def _skip_present(self, batch: "_Batch") -> None:
        """What was done before a power cut is noted, not done again."""
        again = [d for d in batch.drafts() if d.consignment.attempts]
        for folder, drafts in _by_folder(again).items():
            present: set[str] = set()
            if self._take(batch, drafts, self._look, drafts, present):
                found = [draft for draft in drafts if draft.path in present]
                # Named, but perhaps not synced when the power failed.
                self._sync_folder(batch, folder, found)

    def _skip_damaged(self, batch: "_Batch") -> None:
        """What is not what it was is kept aside, and nobody gets it."""
        examination = Examination(self.disk, self.home)
        for draft in batch.drafts():
            self._take(batch, [draft], self._examine, batch, draft, examination)

    def _examine(self, batch: "_Batch", draft: Draft, examination: Examination) -> None:
        fault = examination.fault(draft.consignment)
        if fault:
            batch.give_up([draft], fault)

    def _look(self, drafts: Sequence[Draft], present: set[str]) -> None:
        present |= self.shelf.present(drafts)

    def _shelve(self, batch: "_Batch", drafts: Sequence[Draft]) -> None:
        written = [d for d in drafts if self._written(batch, d, sync=True)]
        named = [d for d in written if self._named(batch, d)]
        for folder, inside in _by_folder(named).items():
            self._sync_folder(batch, folder, inside)

    def _shelve_together(self, batch: "_Batch", drafts: Sequence[Draft]) -> None:
        # Opened before the writing: the kernel then tells us of every failure
        # since, even one that it has told somebody else already.
        fd = os.open(self.shelf.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            written = [d for d in drafts if self._written(batch, d, sync=False)]
            if self._take(batch, written, self.disk.sync_everything, fd):
                named = [d for d in written if self._named(batch, d)]
                if self._take(batch, named, self.disk.sync_everything, fd):
                    batch.finish(named)
        finally:
            os.close(fd)

    def _sync_folder(
        self, batch: "_Batch", folder: str, drafts: Sequence[Draft]
    ) -> None:
        if drafts and self._take(batch, drafts, self.disk.sync_folder, folder):
            batch.finish(drafts)

    def _written(self, batch: "_Batch", draft: Draft, sync: bool) -> bool:
        return self._take(batch, [draft], write, self.disk, self.shelf, draft, sync)

    def _named(self, batch: "_Batch", draft: Draft) -> bool:
        return self._take(batch, [draft], publish, self.disk, self.shelf, draft)

    def _take(
        self,
        batch: "_Batch",
        drafts: Sequence[Draft],
        step: Callable[..., object],
        *args: object,
    ) -> bool:
        """Take a step for some drafts; when it fails, they stay due."""
        try:
            step(*args)
        except Exception as error:
            batch.fail(drafts, self._why(error))
            for draft in drafts:
                # What was not synced is not looked at again.
                with contextlib.suppress(OSError):
                    self.disk.unlink(draft.part)
            return False
        return True

    def _why(self, error: Exception) -> str:
        if isinstance(error, OSError | Unplaceable):
            return str(error)
        # Where this runs there may be no log but this.
        traceback.print_exc(file=sys.stderr)
        return f"a fault of ours: {type(error).__name__}"


@define(eq=False)
class _Batch:
    """
    What is in hand.

    @ivar waiting: drafts without an outcome, by path.
    @ivar sharing: the consignments of each path.
    """

    state: State
    home: str
    waiting: dict[str, Draft] = field(factory=dict)
    sharing: dict[str, list[Consignment]] = field(factory=dict)
    outcomes: list[Outcome] = field(factory=list)

    def add(self, draft: Draft) -> None:
        """Take one in hand; recipients of one domain may share a file."""
        self.waiting.setdefault(draft.path, draft)
        self.sharing.setdefault(draft.path, []).append(draft.consignment)

    def drafts(self) -> list[Draft]:
        """What has no outcome yet."""
        return list(self.waiting.values())

    def finish(self, drafts: Sequence[Draft]) -> None:
        """They are there, and synced."""
        for draft in drafts:
            self._close(draft, self.state, os.path.relpath(draft.path, self.home))

    def fail(self, drafts: Sequence[Draft], why: str) -> None:
        """They are still due."""
        for draft in drafts:
            self._close(draft, State.DUE, why)

    def give_up(self, drafts: Sequence[Draft], why: str) -> None:
        """They are damaged."""
        for draft in drafts:
            self._close(draft, State.CORRUPT, why)

    def report(self, consignment: Consignment, state: State, detail: str) -> None:
        """One outcome."""
        self.outcomes.append(consignment.outcome(state, detail))

    def _close(self, draft: Draft, state: State, detail: str) -> None:
        del self.waiting[draft.path]
        for consignment in self.sharing[draft.path]:
            self.report(consignment, state, detail)


def _by_folder(drafts: Sequence[Draft]) -> dict[str, list[Draft]]:
    found: dict[str, list[Draft]] = {}
    for draft in drafts:
        found.setdefault(draft.folder, []).append(draft)
    return found
