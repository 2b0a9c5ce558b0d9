"""Destinations that are files: batches, one after the other, off the reactor."""

from collections.abc import Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from smfd.delivery.shelving import Shelving
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome
from smfd.store.atomic import make_folders


class Closed(Exception):
    """Asked before the start or after the end; what was asked is still due."""


@implementer(IDestination)
class FileDestination(Service):
    """
    Delivers batches in a thread of its own.

    One thread: batches never overlap, so a folder that one of them makes is
    synced before anything in it is reported.
    """

    def __init__(
        self, name: str, shelving: Shelving, reactor: IReactorFromThreads
    ) -> None:
        self.name = name
        self._shelving = shelving
        self._reactor = reactor
        self._pool: ThreadPool | None = None

    def startService(self) -> None:
        """Make the root folder and start the thread."""
        make_folders(self._shelving.disk, self._shelving.shelf.root)
        self._pool = ThreadPool(0, 1, name=f"delivery-{self.name}")
        self._pool.start()
        super().startService()

    def stopService(self) -> None:
        """Finish the batch in hand."""
        super().stopService()
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    def deliver(
        self, consignments: Sequence[Consignment]
    ) -> "Deferred[Sequence[Outcome]]":
        """Fires when what is done is synced, with one outcome for each."""
        if self._pool is None:
            return fail(Closed(self.name))
        return deferToThreadPool(
            self._reactor, self._pool, self._shelving.deliver, consignments
        )
