"""
Near our limits: who is slow makes room for who is not.

Connections or memory run short; clients then have less time and fewer tries,
and those that are connected already have no more than that left.
"""

from collections.abc import Callable

from attrs import define, evolve, field, frozen
from twisted.logger import Logger

from smfd.proto.limits import Budget, Limits
from smfd.smtpd.connections import Connections

#: It ends when the use falls below this part of where it begins.
_RELIEF = 0.875


@frozen
class StressLimits:
    """
    When it begins, and what changes.

    @ivar mode: "auto", "always" or "never".
    @ivar capacity: connections there may be.
    @ivar share: the part of connections, or of memory, in use at which it
        begins.
    @ivar timeout: seconds for a command, or between two reads of a message.
    @ivar errors: mistakes of a connection.
    """

    mode: str = "auto"
    capacity: int = 3000
    share: float = 0.8
    timeout: float = 10.0
    errors: int = 1


@define(eq=False)
class Stress:
    """
    Whether we are near our limits.

    @ivar connections: those that are open now.
    @ivar budget: octets of messages in memory.
    @ivar usual: the limits of a client else.
    @ivar hurry: called when it begins, with the seconds a client has then.
    @ivar on: it is so.
    @ivar times: how often it began.
    @ivar limits: what a client has now.
    """

    connections: Connections
    budget: Budget
    usual: Limits
    when: StressLimits
    hurry: Callable[[float], None]
    on: bool = field(default=False, init=False)
    times: int = field(default=0, init=False)
    limits: Limits = field(init=False)
    _strict: Limits = field(init=False)

    _log = Logger()

    @limits.default
    def _at_first(self) -> Limits:
        return self.usual

    @_strict.default
    def _stricter(self) -> Limits:
        usual, most = self.usual, self.when.timeout
        return evolve(
            usual,
            command_timeout=min(usual.command_timeout, most),
            data_timeout=min(usual.data_timeout, most),
            handshake_timeout=min(usual.handshake_timeout, most),
            data_grace=min(usual.data_grace, most),
            errors=min(usual.errors, self.when.errors),
        )

    def __attrs_post_init__(self) -> None:
        # Told to be under stress it is so for the first who comes, too.
        self.look()

    @property
    def connected(self) -> int:
        """How many connections there are."""
        return len(self.connections)

    def look(self) -> None:
        """See how it stands: somebody came or went, or begins a message."""
        part = self.when.share * (_RELIEF if self.on else 1.0)
        near = self.when.mode == "always" or (
            self.when.mode == "auto"
            and (
                len(self.connections) > self.when.capacity * part
                or self.budget.taken > self.budget.octets * part
            )
        )
        if near is not self.on:
            self._turn(near)

    def _turn(self, near: bool) -> None:
        self.on = near
        self.limits = self._strict if near else self.usual
        if near:
            self.times += 1
            self.hurry(self.when.timeout)
        self._log.warn(
            "stress {what}: {count} of {capacity} connections, {taken} of {octets}"
            " octets of messages in memory",
            what="begins" if near else "ends",
            count=len(self.connections),
            capacity=self.when.capacity,
            taken=self.budget.taken,
            octets=self.budget.octets,
        )
