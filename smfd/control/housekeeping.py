"""What is done now and then: what is old goes (S27, S38)."""

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.delivery.retention import Retention
from smfd.store.rounds import Recurring, Rounds
from smfd.store.search import Search

#: Seconds between two rounds.
ROUND = 3600.0

_DAY = 86_400.0


class Housekeeping(Recurring):
    """Deletes records and held mail after the retention, one value for all."""

    _log = Logger()

    def __init__(
        self, retention: Retention, search: Search, clock: IReactorTime, days: int
    ) -> None:
        """
        @param days: how long things are kept.
        """
        self._retention = retention
        self._search = search
        self._clock = clock
        self._kept = days * _DAY
        self.rounds = Rounds(self.round, clock, ROUND, "housekeeping failed")

    async def round(self) -> None:
        """Delete what is old."""
        before = self._clock.seconds() - self._kept
        gone = await self._retention.prune(before)
        await self._search.drop(before)
        self._log.info(
            "housekeeping: {gone.items} held messages, {gone.records} records and"
            " {gone.files} files of no use deleted",
            gone=gone,
        )
