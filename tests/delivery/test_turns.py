"""Sites take turns, and none has more than its share."""

from twisted.trial.unittest import SynchronousTestCase

from smfd.delivery.load import Load
from smfd.delivery.site import Bounds, Pace, Site
from smfd.delivery.turns import Turns
from tests.store.making import make_entry


def ready(name: str, pace: Pace, limit: int = 20) -> Site:
    """A site that never runs out of mail."""
    return Site(name, Load(), more=True, pace=pace, limit=limit)


class TurnsTests(SynchronousTestCase):
    """Who gets a connection."""

    def begin(self, turns: Turns, sites: list[Site]) -> list[str]:
        """As many batches as there is room for, each site coming back at once."""
        found = []
        for site in sites:
            turns.add(site)
        while (begun := turns.begin(0.0)) is not None:
            found.append(begun.site.name)
            turns.add(begun.site)
        return found

    def test_in_turn(self) -> None:
        """Nobody has a second batch before all have one."""
        sites = [ready(str(n), Pace.QUICK) for n in range(5)]
        found = self.begin(Turns(Bounds(connections=20)), sites)
        self.assertEqual(list("01234" * 3), found)

    def test_shares(self) -> None:
        """Slow sites have a fourth at most, new ones a half, quick ones the rest."""
        for pace, most in ((Pace.SLOW, 25), (Pace.FRESH, 50), (Pace.QUICK, 75)):
            sites = [ready(str(n), pace) for n in range(100)]
            self.assertEqual(most, len(self.begin(Turns(Bounds(100)), sites)))

    def test_all_paces(self) -> None:
        """Each pace goes on while the others have work without end."""
        sites = [ready(f"{pace.name}{n}", pace) for pace in Pace for n in range(100)]
        found = self.begin(Turns(Bounds(100)), sites)
        self.assertEqual(100, len(found))
        for pace in Pace:
            count = sum(name.startswith(pace.name) for name in found)
            self.assertGreaterEqual(count, 20, pace)

    def test_the_fewer_are_left(self) -> None:
        """The fewer connections are left, the fewer has one site."""
        sites = [ready(str(n), Pace.QUICK) for n in range(3)]
        found = self.begin(Turns(Bounds(connections=20, per_site=20)), sites)
        self.assertEqual(15, len(found))
        alone = self.begin(Turns(Bounds(20, 20)), [ready("a", Pace.QUICK)])
        self.assertEqual(10, len(alone))

    def test_new_mail(self) -> None:
        """Who has new mail does not wait behind a thousand who have old."""
        sites = [ready(str(n), Pace.QUICK) for n in range(1000)]
        turns, urgent = Turns(Bounds(100)), ready("new", Pace.QUICK)
        for site in sites:
            turns.add(site)
        for n in range(20):
            turns.begin(0.0)
            if n == 10:
                urgent.put(make_entry().consignments()[0])
                turns.add(urgent)
        self.assertEqual(1, urgent.running)

    def test_once(self) -> None:
        """However often it is said that a site has work, it waits for one turn."""
        for more in (True, False):
            turns = Turns(Bounds(100))
            for name in "ab":
                site = Site(name, Load(), more=more)
                if not more:
                    site.put(make_entry().consignments()[0])
                for _ in range(3):
                    turns.add(site)
            found = [turns.begin(0.0) for _ in range(3)]
            self.assertEqual(["a", "b"], [turn.site.name for turn in found if turn])

    def test_down(self) -> None:
        """A site that was down has one connection until it takes mail."""
        site = ready("a", Pace.SLOW)
        site.attempts = 1
        self.assertEqual(["a"], self.begin(Turns(Bounds(100)), [site]))

    def test_one_per_site(self) -> None:
        """The setting binds, whatever the site has earned."""
        sites = [ready("a", Pace.QUICK), ready("b", Pace.QUICK)]
        found = self.begin(Turns(Bounds(connections=100, per_site=3)), sites)
        self.assertEqual(6, len(found))

    def test_done(self) -> None:
        """Who is done makes room, for whoever may go then at his pace of then."""
        turns = Turns(Bounds(connections=4))
        first, second = ready("a", Pace.SLOW), ready("b", Pace.SLOW)
        turns.add(first)
        turns.add(second)
        turn = turns.begin(0.0)
        assert turn is not None
        self.assertIsNone(turns.begin(0.0))
        turns.end(turn)
        self.assertEqual((0, 0), (turns.running, first.running))
        second.next_try = 9.0
        self.assertTrue(turns.waiting)
        self.assertIsNone(turns.begin(8.0))
        self.assertFalse(turns.waiting)
        turns.add(second)
        second.pace = Pace.QUICK
        found = [turns.begin(9.0), turns.begin(9.0)]
        self.assertEqual([second], [turn.site for turn in found if turn])
