"""Tests for L{smfd.store.stops}: what a hold finds on its way in."""

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.entry import Entry, Recipient
from smfd.store.stops import Stops
from tests.store.making import held, mailbox, make_entry, remote

ANN = "ann@home.example"


class StopsTests(SynchronousTestCase):
    """A stop is for what came before it."""

    def setUp(self) -> None:
        """Somebody is stopped at 100 seconds."""
        self.clock = Clock()
        self.clock.advance(100)
        self.stops = Stops(self.clock.seconds)
        self.stops.stop(ANN)

    def entry(self, *to: Recipient, received: float = 99.0) -> Entry:
        """A message of hers."""
        entry = make_entry(recipients=to or (remote(1),), when=received)
        return evolve(entry, account=ANN)

    def test_before(self) -> None:
        """What came before goes no further, to us or to others."""
        for one in self.entry(), self.entry(mailbox(1)), self.entry(held(1), remote(2)):
            self.assertTrue(self.stops.holds(one))

    def test_others(self) -> None:
        """Nobody else is stopped, nor what nobody handed in."""
        for account in "", "bob@home.example":
            self.assertFalse(self.stops.holds(evolve(self.entry(), account=account)))

    def test_later(self) -> None:
        """What came later was judged by who knew; a release of hers is so, too."""
        self.assertFalse(self.stops.holds(self.entry(received=100.1)))

    def test_held(self) -> None:
        """What is held already goes to the quarantine, where people look."""
        self.assertFalse(self.stops.holds(self.entry(held(1), held(2))))

    def test_freed(self) -> None:
        """It ends; to end it twice does no harm."""
        for _ in range(2):
            self.stops.free(ANN)
            self.assertFalse(self.stops.holds(self.entry()))
