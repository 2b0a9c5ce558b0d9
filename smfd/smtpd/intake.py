"""
The body of a message on its way in, as one connection sees it.

It is given to the door whole or given up; nothing is left behind.
"""

from attrs import define
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from smfd.interfaces import IIncoming
from smfd.model.transaction import Body
from smfd.proto.limits import Budget


@define
class Intake:
    """
    What one connection holds of a message.

    @ivar budget: shared by all connections.
    """

    budget: Budget
    _incoming: IIncoming | None = None
    _charged: int = 0

    _log = Logger()

    @property
    def open(self) -> bool:
        """Whether a body is on its way."""
        return self._incoming is not None

    def reserve(self, octets: int) -> bool:
        """Ask for memory; whether there was some."""
        if not self.budget.take(octets):
            return False
        self._charged += octets
        return True

    def begin(self, incoming: IIncoming) -> None:
        """Here the body goes."""
        self._incoming = incoming

    def write(self, octets: bytes) -> Deferred[None] | None:
        """Put some there; see L{IIncoming}.  It fails, but does not raise."""
        assert self._incoming is not None
        try:
            return self._incoming.write(octets)
        except Exception:
            return fail()

    def finish(self) -> Body | Deferred[Body]:
        """It is whole."""
        assert self._incoming is not None
        body: Body | Deferred[Body] = self._incoming.finish()
        return body

    def hand_over(self) -> None:
        """The body is the door's now; its memory is ours until it answers."""
        self._incoming = None

    def drop(self) -> None:
        """There is no body any more, or it is somebody else's."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            try:
                incoming.abandon()
            except Exception:
                self._log.failure("a body could not be abandoned")
        if self._charged:
            self.budget.give_back(self._charged)
            self._charged = 0
