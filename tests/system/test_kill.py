"""kill -9 between the dot and the end (R1): a sample of all points."""

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import House
from tests.system.kill_points import SHAPES, USERS, Trial, attach


class KillTests(SynchronousTestCase):
    """Acknowledged is kept, whatever the moment."""

    def test_sample(self) -> None:
        """Nothing is lost, nothing is partial, nothing is there twice."""
        trial = Trial(House(USERS))
        self.addCleanup(trial.house.remove)
        for shape, call, number in (
            (SHAPES[0], "sendto", 1),
            (SHAPES[0], "pwrite64", 1),
            (SHAPES[0], "pwrite64", 3),
            (SHAPES[0], "fdatasync", 1),
            (SHAPES[0], "openat", 1),
            (SHAPES[2], "write", 3),
            (SHAPES[2], "fdatasync", 1),
            (SHAPES[2], "unlink", 1),
        ):
            trial.point(shape, call, number)
        for shape, call, number in (
            (SHAPES[0], "openat", 1),
            (SHAPES[0], "rename", 1),
            (SHAPES[0], "writev", 1),
            (SHAPES[0], "fsync", 1),
            (SHAPES[0], "sendto", 1),
            (SHAPES[1], "openat", 2),
            (SHAPES[1], "rename", 2),
            (SHAPES[2], "copy_file_range", 1),
            (SHAPES[3], "openat", 1),
            (SHAPES[3], "rename", 1),
        ):
            trial.point(shape, call, number, annex=True)
        # One whole message at the end: it still works.
        trial.point(SHAPES[0], "rename", 10_000, annex=True)
        tally = trial.settle()
        self.assertEqual((0, 0, 0), (tally.lost, tally.partial, tally.doubled))
        self.assertGreaterEqual(sum(tally.points.values()), 12)
        self.assertGreaterEqual(tally.acknowledged, 1)

    def test_slow_disk(self) -> None:
        """
        However long the disk takes, the 250 comes after it.

        Every write of the databases waits a while; the daemon is killed the
        moment the client has its answer.  A reply that did not wait for the
        commit is a lost message here, every time.
        """
        trial = Trial(House(USERS))
        self.addCleanup(trial.house.remove)
        trial.house.start()
        tracer = attach(trial.house.pid, "pwrite64", "delay_enter=150000")
        acknowledged = trial.send(SHAPES[0], "slow")
        trial.house.kill()
        tracer.wait(10)
        self.assertTrue(acknowledged)
        trial.sent["slow"] = (SHAPES[0], True)
        tally = trial.settle()
        self.assertEqual((0, 0, 0), (tally.lost, tally.partial, tally.doubled))
