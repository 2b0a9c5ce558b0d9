"""Mail that people really sent, through a running server: a sample of it."""

from twisted.trial.unittest import SynchronousTestCase

from tests.system.corpora import ALLOWS, BLOCKS, NEUTRAL, SETTINGS, samples, send
from tests.system.house import House

#: C{python -m benchmarks.corpora} takes all of them.
EVERY = 23


class CorporaTests(SynchronousTestCase):
    """Nothing real mail has in it may lose it, double it or break us."""

    def test_sample(self) -> None:
        """
        Accepted is delivered or quarantined, for each recipient, and what is
        refused is refused for a reason.
        """
        house = House((NEUTRAL, ALLOWS, BLOCKS), SETTINGS)
        self.addCleanup(house.remove)
        house.start()
        account = send(house, samples(EVERY))
        refused = sum(len(names) for names in account.refused.values())
        self.assertGreater(account.sent, 480)
        self.assertEqual(account.sent, account.load.accepted + refused)
        self.assertEqual(account.copies, account.delivered + account.quarantined)
        self.assertEqual(0, account.difference)
        self.assertEqual(
            [],
            [reply for reply in account.refused if not reply.startswith("550 5.5.2")],
        )
        self.assertEqual(0, account.load.broken)
        self.assertEqual(0, account.tracebacks)
        # Much spam is held and hardly any ham, or something is not at work.
        for kind, least, most in (("ham", 0.0, 0.03), ("spam", 0.6, 1.0)):
            rows = [row for (_, k), row in account.judged.items() if k == kind]
            held = sum(row.total() - row["clean"] for row in rows)
            share = held / sum(row.total() for row in rows)
            self.assertTrue(least <= share <= most, f"{kind}: {share:.1%} held")
