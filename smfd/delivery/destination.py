"""Destinations that are files: batches, one after the other, off the reactor."""

from collections.abc import Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from zope.interface import implementer

from smfd.delivery.shelving import Shelving
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome
from smfd.store.atomic import make_folders
from smfd.store.threads import Threads


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
        self._threads = Threads(reactor, f"delivery-{name}")

    def startService(self) -> None:
        """Make the root folder and start the thread."""
        make_folders(self._shelving.disk, self._shelving.shelf.root)
        self._threads.start()
        super().startService()

    def stopService(self) -> None:
        """Finish the batch in hand."""
        super().stopService()
        self._threads.stop()

    def deliver(
        self, consignments: Sequence[Consignment]
    ) -> "Deferred[Sequence[Outcome]]":
        """Fires when what is done is synced, with one outcome for each."""
        return self._threads.run(self._shelving.deliver, consignments)
