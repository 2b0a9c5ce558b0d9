"""Where the owners of accounts logged in, so that a restart makes none a stranger."""

from attrs import define

from smfd.store.history import Shelf

_DAY = 86400.0


@define
class Homes:
    """
    The places that an owner was right from; kept by
    L{smfd.store.history_file.HistoryFile}.

    @ivar kept: seconds that a place is remembered for.
    """

    shelf: Shelf
    kept: float = 60 * _DAY

    def has(self, account: str, place: str, now: float) -> bool:
        """Whether the owner was there lately."""
        row = self.shelf.rows.get(f"{account} {place}")
        return row is not None and now - row[0] < self.kept

    def keep(self, account: str, place: str, now: float) -> None:
        """The owner is there; written once a day, whoever comes for each message."""
        row = self.shelf.rows.get(f"{account} {place}")
        if row is None or not 0 <= now - row[0] < _DAY:
            self.shelf.put(f"{account} {place}", (now,))
