"""Which sites are remembered, and how much of their mail."""

from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.delivery.known import IDLE, WRONG, Known
from smfd.delivery.load import Load
from smfd.delivery.site import Bounds, Site
from smfd.model.queue import SiteState

NOW = 1_700_000_000.0


@define
class Held:
    """
    The queue, as far as it says who is held.

    @ivar sites: they are.
    """

    sites: set[str] = field(factory=set)

    def holds(self, site: str) -> bool:
        """Whether one is."""
        return site in self.sites


class KnownTests(SynchronousTestCase):
    """The sites of a house that runs for months."""

    def setUp(self) -> None:
        self.clock, self.held = Clock(), Held()
        self.clock.advance(NOW)
        self.known = self.make()

    def make(self, **most: Any) -> Known:
        """With such bounds."""
        queue: Any = self.held
        return Known(queue, self.clock, Bounds(**most))

    def names(self) -> list[str]:
        """Those that are known."""
        return [site.name for site in self.known]

    def site(self, name: str) -> Site:
        """One for which there is room."""
        site = self.known.site(name)
        assert site is not None
        return site

    def test_forgotten(self) -> None:
        """The last thousand without work are remembered; who has some stays."""
        for n in range(IDLE):
            self.known.rest(self.site(f"{n}.x"))
        self.site("0.x").running = 1
        self.known.rest(self.site("1.x"))
        self.assertEqual(IDLE, len(self.names()))
        for n in range(IDLE, IDLE + 2):
            self.known.rest(self.site(f"{n}.x"))
        self.assertEqual(IDLE + 1, len(self.names()))
        self.assertIn("0.x", self.names())
        self.assertIn("1.x", self.names())
        self.assertNotIn("2.x", self.names())

    def test_room(self) -> None:
        """There is room for so many; those with nothing to do now make some."""
        self.known = self.make(sites=2)
        busy, down = self.site("busy.x"), self.site("down.x")
        busy.running = down.running = 1
        self.assertIsNone(self.known.site("new.x"))
        self.assertIs(True, self.known.missed)
        self.assertIs(busy, self.site("busy.x"))
        down.running, down.more, down.next_try = 0, True, NOW + 60
        self.assertIsNone(self.known.site("new.x"))
        self.known.missed = False
        self.assertIsNotNone(self.known.site("new.x"))
        self.assertEqual(["busy.x", "new.x"], self.names())
        self.assertIsNone(self.make().site(""))

    def test_learnt(self) -> None:
        """What the ledger has is believed, but for a time that cannot be."""
        self.held.sites.add("a.x")
        for ahead, next_try in ((WRONG, NOW + WRONG), (WRONG + 1, 0.0)):
            self.known = self.make()
            self.assertTrue(self.site("a.x").held)
            self.known.learn(SiteState("a.x", next_try=NOW + ahead, attempts=3))
            site = self.site("a.x")
            self.assertEqual((next_try, 3), (site.next_try, site.attempts))
        self.held.sites.clear()
        self.known.learn(SiteState("a.x"))
        self.assertFalse(self.site("a.x").held)

    def test_full(self) -> None:
        """One site may have a share of the memory, and all of them all of it."""
        self.known = self.make(share=10, octets=400, window=20)
        for one, whole, full in (
            (Load(None, 9, 99), Load(None, 19, 399), False),
            (Load(None, 10, 0), Load(), True),
            (Load(None, 1, 100), Load(), True),
            (Load(), Load(None, 20, 0), True),
            (Load(), Load(None, 1, 400), True),
        ):
            self.known.load = whole
            self.assertEqual(full, self.known.full(one), (one, whole))
