"""kill -9 between the dot and the end (R1): a sample of all points."""

from threading import Event

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import PATIENCE, House
from tests.system.kill_points import SHAPES, USERS, Trial, attach


class KillTests(SynchronousTestCase):
    """Acknowledged is kept, whatever the moment."""

    def test_sample(self) -> None:
        """Nothing is lost, nothing is partial, nothing is there twice."""
        trial = Trial(House(USERS))
        self.addCleanup(trial.remove)
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
        self.addCleanup(trial.remove)
        trial.house.start()
        tracer = attach(trial.house.pid, "pwrite64", "delay_enter=150000")
        acknowledged = trial.send(SHAPES[0], "slow")
        trial.house.kill()
        tracer.wait(10)
        self.assertTrue(acknowledged)
        trial.sent["slow"] = (SHAPES[0], True)
        tally = trial.settle()
        self.assertEqual((0, 0, 0), (tally.lost, tally.partial, tally.doubled))

    def test_relayed(self) -> None:
        """Killed while mail goes on: another server has all of it."""
        trial = Trial(House(USERS))
        self.addCleanup(trial.remove)
        shapes = {shape.name: shape for shape in SHAPES}
        relayed, both = shapes["relayed"], shapes["delivered and relayed"]
        for shape, call, number in (
            (relayed, "sendto", 18),
            (relayed, "sendto", 21),
            (relayed, "pwrite64", 18),
            (relayed, "pwrite64", 21),
            (relayed, "fdatasync", 2),
            (both, "sendto", 20),
            (both, "pwrite64", 22),
        ):
            trial.point(shape, call, number)
        trial.point(relayed, "rename", 10_000)
        tally = trial.settle()
        self.assertEqual((0, 0, 0), (tally.lost, tally.partial, tally.doubled))
        self.assertLessEqual(tally.again, sum(tally.points.values()))
        self.assertGreaterEqual(sum(tally.points.values()), 4)

    def test_window(self) -> None:
        """
        SMTP cannot ask what became of a message (RFC 1047): killed before the
        250 of another server reaches us, we send it once more, and only then.
        """
        trial = Trial(House(USERS))
        self.addCleanup(trial.remove)
        dead = Event()

        def taken(message: bytes) -> None:
            trial.taken(message)
            if not dead.is_set():
                trial.house.kill()
                dead.set()

        trial.hop.taken = taken
        shapes = {shape.name: shape for shape in SHAPES}
        for name in ("relayed", "to the world"):
            dead.clear()
            for word in ("window", "after"):
                trial.serve()
                word = f"{word}-{name.replace(' ', '-')}"
                trial.sent[word] = (shapes[name], trial.send(shapes[name], word))
                self.assertTrue(dead.wait(PATIENCE))
            house = trial.house
            house.until(lambda house=house: house.rests)
        tally = trial.settle()
        self.assertEqual((0, 0, 0), (tally.lost, tally.partial, tally.doubled))
        self.assertEqual(4, tally.acknowledged)
        self.assertEqual(2, tally.again)
