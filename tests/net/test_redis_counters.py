"""Tests for L{smfd.net.redis_counters}, on a real redis-server."""

import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,  # noqa: A004
    gatherResults,
    maybeDeferred,
)
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smfd.net.redis import REST, Away, Redis, Server
from smfd.net.redis_counters import PAID, RedisCounters
from smfd.policy.quota import (
    DAY,
    FOREVER,
    MESSAGES,
    MINUTE,
    NEW_RECIPIENTS,
    RATE,
    RECIPIENTS,
    Draw,
    Excess,
    Taken,
)
from smfd.store.counters import Counters
from tests.redis import RedisServer
from tests.store.counting import ANN, CountersMixin

reactor: Any = installed


class RedisTestCase(TestCase):
    """A server, and boxes that share it."""

    def serve(self, password: str = "") -> RedisServer:
        """Start a server."""
        self.redis = RedisServer(password)
        self.redis.start()
        self.addCleanup(self.redis.stop)
        return self.redis

    def box(self, boxes: int = 1, **more: Any) -> RedisCounters:
        """One more box."""
        local = Counters(Path(self.mktemp()), reactor, reactor)
        # A busy machine must not look like a dead server.
        server = Server(self.redis.place, **{"seconds": 2.0, **more})
        box = RedisCounters(Redis(server, reactor), local, boxes)
        box.startService()
        self.addCleanup(self.stop, box)
        return box

    def stop(self, box: RedisCounters) -> Any:
        """Stop it, once."""
        return box.running and maybeDeferred(box.stopService)

    async def rested(self) -> None:
        """Until a server that failed is tried again."""
        await deferLater(reactor, REST + 0.05, lambda: None)

    async def say(self, *words: str) -> Any:
        """Tell the server something ourselves."""
        server = Server(self.redis.place, seconds=2.0)
        redis = Redis(server, reactor)
        script = "return redis.call(unpack(ARGV))"
        try:
            return await redis.run(script, [], *words)
        finally:
            redis.close()


