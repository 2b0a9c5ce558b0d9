"""What holds of counters, whoever keeps them."""

from typing import Any

from twisted.internet.defer import gatherResults

from smfd.interfaces import ICounters
from smfd.policy.quota import (
    BREACHES,
    IDENTICAL,
    MESSAGES,
    NEW_RECIPIENTS,
    RATE,
    RECIPIENTS,
    UNKNOWN,
    Draw,
    Excess,
    Taken,
)

ANN, BOB = "ann@home.example", "bob@home.example"


class CountersMixin:
    """
    Tests of a provider.

    A case says how it is built and how it is stopped and started again.
    """

    async def build(self) -> Any:
        """Start a provider with nothing in it."""
        raise NotImplementedError

    async def again(self) -> Any:
        """Stop it, and start another on what it left."""
        raise NotImplementedError

    async def test_parallel(self: Any) -> None:
        """Fifty at once and a restart between: the limit passes, no more (R73)."""
        counters = await self.build()
        draws = (Draw(MESSAGES, 70), Draw(RECIPIENTS, 1000, 3))

        async def fifty(counters: ICounters) -> int:
            asked = [counters.spend(ANN, draws) for _ in range(50)]
            found = await gatherResults(asked)
            return sum(isinstance(one, Taken) for one in found)

        self.assertEqual(50, await fifty(counters))
        counters = await self.again()
        self.assertEqual(20, await fifty(counters))
        self.assertEqual(0, await fifty(counters))
        used = await counters.used(ANN)
        self.assertEqual((70, 210), (used["messages"], used["recipients"]))
        self.assertIsInstance(await counters.spend(BOB, draws), Taken)

    async def test_all_or_nothing(self: Any) -> None:
        """One limit that is full keeps the others as they were."""
        counters = await self.build()
        draws = (Draw(MESSAGES, 9), Draw(RECIPIENTS, 5, 4), Draw(RATE, 9))
        await counters.spend(ANN, draws)
        excess = await counters.spend(ANN, draws)
        assert isinstance(excess, Excess)
        self.assertEqual((RECIPIENTS, 5), (excess.meter, excess.most))
        self.assertTrue(86400 <= excess.wait <= 86400 + 1800)
        self.assertEqual(1, (await counters.used(ANN))["messages"])

    async def test_new(self: Any) -> None:
        """Whom it wrote to before is not counted again; in excess nobody is known."""
        counters = await self.build()

        async def write(*names: str, most: float = 3) -> Taken | Excess:
            found: Taken | Excess = await counters.spend(
                ANN, (Draw(NEW_RECIPIENTS, most, items=names),)
            )
            return found

        first = await write("a", "b")
        again = await write("a", "b")
        assert isinstance(first, Taken) and isinstance(again, Taken)
        self.assertEqual((("a", "b"), 2), (first.draws[0].items, first.draws[0].count))
        self.assertEqual(((), (2.0,)), (again.draws[0].items, again.used))
        self.assertIsInstance(await write("c", "d"), Excess)
        last = await write("a", "c")
        assert isinstance(last, Taken)
        self.assertEqual(("c",), last.draws[0].items)
        self.assertIsInstance(await write("d"), Excess)

    async def test_repeated(self: Any) -> None:
        """The same again is counted, the first time is not."""
        counters = await self.build()
        found = [
            (await counters.spend(ANN, (Draw(IDENTICAL, items=(body,)),))).used[0]
            for body in ("x", "y", "x", "x", "z")
        ]
        self.assertEqual([0, 0, 1, 2, 2], found)

    async def test_nothing(self: Any) -> None:
        """Who wants nothing is told how much there is, and nothing is counted."""
        counters = await self.build()
        for _ in range(2):
            draws = Draw(UNKNOWN, count=2), Draw(RECIPIENTS, count=0)
            found = await counters.spend(ANN, draws)
        assert isinstance(found, Taken)
        self.assertEqual((4, 0), found.used)
        await counters.spend(ANN, (Draw(RECIPIENTS, count=3),))
        found = await counters.spend(ANN, (Draw(RECIPIENTS, count=0),))
        assert isinstance(found, Taken)
        self.assertEqual((3,), found.used)

    async def test_refund(self: Any) -> None:
        """What was not sent is not counted, and its recipients stay strangers."""
        counters = await self.build()
        draws = (
            Draw(RATE, 2),
            Draw(MESSAGES, 1),
            Draw(NEW_RECIPIENTS, 2, items=("a", "b")),
            Draw(IDENTICAL, items=("x",)),
        )
        for _ in range(4):
            taken = await counters.spend(ANN, draws)
            assert isinstance(taken, Taken), taken
            self.assertEqual(("a", "b"), taken.draws[2].items)
            self.assertEqual(0, taken.used[3])
            await counters.refund(ANN, taken)
        used = await counters.used(ANN)
        self.assertEqual((0, 0), (used["messages"], used["new_recipients"]))

    async def test_bucket(self: Any) -> None:
        """So many at once; then it is said how long the next must wait."""
        counters = await self.build()
        found = [await counters.spend(ANN, (Draw(RATE, 3),)) for _ in range(4)]
        assert isinstance(found[3], Excess)
        self.assertTrue(15 < found[3].wait <= 20, found[3])
        self.assertTrue(all(isinstance(one, Taken) for one in found[:3]))

    async def test_reset(self: Any) -> None:
        """It begins anew, but knows whom it wrote to."""
        counters = await self.build()
        draws = (
            Draw(MESSAGES, 1),
            Draw(NEW_RECIPIENTS, 1, items=("a",)),
            Draw(BREACHES, items=("1",)),
        )
        await counters.spend(ANN, draws)
        await counters.spend(BOB, draws)
        await counters.reset(ANN)
        self.assertEqual(0, (await counters.used(ANN))["messages"])
        taken = await counters.spend(ANN, draws)
        assert isinstance(taken, Taken)
        self.assertEqual([1, 0, 1], [draw.count for draw in taken.draws])
        self.assertIsInstance(await counters.spend(BOB, draws), Excess)
