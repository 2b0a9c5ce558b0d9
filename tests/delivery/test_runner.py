"""The runner serves what the ledger owes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from smfd.delivery.hand import Hand
from smfd.delivery.lane import Lane
from smfd.delivery.runner import Runner, backoff
from smfd.interfaces import IDestination
from smfd.model.entry import Consignment, Outcome, State
from smfd.store.ledger import NoSpace
from smfd.store.queue import Queue
from tests.store.making import (
    REACTOR,
    SmallHouse,
    held,
    mailbox,
    make_entry,
    pause,
)

Answer = Callable[[Sequence[Consignment]], Any]


def done(batch: Sequence[Consignment]) -> list[Outcome]:
    """All of it is delivered."""
    return [c.outcome(State.DELIVERED, "there") for c in batch]


@implementer(IDestination)
@define(eq=False)
class FakeDestination:
    """Answers as it is told, and remembers what it was asked."""

    answer: Answer = done
    name: str = "maildir"
    batches: list[Sequence[Consignment]] = field(factory=list)

    def deliver(
        self, consignments: Sequence[Consignment]
    ) -> "Deferred[Sequence[Outcome]]":
        """Remember and answer."""
        self.batches.append(consignments)
        answer = self.answer(consignments)
        return answer if isinstance(answer, Deferred) else succeed(answer)


class LaneTests(SynchronousTestCase):
    """Batches to one destination."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.destination = FakeDestination()
        self.told: list[Outcome] = []
        self.lane = Lane(
            self.destination, self.clock, lambda _, o: self.told.extend(o), 3, 0.5
        )

    def put(self, count: int) -> None:
        """Some consignments."""
        for _ in range(count):
            self.lane.put(make_entry().consignments()[0])

    def sizes(self) -> list[int]:
        """How large the batches were."""
        return [len(batch) for batch in self.destination.batches]

    def test_waits_for_others(self) -> None:
        """The first waits a moment for others."""
        self.put(1)
        self.clock.advance(0.25)
        self.put(1)
        self.assertEqual([], self.sizes())
        self.clock.advance(0.25)
        self.assertEqual([2], self.sizes())
        self.assertEqual(2, len(self.told))

    def test_full(self) -> None:
        """A full batch goes at once."""
        self.put(3)
        self.assertEqual([3], self.sizes())

    def test_one_at_a_time(self) -> None:
        """What comes while a batch is under way goes with the next."""
        first: Deferred[list[Outcome]] = Deferred()
        self.destination.answer = lambda batch: first
        self.put(8)
        self.clock.advance(1)
        self.assertEqual([3], self.sizes())
        self.destination.answer = done
        first.callback(done(self.destination.batches[0]))
        self.clock.pump([0, 0])
        self.assertEqual([3, 3], self.sizes())
        self.clock.advance(1)
        self.assertEqual([3, 3, 2], self.sizes())
        self.assertEqual(8, len(self.told))

    def test_poison(self) -> None:
        """One that breaks the destination breaks no other (R14)."""
        bad = make_entry(b"bad").consignments()[0]

        def answer(batch: Sequence[Consignment]) -> Any:
            return fail(KeyError("x")) if bad in batch else done(batch)

        self.destination.answer = answer
        self.lane.put(bad)
        self.put(2)
        states = sorted(o.state.value for o in self.told)
        self.assertEqual(["delivered", "delivered", "due"], states)
        self.assertEqual(1, len(self.flushLoggedErrors(KeyError)))

    def test_silence(self) -> None:
        """What a destination says nothing about is still due."""
        self.destination.answer = lambda batch: []
        self.put(3)
        self.assertEqual([State.DUE] * 3, [o.state for o in self.told])

    def test_unasked(self) -> None:
        """What a destination says of others is not believed."""
        stray = make_entry().consignments()[0]
        self.destination.answer = lambda batch: done([*batch, stray])
        self.put(3)
        self.assertEqual(3, len(self.told))
        self.assertNotIn(stray.entry_id, [o.entry_id for o in self.told])

    def test_close(self) -> None:
        """At the end the batch in hand is finished, and none begun."""
        first: Deferred[list[Outcome]] = Deferred()
        self.destination.answer = lambda batch: first
        self.put(4)
        end = self.lane.close()
        self.assertNoResult(end)
        first.callback(done(self.destination.batches[0]))
        self.successResultOf(end)
        self.clock.advance(10)
        self.assertEqual([3], self.sizes())


