"""Accounts whose mail stopped: what of it is on its way in stops with the rest."""

from collections.abc import Callable

from attrs import define, field

from smfd.model.entry import Entry

#: What is kept in the quarantine is stopped already.
_KEPT = "quarantine"


@define(eq=False)
class Stops:
    """
    Since when accounts are stopped, by their names.

    A message that is judged just then knows nothing of it, and is committed
    behind it.  What comes later is judged by those who stopped the account;
    so nothing here has to outlive us, and what is left over harms nobody.

    @ivar now: the time by which entries are received.
    """

    now: Callable[[], float]
    _since: dict[str, float] = field(factory=dict, init=False)

    def stop(self, account: str) -> None:
        """What it sent until now goes no further."""
        self._since[account] = self.now()

    def free(self, account: str) -> None:
        """It goes on."""
        self._since.pop(account, None)

    def holds(self, entry: Entry) -> bool:
        """Whether an entry goes no further."""
        since = self._since.get(entry.account)
        return (
            since is not None
            and entry.received <= since
            and any(to.destination != _KEPT for to in entry.recipients)
        )