class RedisCountersTests(CountersMixin, RedisTestCase):
    """What holds of counters holds of those in Redis."""

    async def build(self) -> RedisCounters:
        """A fresh server, and a box."""
        self.serve()
        self.first = self.box()
        return self.first

    async def again(self) -> RedisCounters:
        """Another box, with nothing at home."""
        await maybeDeferred(self.first.stopService)
        return self.box()

    async def test_never(self) -> None:
        """What is more than all there is has no end."""
        counters = await self.build()
        found = await counters.spend(ANN, (Draw(MESSAGES, 2, 3),))
        assert isinstance(found, Excess)
        self.assertEqual(FOREVER, found.wait)

    async def test_two_boxes(self) -> None:
        """Two boxes at once: together what may pass, and no more (R73)."""
        one, other = await self.build(), self.box()
        asked = [
            box.spend(ANN, (Draw(MESSAGES, 30),))
            for _ in range(50)
            for box in (one, other)
        ]
        found = await gatherResults(asked)
        self.assertEqual(30, sum(isinstance(each, Taken) for each in found))

    async def test_unreadable(self) -> None:
        """What cannot be read in Redis begins anew."""
        counters = await self.build()
        draws = (Draw(RATE, 5), Draw(MESSAGES, 5))
        await counters.spend(ANN, draws)
        changed = 0
        for state in "x", "x y", "1:x", "nonsense of another":
            for key in await self.say("KEYS", "*"):
                if "string" in str(await self.say("TYPE", key)):
                    await self.say("SET", key, state)
                    changed += 1
            found = await counters.spend(ANN, draws)
            assert isinstance(found, Taken), state
            self.assertEqual((1.0, 1.0), found.used, state)
        self.assertEqual(("", 8), (counters.trouble, changed))

    async def test_rolls(self) -> None:
        """After a day it is forgotten; a clock that was set back gives nothing."""
        counters = await self.build()
        key = f"smfd:{{{ANN}}}:messages"
        slot = int(time.time() * 48 // DAY)
        for put, passes in (
            (slot - 49, True),
            (slot - 47, False),
            (slot + 48 * 30, False),
        ):
            await self.say("SET", key, f"{put}:1")
            found = await counters.spend(ANN, (Draw(MESSAGES, 1),))
            self.assertEqual(passes, isinstance(found, Taken), put - slot)
        assert isinstance(found, Excess)
        self.assertTrue(found.wait <= DAY + DAY / 48)

    async def test_forgets(self) -> None:
        """No key stays for ever."""
        counters = await self.build()
        await counters.spend(
            ANN, (Draw(MESSAGES), Draw(NEW_RECIPIENTS, items=("a", "b")))
        )
        for key, most in (
            ("messages", DAY + DAY / 48 + 2),
            ("new_recipients", DAY + DAY / 48 + 2),
            ("new_recipients:seen", 180 * DAY),
        ):
            left = int(await self.say("TTL", f"smfd:{{{ANN}}}:{key}"))
            self.assertTrue(0 < left <= most, key)

    async def test_password(self) -> None:
        """A password and a database of its own; a wrong one is as if it were away."""
        self.serve("s3cret")
        good = self.box(password="s3cret", database=3)
        draws = (Draw(MESSAGES, 1),)
        self.assertIsInstance(await good.spend(ANN, draws), Taken)
        self.assertIsInstance(await good.spend(ANN, draws), Excess)
        wrong = Redis(Server(self.redis.place, "wrong", seconds=2.0), reactor)
        await self.assertFailure(wrong.run("return 1", []), Away)


class AwayTests(RedisTestCase):
    """Redis is away: its own deadline, the share of one box, and back again."""

    def spend(self, box: RedisCounters, most: int) -> "Deferred[Any]":
        """One message."""
        return box.spend(
            ANN, (Draw(MESSAGES, most), Draw(NEW_RECIPIENTS, items=("a",)))
        )

    async def many(self, box: RedisCounters, count: int, most: int) -> int:
        """How many of so many pass."""
        found = await gatherResults([self.spend(box, most) for _ in range(count)])
        return sum(isinstance(one, Taken) for one in found)

    async def test_killed(self) -> None:
        """Dead in the midst of it: the box's share; back: what was sent counts."""
        server = self.serve()
        box = self.box(boxes=2)
        self.assertEqual(4, await self.many(box, 4, 20))
        server.kill()
        # It sent 4 of its 10 already.
        self.assertEqual(6, await self.many(box, 30, 20))
        self.assertEqual(0, await self.many(box, 30, 20))
        server.start()
        await self.rested()
        other = self.box(boxes=2)
        self.assertEqual(1, await self.many(box, 1, 20))
        used = await other.used(ANN)
        # The new server had forgotten the first four.
        self.assertEqual((7, 1), (used["messages"], used["new_recipients"]))

    async def test_paused(self) -> None:
        """It hangs: nobody waits for longer than its deadline, and then not at all."""
        server = self.serve()
        box = self.box(boxes=2, seconds=0.3)
        self.assertEqual(2, await self.many(box, 2, 10))
        server.pause()
        self.addCleanup(server.resume)
        begun = time.monotonic()
        self.assertEqual(3, await self.many(box, 20, 10))
        first = time.monotonic() - begun
        self.assertTrue(0.25 < first < 5.0, first)
        self.assertEqual(0, await self.many(box, 20, 10))
        server.resume()
        await self.rested()
        self.assertIsInstance(await self.spend(box, 1000), Taken)
        used = await box.used(ANN)
        # Those that it took while it hung may count twice, never none.
        self.assertTrue(6 <= used["messages"] <= 2 + 20 + 3 + 1, used)

    async def test_rest(self) -> None:
        """Once it did not answer, nobody tries for a second, and waits not at all."""
        server = self.serve()
        redis = Redis(Server(server.place, seconds=0.2), reactor)
        self.addCleanup(redis.close)
        self.assertEqual(b"x", await redis.run("return 'x'", []))
        server.pause()
        await self.assertFailure(redis.run("return 'x'", []), TimeoutError)
        refused = redis.run("return 'x'", [])
        self.assertTrue(refused.called)
        await self.assertFailure(refused, Away)
        server.resume()
        await self.rested()
        self.assertEqual(b"x", await redis.run("return 'x'", []))

    async def test_refund(self) -> None:
        """What is given back, or counted anew, while it is away reaches it later."""
        server = self.serve()
        box = self.box()
        taken = await self.spend(box, 10)
        server.pause()
        await box.refund(ANN, taken)
        self.assertIsInstance(await self.spend(box, 10), Taken)
        await box.reset(ANN)
        server.resume()
        await self.rested()
        self.assertEqual(0, (await box.used(ANN))["messages"])

    async def test_never_there(self) -> None:
        """It was never there: the share of one box, from the start."""
        server = self.serve()
        server.kill()
        box = self.box(boxes=4)
        self.assertEqual("", box.trouble)
        self.assertEqual(5, await self.many(box, 20, 20))
        self.assertIn("1/4 of their limits", box.trouble)
        used = await box.used(ANN)
        self.assertEqual(5, used["messages"])

    async def test_hung_up(self) -> None:
        """A client that hangs up in the midst of it is no failure of Redis."""
        self.serve()
        box = self.box(boxes=2)
        await self.many(box, 1, 100)
        for _ in range(3):
            asked = self.spend(box, 100)
            asked.cancel()
            await self.assertFailure(asked, CancelledError)
        self.assertEqual("", box.trouble)
        self.assertEqual(4, (await box.used(ANN))["messages"])

    async def test_more_than_a_share(self) -> None:
        """More than the share of one box, but not too much: later, and not never."""
        server = self.serve()
        server.kill()
        box = self.box(boxes=4)
        for draw in (
            Draw(RECIPIENTS, 40, 11),
            Draw(NEW_RECIPIENTS, 40, items=tuple(map(str, range(11)))),
        ):
            found = await box.spend(ANN, (draw,))
            assert isinstance(found, Excess)
            self.assertEqual(MINUTE, found.wait)
        found = await box.spend(ANN, (Draw(RECIPIENTS, 40, 41),))
        assert isinstance(found, Excess)
        self.assertEqual(FOREVER, found.wait)

    async def test_much_owed(self) -> None:
        """It is back, and is told bit by bit what it missed: nobody waits for all."""
        server = self.serve()
        server.kill()
        box = self.box()
        self.assertEqual(50, await self.many(box, 50, 1000))
        server.start()
        await self.rested()
        for known in PAID, 2 * PAID, 50 + 3:
            await self.spend(box, 1000)
            told = (await self.say("GET", f"smfd:{{{ANN}}}:messages")).decode()
            counts = [int(slot.partition(":")[2]) for slot in told.split()]
            self.assertEqual(known, sum(counts))

    async def test_flapping(self) -> None:
        """It comes and goes under load, and forgets all: the limit holds for a box."""
        server = self.serve()
        box = self.box(seconds=0.5)
        passed = 0
        for turn in range(3):
            passed += await self.many(box, 30, 60)
            asked = [self.spend(box, 60) for _ in range(20)]
            if turn % 2:
                server.start()
            else:
                server.kill()
            found = await gatherResults(asked)
            passed += sum(isinstance(one, Taken) for one in found)
            await self.rested()
        self.assertEqual(60, passed)
