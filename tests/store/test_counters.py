"""Tests for L{smfd.store.counters}: the counters of one box."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from smfd.policy.quota import DAY, MESSAGES, NEW_RECIPIENTS, RATE, Draw, Excess, Taken
from smfd.store import counters_seen
from smfd.store.counters import Counters
from smfd.store.schema import WrongVersion
from tests.store.counting import ANN, BOB, CountersMixin

reactor: Any = installed


class CountersTests(CountersMixin, TestCase):
    """The file of one box."""

    async def build(self) -> Counters:
        """A fresh file."""
        self.path = Path(self.mktemp())
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        return self.start()

    def start(self) -> Counters:
        """Serve the file."""
        self.counters = Counters(self.path, reactor, self.clock)
        self.counters.startService()
        self.addCleanup(self.stop)
        return self.counters

    def stop(self) -> Any:
        """Stop it, once."""
        return self.counters.running and maybeDeferred(self.counters.stopService)

    async def again(self) -> Counters:
        """Another on the same file."""
        await maybeDeferred(self.counters.stopService)
        return self.start()

    async def test_killed(self) -> None:
        """What was answered is in the file: to be killed forgets nothing."""
        counters = await self.build()
        draws = (Draw(MESSAGES, 2),)
        await counters.spend(ANN, draws)
        await counters.spend(ANN, draws)
        other = Counters(self.path, reactor, self.clock)
        other.startService()
        self.addCleanup(other.stopService)
        self.assertIsInstance(await other.spend(ANN, draws), Excess)

    async def test_clock_back(self) -> None:
        """A clock that is set back by a month gives nothing, and takes nothing."""
        counters = await self.build()
        draws = (Draw(MESSAGES, 1), Draw(NEW_RECIPIENTS, 5, items=("a",)))
        await counters.spend(ANN, draws)
        self.clock.advance(-30 * DAY)
        self.assertIsInstance(await counters.spend(ANN, draws), Excess)
        self.clock.advance(DAY + 1800)
        taken = await counters.spend(ANN, draws)
        assert isinstance(taken, Taken)
        self.assertEqual((), taken.draws[1].items)

    async def test_forgotten(self) -> None:
        """What says nothing any more goes from the file within the hour."""
        counters = await self.build()
        await counters.spend(ANN, (Draw(NEW_RECIPIENTS, items=("a", "b")),))
        self.clock.advance(181 * DAY)
        await counters.used(ANN)
        with closing(sqlite3.connect(self.path)) as connection:
            for table in ("meters", "seen"):
                found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                self.assertEqual((0,), found, table)

    async def test_remembered(self) -> None:
        """Of very many recipients the ones longest unused are forgotten."""
        self.patch(counters_seen, "REMEMBERED", 3)
        counters = await self.build()
        for name in "abcda":
            self.clock.advance(1)
            taken = await counters.spend(ANN, (Draw(NEW_RECIPIENTS, items=(name,)),))
        assert isinstance(taken, Taken)
        self.assertEqual(("a",), taken.draws[0].items)

    async def test_never_more(self) -> None:
        """Nobody is known by more things than that, restarted or not."""
        self.patch(counters_seen, "REMEMBERED", 20)
        counters = await self.build()
        many = []
        for number in range(90):
            if number % 33 == 32:
                counters = await self.again()
            self.clock.advance(1)
            items = f"{number}a", f"{number}b"
            await counters.spend(ANN, (Draw(NEW_RECIPIENTS, items=items),))
            with closing(sqlite3.connect(self.path)) as connection:
                many += connection.execute("SELECT count(*) FROM seen").fetchone()
        self.assertEqual(20, max(many))
        self.assertLessEqual(18, min(many[10:]))

    async def test_broken(self) -> None:
        """A file that is not ours is not served."""
        path = Path(self.mktemp())
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version=7")
        self.assertRaises(WrongVersion, Counters(path, reactor, Clock()).startService)
        path.write_bytes(b"no database at all" * 100)
        self.assertRaises(
            sqlite3.DatabaseError, Counters(path, reactor, Clock()).startService
        )

    async def test_stopped(self) -> None:
        """Whoever asked before the end has his answer."""
        counters = await self.build()
        asked = [counters.spend(ANN, (Draw(MESSAGES, 9),)) for _ in range(20)]
        await maybeDeferred(counters.stopService)
        passed = [isinstance(await one, Taken) for one in asked]
        self.assertEqual(9, sum(passed))

    async def test_unreadable(self) -> None:
        """What cannot be read of an account begins anew, and is told; others go on."""
        counters = await self.build()
        draws = (Draw(MESSAGES, 2), Draw(RATE, 5), Draw(NEW_RECIPIENTS, items=("a",)))
        for account in ANN, BOB:
            await counters.spend(account, draws)
        with capturedLogs() as events:
            for state in (
                "x", "1:x", "1:2,", "nan 5", "1:-5", "1:99999999999999999999",
                "1:2 ", " 1:2", "inf 0", "1 2 3", b"\xff\0",
            ):  # fmt: skip
                with closing(sqlite3.connect(self.path)) as other, other:
                    change = "UPDATE meters SET state=? WHERE account=?"
                    other.execute(change, (state, ANN))
                    other.execute("UPDATE seen SET ends='soon' WHERE account=?", (ANN,))
                asked = [counters.spend(who, draws) for who in (ANN, BOB, ANN)]
                first, _, second = [await one for one in asked]
                assert isinstance(first, Taken), state
                assert isinstance(second, Taken), state
                self.assertEqual((1, 2), (first.used[0], second.used[0]), state)
        self.assertIsInstance(await counters.spend(BOB, draws), Excess)
        told = [formatEvent(event) for event in events]
        self.assertIn(f"the messages of {ANN} begin anew, they read 'x'", told)

    async def test_alone(self) -> None:
        """What we cannot count fails by itself, not with all who wait beside it."""
        counters = await self.build()
        draws = (Draw(MESSAGES, 9),)

        def broken(connection: sqlite3.Connection, now: float) -> None:
            connection.execute("UPDATE meters SET state='1:1000'")
            raise ValueError("a fault of ours")

        # While Bob's is written, these three wait for each other.
        others = counters.spend(BOB, draws)
        asked = [counters.spend(ANN, draws) for _ in range(2)]
        asked.insert(1, counters._do(broken))
        await others
        await self.assertFailure(asked.pop(1), ValueError)
        used = [found.used for one in asked if isinstance(found := await one, Taken)]
        self.assertEqual([(1,), (2,)], used)

    async def test_cannot_write(self) -> None:
        """What cannot be written down fails, for all who waited; then it goes on."""
        counters = await self.build()
        draws = (Draw(MESSAGES, 9),)
        await counters.spend(ANN, draws)
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("ALTER TABLE meters RENAME TO elsewhere")
            failing = [counters.spend(ANN, draws) for _ in range(3)]
            for one in failing:
                await self.assertFailure(one, sqlite3.OperationalError)
            other.execute("ALTER TABLE elsewhere RENAME TO meters")
        taken = await counters.spend(ANN, draws)
        assert isinstance(taken, Taken)
        self.assertEqual((2,), taken.used)
