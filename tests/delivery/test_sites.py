"""Mail for other servers: a site that is down holds up nobody else (R87, R11)."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from smfd.config.queue import Queue
from smfd.config.schema import Config
from smfd.delivery.ageing import pauses
from smfd.delivery.opinion import patience
from smfd.delivery.site import Bounds
from smfd.model.entry import Consignment, Entry, Outcome, State
from smfd.model.queue import EVERY, Choice
from smfd.store.ledger import NoSpace
from smfd.store.ledger_sites import Share
from tests.delivery.simulated import BEGIN, Script, World, dead, seeds, taken
from tests.store.making import make_entry, remote

HOUR = 3600.0


def letters(count: int, site: str) -> list[Entry]:
    """So many messages to one site, one each millisecond."""
    to = [remote(1, f"u@{site}")]
    return [make_entry(b"x", to, when=BEGIN + n / 1000) for n in range(count)]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that such a share of all is not above."""
    return sorted(values)[int(len(values) * share)]


class WorldCase(SynchronousTestCase):
    """A house, other servers, and time."""

    def world(self, **most: Any) -> World:
        """With such bounds."""
        world = World(Path(self.mktemp()), Bounds(**most))
        self.addCleanup(world.ledger.stopService)
        return world

    def wait_of_live(self, world: World, sites: Sequence[str], rounds: int) -> float:
        """What 95 of 100 wait at most who write to sites that are there."""
        sent: dict[str, float] = {}
        for _ in range(rounds):
            for site in sites:
                sent[world.send(f"u@{site}").id] = world.clock.seconds()
            world.run(10)
        world.run(60)
        return percentile([world.had[i, 1][0] - t for i, t in sent.items()], 0.95)


