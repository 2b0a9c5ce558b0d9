"""
What others wrote and we forward goes out under a sender of ours.

Receivers ask the sender's domain whether we may send for it, and it knows us
not; and what they cannot deliver comes back to whoever forwards.
"""

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from smfd.delivery.relay import RelayDestination
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome
from smfd.policy.srs import SRS, TooLong
from smfd.proto.address import Address, reread
from smfd.store.directory import Directory

#: Where a sender does not fit: nobody's, and still known as a forward's.
_NOBODY = "SRS0=long"


@implementer(IDestination)
@frozen(eq=False)
class Forwarding:
    """
    Stands before the way to the world.

    @ivar hostname: the domain of senders where the forwarding one is gone.
    """

    relay: RelayDestination
    directory: Directory
    srs: SRS
    hostname: str

    @property
    def name(self) -> str:
        """That of the way behind it."""
        return self.relay.name

    def deliver(self, consignments: Sequence[Consignment]) -> Deferred[Any]:
        """See L{IDestination}."""
        return Deferred.fromCoroutine(self._deliver(consignments))

    async def expired(self, c: Consignment, words: str) -> Outcome | None:
        """See L{RelayDestination.expired}."""
        return await self.relay.expired(await self._sent(c), words)

    async def ended(self) -> None:
        """Return when nothing is under way."""
        await self.relay.ended()

    async def _deliver(self, consignments: Sequence[Consignment]) -> Sequence[Outcome]:
        found = [await self._sent(consignment) for consignment in consignments]
        return await self.relay.deliver(found)

    async def _sent(self, c: Consignment) -> Consignment:
        """The same under a sender of ours, if it has another."""
        written = reread(c.sender)
        if not c.sender or await self.directory.is_hosted(written.domain):
            return c
        keeper = c.recipient.keeper
        own = keeper if await self.directory.is_hosted(keeper) else self.hostname
        try:
            # Of one message it is the same at each try: others go by it.
            sender = self.srs.rewrite(written, own, c.received)
        except TooLong:
            sender = Address(_NOBODY, own)
        return evolve(c, sender=str(sender))
