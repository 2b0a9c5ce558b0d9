"""The ways to other servers: one that stalls holds up nobody else."""

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smfd.delivery.lanes import Lanes, Remote
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome, Recipient, State
from smfd.model.transaction import Body


@implementer(IDestination)
@define(eq=False)
class Stalled:
    """Takes batches and says nothing until it is told to."""

    name: str = "relay"
    batches: list[Sequence[Consignment]] = field(factory=list)
    waiting: list["Deferred[Sequence[Outcome]]"] = field(factory=list)

    def deliver(
        self, consignments: Sequence[Consignment]
    ) -> "Deferred[Sequence[Outcome]]":
        """Later."""
        self.batches.append(consignments)
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def answer(self) -> None:
        """Everything that was taken is delivered."""
        batches, waiting = self.batches, self.waiting
        self.batches, self.waiting = [], []
        for batch, d in zip(batches, waiting, strict=True):
            d.callback([c.outcome(State.DELIVERED) for c in batch])


def letter(domain: str, octets: int = 0) -> Consignment:
    """One for somebody there."""
    recipient = Recipient(1, f"u@{domain}", "relay")
    return Consignment("a", 0.0, "", Body(octets, b"x" * octets), b"", (), recipient)


class LanesTests(SynchronousTestCase):
    """What may wait in memory for servers that are not ours."""

    def setUp(self) -> None:
        self.clock, self.hop = Clock(), Stalled()

    def lanes(self, **most: int) -> Lanes:
        """All lanes, with so much room."""
        remote = Remote(**most)
        return Lanes([], [self.hop], self.clock, lambda *_: None, 512, 0.1, remote)

    def test_count(self) -> None:
        """So many for one domain, so many for all; the rest waits in the ledger."""
        lanes = self.lanes(size=2, lane=3, all=5)
        taken = {d: [lanes.put(letter(d)) for _ in range(4)] for d in ("a.x", "b.x")}
        self.assertEqual([True, True, True, False], taken["a.x"])
        self.assertEqual([True, True, False, False], taken["b.x"])

    def test_octets(self) -> None:
        """So many octets for all of them, a fourth of them for one."""
        lanes = self.lanes(octets=400)
        domains = ("a.x", "a.x", "b.x", "c.x", "d.x", "e.x")
        taken = [lanes.put(letter(domain, 100)) for domain in domains]
        self.assertEqual([True, False, True, True, True, False], taken)

    def test_room_again(self) -> None:
        """What is delivered makes room again, and all of what it took."""
        lanes = self.lanes(size=2, lane=3, all=5, octets=4000)
        for _ in range(50):
            taken = [lanes.put(letter(d, 100)) for d in ("a.x", "b.x") for _ in "123"]
            self.assertEqual([True] * 5 + [False], taken)
            for _ in range(4):
                self.clock.advance(0.1)
                self.hop.answer()

    def test_idle(self) -> None:
        """Lanes that nothing is on are forgotten: their number is bounded."""
        lanes = self.lanes()
        for n in range(5000):
            self.assertTrue(lanes.put(letter(f"{n}.x")))
            self.clock.advance(0.1)
            self.hop.answer()
        self.assertLessEqual(len(lanes._by_domain), 1000)
