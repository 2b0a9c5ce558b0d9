"""The way to one destination."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smfd.delivery.lane import OCTETS, Lane
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome, Recipient, State
from smfd.model.transaction import Body


@implementer(IDestination)
class Shelf:
    """Takes everything."""

    name = "shelf"

    def deliver(
        self, consignments: Sequence[Consignment]
    ) -> Deferred[Sequence[Outcome]]:
        """Done."""
        return succeed([c.outcome(State.HELD) for c in consignments])


class LaneTests(SynchronousTestCase):
    """Batches, one after the other, whatever breaks."""

    def test_fault_in_the_report(self) -> None:
        """When one batch cannot be reported, the next is delivered all the same."""
        clock, reported = Clock(), []

        def done(batch: Sequence[Consignment], outcomes: Sequence[Outcome]) -> None:
            reported.append(batch[0].entry_id)
            if len(reported) == 1:
                raise RuntimeError("nobody foresaw this")

        lane = Lane(Shelf(), clock, done, size=1, delay=0.1)
        recipient = Recipient(1, "bob@example.test", "shelf")
        for name in "ab":
            lane.put(Consignment(name, 0.0, "", Body(0, b""), b"", (), recipient))
        clock.advance(1)
        self.assertEqual(["a", "b"], reported)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))
        self.successResultOf(lane.close())

    def test_octets(self) -> None:
        """A batch has so many octets of bodies at most, and one message at least."""
        clock, batches = Clock(), list[list[str]]()

        def done(batch: Sequence[Consignment], outcomes: Sequence[Outcome]) -> None:
            batches.append([consignment.entry_id for consignment in batch])

        lane = Lane(Shelf(), clock, done, size=3, delay=0.1)
        recipient = Recipient(1, "bob@example.test", "shelf")
        for name, share in zip("abcdefg", (3, 1, 9, 2, 1, 1, 1), strict=True):
            body = Body(0, b"x" * (OCTETS * share // 4))
            lane.put(Consignment(name, 0.0, "", body, b"", (), recipient))
        clock.pump([0.1] * 8)
        self.assertEqual([["a", "b"], ["c"], ["d", "e", "f"], ["g"]], batches)
