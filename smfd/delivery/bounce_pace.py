"""How many reports one sender gets."""

from collections import OrderedDict
from sqlite3 import Connection

from attrs import define, field

from smfd.store.ledger import Ledger
from smfd.store.ledger_jobs import Sheet
from smfd.store.ledger_notices import REMEMBERED, reported_to


@define
class Pace:
    """
    So many within an hour, for each sender: exactly so many, over any restart.

    The ledger counts a report in the transaction that makes it ours.

    @ivar senders: of how many it is known that they had enough; those heard of
        longest ago are asked for again.
    """

    ledger: Ledger
    most: int
    senders: int = 10_000
    _ends: OrderedDict[str, float] = field(factory=OrderedDict)

    async def left(self, sender: str, now: float) -> int:
        """How many more he may have now."""
        sender = sender.lower()
        # A clock that was set back has nobody wait for longer than before.
        if now < self._ends.get(sender, 0.0) <= now + REMEMBERED:
            return 0

        def ask(connection: Connection, _: Sheet) -> list[float]:
            return reported_to(connection, sender, now, self.most)

        times = await self.ledger.ask(ask)
        if len(times) >= self.most:
            self._enough(sender, min(times) + REMEMBERED)
        return self.most - len(times)

    def _enough(self, sender: str, until: float) -> None:
        self._ends[sender] = until
        self._ends.move_to_end(sender)
        if len(self._ends) > self.senders:
            self._ends.popitem(last=False)