class DeadTests(WorldCase):
    """Servers that are not there."""

    def test_one_dead(self) -> None:
        """10,000 messages for a dead site delay nobody, and it is left alone."""
        world = self.world()
        world.scripts["dead.x"] = dead(30)
        for n in range(0, 10_000, 500):
            world.commit(letters(500, "dead.x"), take=n % 1000 > 0)
        live = [f"{n}.live" for n in range(100)]
        self.assertLess(self.wait_of_live(world, live, 5), 1.0)
        self.assertLessEqual(world.most["dead.x"], 20)
        world.run(24 * HOUR)
        tries = world.tries["dead.x"]
        gaps = [b - a for a, b in zip(tries[4:], tries[5:], strict=False)]
        self.assertGreater(min(gaps), 270)
        self.assertLess(max(gaps), 4 * HOUR * 1.1 + 60)
        self.assertLess(len(tries), 20)
        self.assertEqual(0, world.runner.backlog)
        untouched = world.ledger.connection.execute(
            "SELECT count(*) FROM recipients WHERE site = 'dead.x' AND attempts = 0"
            " AND state = 'due' AND next_try = 0"
        )
        self.assertEqual((10_000,), untouched.fetchone())

    def test_comes_back(self) -> None:
        """One batch tries; when somebody is there again all goes, once."""
        world = self.world()
        world.scripts["dead.x"] = dead(30)
        sent = letters(2000, "dead.x")
        world.commit(sent)
        world.run(HOUR)
        del world.scripts["dead.x"]
        world.most.clear()
        before = len(world.tries["dead.x"])
        world.run(2 * HOUR)
        self.assertEqual({"delivered": 2000}, world.states())
        self.assertEqual({1}, {len(times) for times in world.had.values()})
        probe, then = world.tries["dead.x"][before : before + 2]
        self.assertGreaterEqual(then - probe, 0.1)
        self.assertLessEqual(world.most["dead.x"], 20)
        kept = world.ledger.connection.execute("SELECT count(*) FROM sites")
        self.assertEqual((0,), kept.fetchone())

    def test_many_that_hang(self) -> None:
        """3,000 sites that let us hang leave connections for those who do not."""
        world = self.world()
        live = [f"{n}.live" for n in range(20)]
        self.wait_of_live(world, live, 1)
        hanging = [f"{n}.dead" for n in range(3000)]
        world.scripts = dict.fromkeys(hanging, dead(30))
        world.commit([letters(1, site)[0] for site in hanging])
        self.assertLess(self.wait_of_live(world, live, 10), 1.0)
        world.run(HOUR)
        self.assertLess(self.wait_of_live(world, live, 10), 1.0)
        self.assertLessEqual(world.most[""], 200)

    def test_many_that_are_slow(self) -> None:
        """Large sites that take their time leave connections for others."""
        world = self.world()
        slow = [f"{n}.slow" for n in range(40)]

        def tarpit(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
            return 300, taken(batch)[1]

        world.scripts = dict.fromkeys(slow, tarpit)
        for site in slow:
            world.commit(letters(200, site))
        live = [f"{n}.live" for n in range(20)]
        self.assertLess(self.wait_of_live(world, live, 30), 1.0)

    def test_known_after_a_restart(self) -> None:
        """A site that was down is left alone after a restart, too."""
        world = self.world()
        world.scripts["dead.x"] = dead(1)
        world.commit(letters(5, "dead.x"))
        world.run(3 * HOUR)
        last = world.tries["dead.x"][-1]
        world.kill()
        world.begin()
        world.commit(letters(5, "dead.x"))
        world.run(60)
        self.assertEqual(last, world.tries["dead.x"][-1])
        world.run(5 * HOUR)
        self.assertGreater(world.tries["dead.x"][-1], last + HOUR)
        world.kill()
        world.begin()
        del world.scripts["dead.x"]
        world.run(5 * HOUR)
        self.assertEqual({"delivered": 10}, world.states())
        kept = world.ledger.connection.execute("SELECT count(*) FROM sites")
        self.assertEqual((0,), kept.fetchone())

    def test_hangs_up(self) -> None:
        """A server that hangs up after some messages gets the rest bit by bit."""
        world = self.world()

        def some(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
            half = len(batch) // 2 + 1
            return 0.1, taken(batch[:half])[1] + dead(0)(batch[half:])[1]

        world.scripts["some.x"] = some
        world.commit(letters(500, "some.x"))
        world.run(120)
        self.assertEqual({"delivered": 500}, world.states())
        self.assertLessEqual(world.most["some.x"], 2)

    def test_paced(self) -> None:
        """Who wants few messages a minute gets few; what waits is not touched."""
        world = self.world()
        world.commit(letters(300, "slow.x"), take=False)
        begun: list[float] = []

        def paced(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
            now = world.clock.seconds()
            if begun and now < begun[-1] + 60:
                later = begun[-1] + 60
                return 0, [c.outcome(State.DUE, "paced", later) for c in batch]
            begun.append(now)
            first, *rest = batch
            late = [c.outcome(State.DUE, "paced", now + 60) for c in rest]
            return 0.1, [first.outcome(State.DELIVERED), *late]

        world.scripts["slow.x"] = paced
        world.runner.queue.changed(["slow.x"])
        world.run(2)
        known = world.runner.queue.known("slow.x")
        assert known is not None
        self.assertEqual(("paced", 0), (known.why, known.attempts))
        self.assertIsNone(world.runner.queue.known("other.x"))
        world.run(HOUR)
        self.assertGreater(world.states()["delivered"], 50)
        self.assertLess(len(world.tries["slow.x"]), 130)
        kept = world.ledger.connection.execute("SELECT site, why FROM sites")
        self.assertEqual([("slow.x", "paced")], kept.fetchall())
        touched = world.ledger.connection.execute(
            "SELECT count(*) FROM recipients WHERE state = 'due' AND attempts > 0"
        )
        self.assertEqual((0,), touched.fetchone())
        del world.scripts["slow.x"]
        world.run(120)
        self.assertEqual({"delivered": 300}, world.states())
        kept = world.ledger.connection.execute("SELECT count(*) FROM sites")
        self.assertEqual((0,), kept.fetchone())

    def test_half_open(self) -> None:
        """A server that takes few connections at once is not down."""
        world = self.world()
        world.commit(letters(2000, "few.x"), take=False)
        running = world._now

        def few(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
            return dead(0.1)(batch) if running["few.x"] > 5 else taken(batch)

        world.scripts["few.x"] = few
        world.run(1)
        world.runner.queue.changed(["few.x"])
        world.run(120)
        self.assertEqual({"delivered": 2000}, world.states())


class ShareTests(WorldCase):
    """How much goes at once."""

    def test_grows(self) -> None:
        """Two batches at first; more as they go well, twenty at most."""
        world = self.world()
        world.commit(letters(5000, "big.x"))
        world.run(0.06)
        self.assertEqual(2, world.most["big.x"])
        world.run(60)
        self.assertEqual(20, world.most["big.x"])
        self.assertEqual({"delivered": 5000}, world.states())

    def test_bounds(self) -> None:
        """A batch has so many messages, and all goes though little fits in memory."""
        sizes: list[int] = []

        def count(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
            sizes.append(len(batch))
            return taken(batch)

        world = self.world(connections=6, messages=3, window=20, share=10, octets=100)
        world.scripts = {f"{n}.x": count for n in range(50)}
        for n in range(50):
            world.commit(letters(20, f"{n}.x"))
            self.assertLessEqual(world.runner.backlog, 20 + 6 * 3 + 60)
        world.run(120)
        self.assertEqual({"delivered": 1000}, world.states())
        self.assertEqual(3, max(sizes))
        self.assertLessEqual(world.most[""], 6)
        self.assertEqual({1}, {len(times) for times in world.had.values()})

    def test_too_many_sites(self) -> None:
        """Sites beyond those that have room are served when others are done."""
        world = self.world(sites=10)
        for n in range(50):
            world.send(f"u@{n}.x")
        world.run(360)
        self.assertEqual({"delivered": 50}, world.states())

    def test_too_many_dead(self) -> None:
        """Dead sites do not take the room of those that are there."""
        world = self.world(sites=10)
        world.scripts = {f"{n}.dead": dead(1) for n in range(30)}
        for n in range(30):
            world.send(f"u@{n}.dead")
        world.run(300)
        for n in range(8):
            world.send(f"u@{n}.live")
        world.run(180)
        self.assertEqual({"delivered": 8, "due": 30}, world.states())
        world.scripts.clear()
        world.run(8 * HOUR)
        self.assertEqual({"delivered": 38}, world.states())

    def test_forgotten_and_found(self) -> None:
        """A site that lost its room and found one again sends nothing twice."""
        world = self.world(sites=2)
        dying, slow = dead(1), (lambda batch: (10.0, taken(batch)[1]))
        world.scripts = {"a.dead": dying, "b.dead": dying}
        for name in ("a.dead", "b.dead", "c.live"):
            world.send(f"u@{name}")
            world.run(5)
        world.run(100)
        world.scripts = {"a.dead": slow, "b.dead": slow}
        world.run(HOUR)
        self.assertEqual({"delivered": 3}, world.states())
        self.assertEqual([1, 1, 1], [len(times) for times in world.had.values()])

    def test_new_before_old(self) -> None:
        """New mail passes what has piled up, and what has piled up goes on."""
        world = self.world(connections=4, per_site=2)
        sites = [f"{n}.x" for n in range(20)]
        for site in sites:
            world.commit(letters(500, site), take=False)
        world.kill()
        world.begin()
        world.run(5)
        begun = world.states()["delivered"]
        self.assertLess(self.wait_of_live(world, sites[:5], 10), 2.0)
        self.assertGreater(world.states()["delivered"], begun + 1000)

    def test_old_beside_new(self) -> None:
        """What has piled up for a site goes on, however much is new for it."""
        world = self.world(per_site=1)
        old = letters(300, "a.x")
        world.commit(old, take=False)
        world.kill()
        world.begin()
        for _ in range(400):
            world.commit(letters(10, "a.x"))
            world.run(0.05)
        left = [entry for entry in old if (entry.id, 1) not in world.had]
        self.assertEqual([], left)

    def test_unreadable(self) -> None:
        """While the queue cannot be read nothing is lost; it is read when it can be."""
        for name in ("load", "owed", "due_of"):
            world = self.world()
            world.commit(letters(40, "a.x"), take=False)
            world.kill()
            world.begin(running=False)
            queue = world.runner.queue
            patch = self.patch(queue, name, lambda *_: fail(NoSpace("full")))
            world.start()
            world.run(150)
            self.assertEqual({"due": 40}, world.states())
            self.assertTrue(self.flushLoggedErrors(NoSpace))
            patch.restore()
            world.run(90)
            self.assertEqual({"delivered": 40}, world.states(), name)

    def test_forgotten(self) -> None:
        """Of sites without work a bounded number is remembered."""
        world = self.world()
        for n in range(3000):
            world.send(f"u@{n}.x")
            world.run(0.5)
        self.assertLessEqual(len(list(world.runner._sites._known)), 1001)

    def test_no_such_destination(self) -> None:
        """What has no destination waits and is not tried without end."""
        world = self.world()
        stray = evolve(remote(1), destination="relay")
        world.commit([make_entry(b"x", [stray], when=BEGIN)])
        world.kill()
        world.begin()
        world.run(HOUR)
        self.assertEqual({"due": 1}, world.states())
        self.assertEqual([], world.tries["far.example"])

    def test_damaged(self) -> None:
        """Rows that have lost their message cost a look now and then, no more."""
        world = self.world(recipients=10)
        world.commit(letters(100, "a.x"), take=False)
        world.ledger.connection.execute("DELETE FROM entries")
        asked: list[int] = []
        due_of = world.runner.queue.due_of

        def count(share: Share) -> Any:
            asked.append(1)
            return due_of(share)

        self.patch(world.runner.queue, "due_of", count)
        world.runner.queue.changed(["a.x"])
        world.run(600)
        self.assertLess(len(asked), 100)

    def test_far_ahead(self) -> None:
        """What a wrong clock put off for a year is tried after the next start."""
        world = self.world()
        entry = letters(1, "a.x")[0]
        world.commit([entry], take=False)
        later = BEGIN + 365 * 24 * HOUR
        world.ledger.settle([Outcome(entry.id, 1, State.DUE, "", later)])
        world.run(1)
        world.kill()
        world.begin()
        world.run(60)
        self.assertEqual({"delivered": 1}, world.states())


class OperatorTests(WorldCase):
    """What operators do takes effect at once."""

    def done(self, world: World, d: Any) -> Any:
        """What was asked of the queue is done."""
        world.run(1)
        return self.successResultOf(d)

    def test_hold(self) -> None:
        """A held site gets nothing, across a restart, until it is let go."""
        for names in (["a.x"], [EVERY]):
            world = self.world()
            self.done(world, world.runner.queue.hold_sites(names, True))
            world.commit(letters(5, "a.x"))
            world.run(HOUR)
            world.kill()
            world.begin()
            world.commit(letters(5, "a.x"))
            world.run(HOUR)
            self.assertEqual({"due": 10}, world.states())
            self.done(world, world.runner.queue.hold_sites(names, False))
            world.run(10)
            self.assertEqual({"delivered": 10}, world.states())

    def test_hold_unread(self) -> None:
        """Held is held, though the queue cannot be read just then."""
        world = self.world(connections=1)
        world.scripts["a.x"] = lambda batch: (1.0, taken(batch)[1])
        world.commit(letters(100, "a.x"))
        world.run(0.5)
        queue = world.runner.queue
        for name in ("owed", "states"):
            self.patch(queue, name, lambda *_: fail(NoSpace("full")))
        self.done(world, queue.hold_sites([EVERY], True))
        tries = len(world.tries["a.x"])
        world.run(60)
        self.assertEqual(tries, len(world.tries["a.x"]))
        self.assertTrue(self.flushLoggedErrors(NoSpace))

    def test_suspend_what_waits(self) -> None:
        """What waits in memory is not sent once it is suspended; the rest is."""
        world = self.world(connections=1)
        world.scripts["a.x"] = lambda batch: (60, taken(batch)[1])
        mine = world.send("u@a.x")
        world.run(1)
        others = letters(20, "a.x")
        world.commit(others)
        queue = world.runner.queue
        for entry in others[:10]:
            changed = self.done(world, queue.suspend(Choice(entry=entry.id), "anna"))
            self.assertEqual(1, changed.count)
        world.run(HOUR)
        self.assertEqual({"delivered": 11, "suspended": 10}, world.states())
        self.assertIn((mine.id, 1), world.had)
        self.done(world, queue.resume(Choice(), "anna"))
        world.run(HOUR)
        self.assertEqual({"delivered": 21}, world.states())
        self.assertEqual({1}, {len(times) for times in world.had.values()})

    def test_suspend_under_way(self) -> None:
        """What is delivered while somebody suspends it stays delivered, once."""
        world = self.world()
        world.scripts["a.x"] = lambda batch: (60, taken(batch)[1])
        world.send("u@a.x")
        world.run(1)
        queue = world.runner.queue
        self.done(world, queue.suspend(Choice(), "anna"))
        world.run(120)
        self.done(world, queue.resume(Choice(), "anna"))
        world.run(HOUR)
        self.assertEqual({"delivered": 1}, world.states())
        self.assertEqual(1, len(world.tries["a.x"]))

    def test_retry_now(self) -> None:
        """Who says "now" does not wait for the next try of a site that is down."""
        world = self.world()
        world.scripts["a.x"] = dead(1)
        world.send("u@a.x")
        world.run(5 * HOUR)
        del world.scripts["a.x"]
        self.done(world, world.runner.queue.retry(Choice(site="a.x"), "anna"))
        world.run(5)
        self.assertEqual({"delivered": 1}, world.states())


class EachTests(WorldCase):
    """Each recipient ends once, whatever happens in between (R11)."""

    def test_greylisted(self) -> None:
        """Who is put off is tried after five minutes, then later and later."""
        world = self.world()

        def later(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
            return 0.1, [c.outcome(State.DUE, "450 later") for c in batch]

        world.scripts["a.x"] = later
        world.send("u@a.x")
        world.send("v@a.x")
        world.run(24 * HOUR)
        tries = world.tries["a.x"]
        gaps = [b - a for a, b in zip(tries, tries[1:], strict=False)]
        self.assertTrue(all(gap < 4 * HOUR * 1.11 for gap in gaps), gaps)
        for n, gap in enumerate(g for g in gaps if g > 60):
            self.assertLess(gap, 330.0 * 2**n + 20)
        self.assertGreater(gaps[0], 260)
        self.assertLess(len(tries), 40)

    def test_together(self) -> None:
        """Fifty who were put off together get one copy together, not one each."""
        world = self.world()

        def later(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
            return 0.1, [c.outcome(State.DUE, "450 later") for c in batch]

        world.scripts["a.x"] = later
        world.send(*(f"u{n}@a.x" for n in range(50)))
        world.run(HOUR)
        # At once, and after 5, 10 and 20 minutes more.
        self.assertEqual(4, len(world.tries["a.x"]))

    def test_one_end_each(self) -> None:
        """Three have it, three later, two never: one end each, across restarts."""
        for dice in seeds(40):
            world = World(Path(self.mktemp()))
            bad = {f"{n}@a.x": n for n in (7, 8)}
            patient = {f"{n}@a.x": dice.randint(1, 4) for n in (4, 5, 6)}
            ended: list[tuple[str, str]] = []
            world.scripts["a.x"] = self.mixed(bad, patient, ended, dice)
            entry = world.send(*(f"{n}@a.x" for n in range(1, 9)))
            for _ in range(dice.randint(0, 5)):
                world.run(dice.choice([0.02, 0.3, 5, 400, 2000]))
                if world.clock.seconds() - self.last(world) > 0.2:
                    world.kill()
                    world.begin()
            world.run(48 * HOUR)
            self.assertEqual({"delivered": 6, "failed": 2}, world.states())
            self.assertEqual(8, len(ended), (sorted(ended), entry.id))
            self.assertEqual(8, len({address for address, _ in ended}))
            notices = world.ledger.connection.execute(
                "SELECT number, kind FROM notices ORDER BY number"
            )
            self.assertEqual([(7, "failed"), (8, "failed")], notices.fetchall())
            world.ledger.stopService()

    def last(self, world: World) -> float:
        """When somebody was tried for the last time."""
        return max(world.tries["a.x"], default=0.0)

    def mixed(
        self,
        bad: dict[str, int],
        patient: dict[str, int],
        ended: list[tuple[str, str]],
        dice: random.Random,
    ) -> Script:
        """A server that takes some, puts some off and refuses some."""

        def one(c: Consignment) -> Outcome:
            address = c.recipient.address
            if address in bad:
                ended.append((address, "failed"))
                return c.outcome(State.FAILED, "550 no such user")
            if patient.get(address, 0) > 0:
                patient[address] -= 1
                return c.outcome(State.DUE, "450 later")
            ended.append((address, "delivered"))
            return c.outcome(State.DELIVERED, "250 ok")

        def script(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
            if dice.random() < 0.2:
                return dead(1)(batch)
            return 0.1, [one(c) for c in batch]

        return script


class PatienceTests(SynchronousTestCase):
    """How long we wait."""

    def test_bounds(self) -> None:
        """Five minutes at first, four hours at last, a tenth more or less."""
        last: Callable[[int], float] = patience
        self.assertTrue(all(270 <= last(0) <= 330 for _ in range(100)))
        self.assertTrue(all(12_960 <= last(10**9) <= 15_840 for _ in range(100)))

    def test_settings(self) -> None:
        """Who wants to be quicker, or slower, says so."""
        settings = Config(path=Path(), queue=Queue(retry_first=20, retry_last=100))
        wait = pauses(settings)
        for attempts, seconds in (0, 20), (1, 40), (2, 80), (3, 100), (10**9, 100):
            self.assertTrue(seconds * 0.9 <= wait(attempts) <= seconds * 1.1)
