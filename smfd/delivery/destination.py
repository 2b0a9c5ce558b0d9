"""Destinations that are files: batches, one after the other, off the reactor."""

from collections.abc import Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.delivery.shelving import Shelving
from smfd.interfaces import IDestination, IHands
from smfd.model.entry import Consignment, Outcome, State
from smfd.store.atomic import make_folders
from smfd.store.threads import Closed


@implementer(IDestination)
class FileDestination(Service):
    """
    Delivers batches by other hands.

    One pair of hands: batches never overlap, so a folder that one of them
    makes is synced before anything in it is reported.
    """

    _log = Logger()

    def __init__(self, name: str, shelving: Shelving, hands: IHands) -> None:
        self.name = name
        self._shelving = shelving
        self._hands = hands

    def startService(self) -> None:
        """Make the root folder."""
        make_folders(self._shelving.disk, self._shelving.shelf.root)
        super().startService()

    def deliver(
        self, consignments: Sequence[Consignment]
    ) -> "Deferred[Sequence[Outcome]]":
        """Fires when what is done is synced, with one outcome for each."""
        d = self._hands.run(self._shelving.deliver, consignments)
        return d.addCallbacks(self._noted, _ended, errbackArgs=(consignments,))

    def _noted(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        for outcome in outcomes:
            if outcome.state is State.DUE:
                self._log.error(
                    "{id}: not delivered: {why}",
                    id=outcome.entry_id,
                    why=outcome.detail,
                )
            elif outcome.state is State.CORRUPT:
                self._log.critical(
                    "{id}: {why}", id=outcome.entry_id, why=outcome.detail
                )
        return outcomes


def _ended(failure: Failure, consignments: Sequence[Consignment]) -> list[Outcome]:
    """Nobody knows what was done of it; done again, it is harmless."""
    failure.trap(Closed)
    why = failure.getErrorMessage()
    return [c.outcome(State.DUE, why) for c in consignments]
