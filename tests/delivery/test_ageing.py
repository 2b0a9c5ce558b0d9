"""What waits grows old: it is said once, and given up at last."""

from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import define, evolve
from twisted.trial.unittest import SynchronousTestCase

from smfd.delivery.ageing import Ageing, Ages
from smfd.delivery.ending import Ending, Kept, Told
from smfd.model.entry import Consignment, Outcome, Recipient, State
from smfd.model.queue import Choice
from smfd.store import ledger_age
from tests.delivery.simulated import World, dead, taken
from tests.store.making import mailbox, make_entry, remote

HOUR = 3600.0
DAY = 24 * HOUR

US = "a@b.example"

AGES = Ages()


@define
class Way:
    """A destination, as far as its mail grows old."""

    name: str
    ending: Ending
    now: Callable[[], float]

    async def expired(self, c: Consignment, words: str) -> Outcome | None:
        """By its age."""
        return self.ending.expired(c, words, self.now())


class AgeingCase(SynchronousTestCase):
    """A house whose mail nobody takes."""

    def setUp(self) -> None:
        self.world = World(Path(self.mktemp()))
        self.addCleanup(lambda: self.world.ledger.stopService())
        self.ageing = self.grow()

    def grow(self, ages: Ages = AGES) -> Ageing:
        """Let mail grow old."""
        told, kept = Told(ages.lifetime, ages.bounces), Kept(ages.lifetime)
        now = self.world.clock.seconds
        ways = [Way("remote", told, now), Way("lmtp", kept, now)]
        ageing = Ageing(self.world.runner, ways, self.world.clock, ages)
        ageing.startService()
        return ageing

    def restart(self, ages: Ages = AGES) -> None:
        """The same house, killed and started."""
        self.ageing.stopService()
        self.world.kill()
        self.world.begin()
        self.ageing = self.grow(ages)

    def send(self, *to: Recipient, sender: str = US, account: str = US) -> str:
        """A message that is ours now."""
        entry = make_entry(b"x", to, when=self.world.clock.seconds())
        entry = evolve(entry, sender=sender, account=account)
        self.world.commit([entry])
        return entry.id

    def notices(self) -> list[tuple[str, int, str, str]]:
        """Entry, number, kind and words of all."""
        found = self.world.ledger.connection.execute(
            "SELECT entry, number, kind, detail FROM notices ORDER BY time, number"
        )
        return found.fetchall()


class WarningTests(AgeingCase):
    """Senders hear that their mail waits."""

    def test_once(self) -> None:
        """After four hours each hears it, once, with the last words on the site."""
        self.world.scripts = {"dead.x": dead(1), "live.x": taken}
        entry = self.send(remote(1, "u@dead.x"), remote(2, "u@live.x"))
        self.world.run(4 * HOUR - 60)
        self.assertEqual([], self.notices())
        told: list[int] = []
        self.world.ledger.noticed = lambda: told.append(1)
        self.world.run(6 * HOUR)
        self.assertEqual([(entry, 1, "delayed", "no connection")], self.notices())
        self.assertEqual([1], told)
        self.world.ledger.connection.execute("DELETE FROM notices")
        self.restart()
        self.world.run(6 * HOUR)
        self.assertEqual([], self.notices())

    def test_who_hears(self) -> None:
        """Nobody who did not want to, no null sender, nobody who forwards."""
        self.world.scripts["dead.x"] = dead(1)
        mine = self.send(
            remote(1, "u@dead.x", notify="NEVER"),
            remote(2, "u@dead.x", notify="SUCCESS,FAILURE"),
            remote(3, "u@dead.x", notify="FAILURE,DELAY"),
            Recipient(4, "u@dead.x", "lmtp"),
            mailbox(5),
        )
        self.send(remote(1, "u@dead.x"), sender="")
        self.send(remote(1, "u@dead.x"), sender="x@stranger.x", account="")
        self.world.run(5 * HOUR)
        found = [row[:2] for row in self.notices()]
        self.assertEqual([(mine, 3), (mine, 4)], found)

    def test_many(self) -> None:
        """However many wait, all hear it; what comes later hears it later."""
        self.patch(ledger_age, "SLICE", 3)
        self.world.scripts["dead.x"] = dead(1)
        sent = [self.send(remote(1, "u@dead.x")) for _ in range(10)]
        self.world.run(HOUR)
        late = [self.send(remote(1, "u@dead.x")) for _ in range(10)]
        self.world.run(3 * HOUR + 600)
        self.assertEqual(sorted(sent), sorted(row[0] for row in self.notices()))
        self.world.run(HOUR)
        found = sorted(row[0] for row in self.notices())
        self.assertEqual(sorted(sent + late), found)

    def test_never(self) -> None:
        """Where no warnings are wanted there are none."""
        self.restart(Ages(warning=0))
        self.world.scripts["dead.x"] = dead(1)
        self.send(remote(1, "u@dead.x"))
        self.world.run(12 * HOUR)
        self.assertEqual([], self.notices())