class HandTests(SynchronousTestCase):
    """Memory has an end."""

    def test_pressure(self) -> None:
        """Half full, the doors wait; they go on when it is lighter."""
        hand = Hand(window=4, memory=1000)
        all_ = [make_entry(b"x").consignments()[0] for _ in range(3)]
        hand.add(all_[0])
        self.assertIsNone(hand.lighter())
        hand.add(all_[1])
        waiting = hand.lighter()
        assert waiting is not None
        hand.add(all_[2])
        hand.remove((all_[0].entry_id, 1))
        self.assertNoResult(waiting)
        hand.remove((all_[1].entry_id, 1))
        self.successResultOf(waiting)

    def test_octets(self) -> None:
        """Large bodies in memory count by their size."""
        hand = Hand(window=100, memory=1000)
        hand.add(make_entry(b"x" * 600).consignments()[0])
        self.assertTrue(hand.heavy)
        self.assertFalse(hand.full)
        hand.add(make_entry(b"x" * 600).consignments()[0])
        self.assertTrue(hand.full)

    def test_gone(self) -> None:
        """A client that hangs up while it waits is not remembered."""
        hand = Hand(window=1, memory=1000)
        hand.add(make_entry(b"x").consignments()[0])
        for _ in range(1000):
            waiting = hand.lighter()
            assert waiting is not None
            waiting.addErrback(lambda _: None)
            waiting.cancel()
        self.assertEqual([], hand._waiters)

    def test_backoff(self) -> None:
        """A try follows after seconds at first, minutes at last."""
        waits = [backoff(n) for n in range(12)]
        self.assertLess(waits[0], 3)
        self.assertGreater(waits[11], 200)
        self.assertLess(max(backoff(10**9) for _ in range(20)), 400)


