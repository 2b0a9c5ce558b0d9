"""Files that nothing due or held is kept in any more."""

from collections.abc import Sequence

from attrs import frozen
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.delivery.quarantine import QuarantineDestination
from smfd.store.spool import Spool
from smfd.store.threads import Closed


@frozen
class Leftovers:
    """
    Removes files that the ledger has freed, each through its owner.

    One that is not removed because we end first is garbage by definition: the
    spool's sweep at the start, or the retention, takes it away.
    """

    spool: Spool
    quarantine: QuarantineDestination

    _log = Logger()

    def __call__(self, paths: Sequence[str]) -> None:
        """Remove them, in the background."""
        for path in paths:
            if self.quarantine.shelf.owns(path):
                self.quarantine.remove(path).addErrback(self._failed, path)
            else:
                self.spool.discard_file(path)

    def _failed(self, failure: Failure, path: str) -> None:
        if failure.check(Closed) is None:
            self._log.failure("cannot remove {path}", failure, path=path)