class ExpiryTests(AgeingCase):
    """Nothing is tried for ever."""

    def test_failed(self) -> None:
        """After five days the sender hears why, though the site is not tried then."""
        self.restart(Ages(warning=0))
        self.world.scripts["dead.x"] = dead(1)
        entry = self.send(remote(1, "u@dead.x"))
        self.world.run(5 * DAY - 600)
        self.assertEqual({"due": 1}, self.world.states())
        tries = len(self.world.tries["dead.x"])
        self.world.run(1200)
        self.assertEqual({"failed": 1}, self.world.states())
        self.assertLessEqual(len(self.world.tries["dead.x"]), tries + 1)
        ((found, _, kind, words),) = self.notices()
        self.assertEqual((entry, "failed"), (found, kind))
        self.assertIn("not delivered in 5 days: no connection", words)

    def test_bounces(self) -> None:
        """Mail from nobody is tried for two days, and ends without a word."""
        self.world.scripts["dead.x"] = dead(1)
        self.send(remote(1, "u@dead.x"), sender="")
        self.send(remote(1, "u@dead.x"))
        self.world.run(2 * DAY + 600)
        self.assertEqual({"failed": 1, "due": 1}, self.world.states())
        self.assertEqual(["delayed"], [row[2] for row in self.notices()])

    def test_hosted(self) -> None:
        """A stranger's mail for a hosted domain is held, and no word to anybody."""
        self.send(Recipient(1, "u@hosted.x", "lmtp"), sender="a@b.x", account="")
        self.world.run(5 * DAY + 600)
        found = self.world.ledger.connection.execute(
            "SELECT destination, category, reason FROM recipients"
        ).fetchone()
        self.assertEqual(("quarantine", "undeliverable"), found[:2])
        self.assertIn("not delivered in 5 days", found[2])
        self.assertEqual([], self.notices())

    def test_colleague(self) -> None:
        """What a user sent to a hosted domain failed, and he hears it."""
        self.send(Recipient(1, "u@hosted.x", "lmtp"))
        self.world.run(5 * DAY + 600)
        self.assertEqual({"failed": 1}, self.world.states())
        self.assertEqual(["delayed", "failed"], [row[2] for row in self.notices()])

    def test_held_back(self) -> None:
        """What an operator holds does not grow too old meanwhile, and nothing else."""
        self.world.scripts["dead.x"] = dead(1)
        queue = self.world.runner.queue
        queue.hold_sites(["held.x"], True)
        self.send(remote(1, "u@held.x"))
        self.send(remote(1, "u@other.x"))
        queue.suspend(Choice(site="other.x"), "anna")
        self.send(remote(1, "u@dead.x"))
        self.world.run(8 * DAY)
        self.assertEqual({"due": 1, "suspended": 1, "failed": 1}, self.world.states())

    def test_let_go(self) -> None:
        """What is let go when its time is over ends within the hour."""
        self.world.scripts["dead.x"] = dead(1)
        self.send(remote(1, "u@dead.x"), sender="")
        queue = self.world.runner.queue
        queue.suspend(Choice(site="dead.x"), "anna")
        self.world.run(3 * DAY)
        queue.resume(Choice(site="dead.x"), "anna")
        self.world.run(HOUR + 300)
        self.assertEqual({"failed": 1}, self.world.states())

    def test_away(self) -> None:
        """While we do not run nothing ends; when we do again, it ends at once."""
        self.world.scripts["dead.x"] = dead(1)
        self.send(mailbox(1), remote(2, "u@dead.x"))
        self.world.run(4 * DAY)
        self.ageing.stopService()
        self.world.run(2 * DAY)
        self.assertEqual({"due": 2}, self.world.states())
        self.ageing.startService()
        self.world.run(1)
        self.assertEqual({"due": 1, "failed": 1}, self.world.states())

    def test_under_way(self) -> None:
        """What is just being sent is not given up; it ends once."""

        def slow(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
            return 900, taken(batch)[1]

        self.world.scripts["slow.x"] = dead(1)
        self.send(remote(1, "u@slow.x"))
        self.world.run(5 * DAY - 300)
        self.world.scripts["slow.x"] = slow
        self.world.runner.queue.retry(Choice(site="slow.x"), "")
        self.world.run(1800)
        self.assertEqual({"delivered": 1}, self.world.states())
        self.assertEqual(["delayed"], [row[2] for row in self.notices()])

    def test_many(self) -> None:
        """However many are too old, each is given up once."""
        self.patch(ledger_age, "SLICE", 7)
        self.world.scripts = {f"{n}.x": dead(1) for n in range(5)}
        for n in range(50):
            self.send(remote(1, f"u@{n % 5}.x"), remote(2, f"v@{n % 5}.x"))
        self.world.run(6 * DAY)
        self.assertEqual({"failed": 100}, self.world.states())
        failed = [row for row in self.notices() if row[2] == State.FAILED.value]
        self.assertEqual(100, len(failed))
