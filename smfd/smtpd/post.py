"""What all connections of one role share, and what we say when we fail them."""

from collections.abc import Callable

from attrs import frozen
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime

from smfd.interfaces import IDoor
from smfd.proto.extension import Offer
from smfd.proto.limits import Budget, Limits
from smfd.proto.reply import reply

FAULT = reply(451, "4.3.0", "Local error, try again later")
FAULT_AT_ONCE = reply(421, "4.3.0", "Local error, try again later", closes=True)
FULL = reply(452, "4.3.1", "Too many messages at once, try again later")
TOO_SLOW = reply(421, "4.4.2", "Timeout, closing the connection", closes=True)

#: Seconds a client has to take the last reply and go.
LINGER = 10.0


@frozen
class Post:
    """
    What all connections of one role share.

    @ivar ids: makes the ids of sessions and of envelopes.
    @ivar tls: what STARTTLS starts, or None.
    @ivar budget: octets of messages in memory, over all connections.
    """

    door: IDoor
    limits: Limits
    offer: Offer
    clock: IReactorTime
    ids: Callable[[], str]
    tls: IOpenSSLServerConnectionCreator | None
    budget: Budget

    @property
    def beat(self) -> float:
        """Seconds; no deadline is nearer than this when it is set."""
        limits = self.limits
        return min(
            limits.command_timeout, limits.data_timeout, limits.message_timeout, LINGER
        )
