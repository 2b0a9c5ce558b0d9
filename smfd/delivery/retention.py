"""What is old goes: held messages first, then their records, then files."""

from attrs import frozen
from twisted.internet.defer import Deferred

from smfd.delivery.quarantine import QuarantineDestination
from smfd.store.ledger import Ledger
from smfd.store.ledger_prune import expire_held, prune


@frozen
class Gone:
    """How many held items, records and quarantine files were deleted."""

    items: int
    records: int
    files: int


@frozen
class Retention:
    """Forgets what has been kept long enough; what is due or held stays."""

    ledger: Ledger
    quarantine: QuarantineDestination

    def prune(self, before: float) -> Deferred[Gone]:
        """Delete everything from before a time, seconds since the epoch."""
        return Deferred.fromCoroutine(self._prune(before))

    async def _prune(self, before: float) -> Gone:
        items = await expire_held(self.ledger, before)
        records = await prune(self.ledger, before)
        # A held message on its way out is a body, not garbage.
        wanted = await self.ledger.bodies()
        files = await self.quarantine.prune(before, wanted)
        return Gone(items, records, files)
