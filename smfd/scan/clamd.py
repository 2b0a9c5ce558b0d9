"""The scanner behind the virus stage, when there is a clamd."""

import time
from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from smfd.interfaces import IHands
from smfd.model.transaction import Body
from smfd.net.clamd import Clamds, Clock, CouldNotScan, address
from smfd.store.threads import Closed


class Clamd:
    """
    Scans through the first clamd that can, by other hands.

    When all are busy a scan waits, and its deadline counts the wait.
    """

    def __init__(
        self,
        hands: IHands,
        addresses: Iterable[str],
        deadline: float = 30.0,
        chunk: int = 131_072,
        clock: Clock = time.monotonic,
    ) -> None:
        """
        @param addresses: C{unix:/path}, C{tcp:host:port}; tried in order.
        @param deadline: seconds for a scan, over all addresses.
        @param chunk: octets sent at once.
        @param clock: the same here and where the hands are.
        """
        self._hands = hands
        self._clamds = Clamds(tuple(map(address, addresses)), chunk, clock)
        self._deadline = deadline

    def scan(self, body: Body) -> Deferred[str]:
        """
        Have a message scanned.

        Fires with the name of what was found, or "" when it is clean; fails
        with L{CouldNotScan}.
        """
        until = self._clamds.clock() + self._deadline
        d: Deferred[str] = self._hands.run(self._clamds.scan, body, until)
        return d.addErrback(_nobody)


def _nobody(failure: Failure) -> str:
    failure.trap(Closed)
    raise CouldNotScan(failure.getErrorMessage())