class RunnerTests(TestCase):
    """With a real ledger and real mailboxes."""

    timeout = 30

    def setUp(self) -> None:
        self.house = SmallHouse(Path(self.mktemp()))
        self.destination = FakeDestination()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.house.stop()))

    def fake(self, window: int = 1000, memory: int = 10**6) -> None:
        """A runner to the fake destination instead of the real ones."""
        house = self.house
        house.runner = Runner(
            house.ledger,
            house.spool,
            [self.destination],
            len,
            REACTOR,
            delay=0.001,
            window=window,
            memory=memory,
        )

    async def test_to_the_end(self) -> None:
        """Mail arrives, spam is held, the large body goes when all is done."""
        self.house.start()
        body = await self.house.receive(b"x" * 5000)
        entry = make_entry(body, [mailbox(1), held(2), held(3, "u@e.example")])
        await self.house.accept(entry)
        await self.house.settled()
        self.assertEqual(1, len(self.house.messages("mail")))
        self.assertEqual(2, len(self.house.messages("quarantine")))
        while self.house.files("spool"):
            await pause()
        found = await self.house.reader.record(entry.id)
        assert found is not None
        self.assertEqual(
            ["delivered", "held", "held"], [r["state"] for r in found["recipients"]]
        )
        for recipient in found["recipients"]:
            self.assertTrue((self.house.home / recipient["detail"]).is_file())

    async def test_quarantine_is_emptied(self) -> None:
        """The held file goes when its last item is decided."""
        self.house.start()
        entry = make_entry(recipients=[held(1), held(2)])
        await self.house.accept(entry)
        await self.house.settled()
        for number in (1, 2):
            self.assertEqual(1, len(self.house.files("quarantine")))
            await self.house.ledger.decide_held(
                f"{entry.id}-{number}", State.DELETED, "anna"
            )
        while self.house.files("quarantine"):
            await pause()

    async def test_left_by_an_earlier_run(self) -> None:
        """What an earlier run left is delivered, in pages."""
        self.fake()
        self.house.ledger.startService()
        entries = [make_entry() for _ in range(1100)]
        await gatherResults([self.house.ledger.commit(e) for e in entries])
        await self.house.ledger.stopService()
        self.house.start()
        await self.house.settled()
        told = [c.entry_id for batch in self.destination.batches for c in batch]
        self.assertEqual(sorted(e.id for e in entries), sorted(told))

    async def test_more_than_memory(self) -> None:
        """What finds no room in memory is read from the ledger later, once."""
        self.fake(window=10)
        await self.house.begin()
        entries = [make_entry() for _ in range(300)]
        await gatherResults([self.house.accept_later(e) for e in entries])
        self.assertLessEqual(self.house.runner.backlog, 10)
        await self.house.settled()
        told = [c.entry_id for batch in self.destination.batches for c in batch]
        self.assertEqual(sorted(e.id for e in entries), sorted(told))

    async def test_tried_again(self) -> None:
        """What fails for now is tried again, and says that it was."""

        def answer(batch: Sequence[Consignment]) -> list[Outcome]:
            if batch[0].attempts:
                return done(batch)
            soon = REACTOR.seconds() + 0.05
            return [
                evolve(o, state=State.DUE, detail="full", next_try=soon)
                for o in done(batch)
            ]

        self.destination.answer = answer
        self.fake()
        await self.house.begin()
        await self.house.accept(make_entry())
        await self.house.settled()
        self.assertEqual([0, 2], [b[0].attempts for b in self.destination.batches])

    async def test_due_meanwhile(self) -> None:
        """What comes due while the ledger is read is tried as well."""
        soon = iter((0.3, 0.5))

        def answer(batch: Sequence[Consignment]) -> list[Outcome]:
            if batch[0].attempts:
                return done(batch)
            again = REACTOR.seconds() + next(soon)
            put_off = {"state": State.DUE, "detail": "full", "next_try": again}
            return [evolve(o, **put_off) for o in done(batch)]

        real = Queue.next_near

        def late(queue: Queue, *since: float) -> Any:
            return deferLater(REACTOR, 0.6, real, queue, *since)

        self.destination.answer = answer
        self.fake()
        await self.house.begin()
        for _ in range(2):
            await self.house.accept(make_entry())
            while self.house.runner.backlog:
                await pause()
        self.patch(Queue, "next_near", late)
        await self.house.settled()

    async def test_waits_before_trying_again(self) -> None:
        """What fails is not tried again at once."""
        self.destination.answer = lambda batch: fail(OSError("full"))
        self.fake()
        self.house.start()
        await self.house.accept(make_entry())
        while self.house.runner.backlog:
            await pause()
        await pause(0.1)
        self.assertEqual(1, len(self.destination.batches))
        self.flushLoggedErrors(OSError)

    async def test_ledger_full(self) -> None:
        """What is delivered while the ledger is full is noted when it can be."""
        self.fake()
        self.house.start()
        await self.house.accept(make_entry())
        settle = self.house.ledger.settle
        refused = []

        def full(outcomes: Sequence[Outcome]) -> "Deferred[None]":
            refused.append(outcomes)
            self.house.ledger.settle = settle  # type: ignore[method-assign]
            return fail(NoSpace("full"))

        self.house.ledger.settle = full  # type: ignore[method-assign]
        await self.house.settled()
        self.assertEqual(1, len(refused))
        self.assertEqual(1, len(self.destination.batches))

    async def test_unknown_destination(self) -> None:
        """What no destination is named for stays, and stops nothing else."""
        self.house.start()
        stray = evolve(mailbox(2), destination="nowhere")
        await self.house.accept(make_entry(recipients=[mailbox(1), stray]))
        while (await self.house.reader.counts())["due"] != 1:
            await pause()
        self.assertEqual(1, len(self.house.messages()))

    async def test_stop_finishes(self) -> None:
        """At the end the batch in hand is finished and noted."""
        first: Deferred[list[Outcome]] = Deferred()
        self.destination.answer = lambda batch: first
        self.fake()
        self.house.start()
        entry = make_entry()
        await self.house.accept(entry)
        while not self.destination.batches:
            await pause()
        end = Deferred.fromCoroutine(self.house.stop())
        await pause(0.05)
        self.assertNoResult(end)
        first.callback(done(self.destination.batches[0]))
        await end
        self.house.ledger.startService()
        self.assertEqual([], await self.house.ledger.due())
