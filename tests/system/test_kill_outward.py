"""kill -9 while mail leaves for the world (R10, R11): samples of what benchmarks do."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.system.kill_loop import Loop
from tests.system.kill_outward import SHAPES, Point, Trial
from tests.system.outward import Account, Outward
from tests.system.strangers import ByChance, ByDomain, Manners


class KillOutwardTests(SynchronousTestCase):
    """What users sent arrives, or they are told; whatever the moment."""

    def outward(self, manners: Manners) -> Outward:
        """A house, and strangers of such manners."""
        outward = Outward.made(manners)
        self.addCleanup(outward.remove)
        return outward

    def assertWhole(self, account: Account) -> None:
        """Nothing is lost, cut or told twice, or sent twice without a window."""
        self.assertEqual({}, account.faults, account)
        self.assertGreaterEqual(account.reported, 1)
        self.assertGreaterEqual(account.acknowledged, 3)

    def test_points(self) -> None:
        """At a system call: put off, half refused, hung up on, or reported."""
        trial = Trial(self.outward(ByDomain()))
        shapes = {shape.domain: shape for shape in SHAPES}
        for domain, point in (
            ("once", Point("fdatasync", 1, ledger=True)),
            ("later", Point("fdatasync", 2, ledger=True)),
            ("some", Point("fdatasync", 2, ledger=True)),
            # The refusal is noted, and the report is.
            ("refused", Point("fdatasync", 2, ledger=True)),
            ("refused", Point("fdatasync", 3, ledger=True)),
            # Nobody is killed; it is hung up on, and sent again.
            ("hangs", Point("mkdir", 10_000)),
        ):
            trial.point(shapes[domain], point)
        self.assertWhole(trial.outward.settle())
        self.assertEqual(5, trial.points.total())

    def test_random(self) -> None:
        """At any moment, while six users send to strangers who put off and refuse."""
        outward = self.outward(ByChance(Random(7), hangs=0.1))
        loop = Loop(outward, sessions=6, life=1.5, least=40, seed=7)
        loop.run(3)
        self.assertWhole(loop.outward.settle())
