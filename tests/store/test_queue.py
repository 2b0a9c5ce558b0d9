"""The queue by site: found, held back, let go, given up."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from smfd.model.entry import NOTHING, Asked, Entry, Outcome, Recipient, State
from smfd.model.queue import EVERY, Changed, Choice, SiteState
from smfd.store import ledger_age, ledger_due, ledger_queue
from smfd.store.ledger import Ledger
from smfd.store.ledger_schema import open_reader
from smfd.store.ledger_sites import Share
from smfd.store.queue import Queue
from smfd.store.reader import Reader
from tests.store.making import REACTOR, mailbox, make_entry, remote

MANY = 1_000_000

#: All that is due there.
ALL = Share("a.example", (), MANY, MANY, MANY)


class QueueCase(TestCase):
    """A ledger with mail for other servers."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.ledger = Ledger(self.home, REACTOR, REACTOR, patience=0.005)
        self.reader = Reader(self.home, REACTOR)
        self.queue = Queue(self.ledger)
        self.touched: list[Collection[str]] = []
        self.queue.changed = self.touched.append
        self.ledger.startService()
        self.reader.startService()
        self.addCleanup(lambda: self.ledger.stopService())
        self.addCleanup(self.reader.stopService)

    async def send(self, *recipients: Recipient, **other: Any) -> Entry:
        """A message that is ours now."""
        entry = evolve(make_entry(recipients=recipients), **other)
        await self.ledger.commit(entry)
        return entry

    async def to(self, *sites: str) -> Entry:
        """A message to somebody at each of them."""
        recipients = [remote(n, f"u@{site}") for n, site in enumerate(sites, 1)]
        return await self.send(*recipients)

    async def due(
        self, site: str, skip: Collection[tuple[str, int]] = (), limit: int = MANY
    ) -> list[tuple[str, int]]:
        """Who is due there."""
        found = await self.queue.due_of(Share(site, skip, limit, MANY, MANY))
        return [c.key for c in found.consignments]

    def count(self, table: str) -> int:
        """How many rows a table has."""
        connection = open_reader(self.home / "ledger.db")
        try:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            return int(count)
        finally:
            connection.close()

    async def states(self, entry: Entry) -> list[str]:
        """Where its recipients stand."""
        found = await self.reader.record(entry.id)
        assert found is not None
        return [recipient["state"] for recipient in found["recipients"]]


class SiteTests(QueueCase):
    """What waits for which server."""

    async def test_by_site(self) -> None:
        """A site's mail is found without that of others, as it was given."""
        entry = await self.to("a.example", "B.example", "a.example")
        await self.send(mailbox(1))
        found = await self.queue.due_of(ALL)
        first, _, third = entry.consignments(1)
        self.assertEqual([first, third], found.consignments)
        self.assertEqual((False, None), (found.more, found.next_try))
        self.assertEqual([(entry.id, 2)], await self.due("b.example"))

    async def test_pages(self) -> None:
        """What is in hand is passed by; one is told when there is more."""
        sent = [(await self.to("a.example")).id for _ in range(5)]
        in_hand, seen = set[tuple[str, int]](), list[str]()
        more = True
        while more:
            found = await self.queue.due_of(evolve(ALL, skip=in_hand, limit=2))
            more = found.more
            in_hand |= {(c.entry_id, 1) for c in found.consignments}
            seen += [c.entry_id for c in found.consignments]
        self.assertEqual(sorted(sent), sorted(seen))

    async def test_large(self) -> None:
        """Bodies and messages are bounded; the recipients of one share its body."""
        two = [remote(1, "u@a.example"), remote(2, "v@a.example")]
        for _ in range(3):
            await self.ledger.commit(make_entry(b"x" * 600, two))
        found = await self.queue.due_of(evolve(ALL, octets=600))
        self.assertEqual(2, len(found.consignments))
        self.assertIs(found.consignments[0].body, found.consignments[1].body)
        self.assertTrue(found.more)
        found = await self.queue.due_of(evolve(ALL, messages=2))
        self.assertEqual((4, True), (len(found.consignments), found.more))

    async def test_put_off(self) -> None:
        """Who is put off is not due, and it is known until when."""
        entry = await self.to("a.example", "a.example")
        later = REACTOR.seconds() + 100
        await self.ledger.settle([Outcome(entry.id, 1, State.DUE, "4xx", later)])
        found = await self.queue.due_of(ALL)
        self.assertEqual([2], [c.recipient.number for c in found.consignments])
        self.assertEqual(later, found.next_try)

    async def test_owed(self) -> None:
        """All sites with work are found, in pages, with when it begins."""
        names = [f"{n:02}.example" for n in range(10)]
        entry = await self.to(*names, *names)
        later = REACTOR.seconds() + 100
        await self.ledger.settle(
            [Outcome(entry.id, n, State.DUE, "", later + n) for n in (1, 2, 11)]
        )
        down = SiteState("02.example", next_try=later, attempts=3, why="no", since=5.0)
        await self.queue.note(down)
        found, after = [], ""
        while page := await self.queue.owed(after, 3):
            found += page
            after = page[-1].state.site
        self.assertEqual(names, [owed.state.site for owed in found])
        self.assertEqual([later + 1, 0, 0], [owed.first for owed in found[:3]])
        self.assertEqual(down, found[2].state)

    async def test_well_again(self) -> None:
        """Of a site that is well nothing is kept, but what an operator said."""
        for site in ("a.example", "b.example"):
            await self.queue.note(SiteState(site, next_try=5.0, attempts=1))
        await self.queue.note(SiteState("a.example", next_try=9e9, attempts=7))
        await self.queue.reroute("a.example", "smtp://b.example:25")
        self.assertEqual("smtp://b.example:25", self.queue.route_of("a.example"))
        (state,) = await self.queue.states(["a.example"])
        self.assertEqual((0.0, 1), (state.next_try, state.attempts))
        for site in ("a.example", "b.example"):
            await self.queue.note(SiteState(site))
        again = Queue(self.ledger)
        await again.load()
        self.assertEqual("smtp://b.example:25", again.route_of("a.example"))
        self.assertEqual({"a.example": "smtp://b.example:25"}, again.routes)
        self.assertFalse(again.holds("a.example"))
        self.assertEqual(1, self.count("sites"))
        await self.queue.reroute("a.example", "")
        self.assertEqual(0, self.count("sites"))
        rows = await self.queue.states(["a.example"])
        self.assertEqual([SiteState("a.example")], rows)

    async def test_old_to_many(self) -> None:
        """What was sent to hundreds each grows old in slices that hold nobody up."""
        self.patch(ledger_age, "SLICE", 20)
        sent = [await self.to(*[f"{n}.x" for n in range(8)]) for _ in range(9)]
        before = REACTOR.seconds() + 10.0
        pages, after = list[list[str]](), ""
        while not pages or after:
            page, after = await self.queue.old(after, before)
            pages.append([one.consignment.entry_id for one in page])
        self.assertEqual([24, 24, 24, 0], [len(page) for page in pages])
        told = sorted(name for page in pages for name in page)
        self.assertEqual(sorted(e.id for e in sent for _ in range(8)), told)

    async def test_held_sites(self) -> None:
        """Who holds a site holds it after a restart, until he lets it go."""
        await self.queue.hold_sites(["a.example"], True)
        again = Queue(self.ledger)
        await again.load()
        self.assertTrue(again.holds("a.example"))
        self.assertFalse(again.holds("b.example"))
        await again.hold_sites([EVERY], True)
        self.assertTrue(again.holds("b.example"))
        await again.hold_sites([EVERY, "a.example"], False)
        self.assertFalse(again.holds("a.example"))
        self.assertEqual([["a.example"]], self.touched)

    async def test_near(self) -> None:
        """What stays with us is found beside any number of what does not."""
        self.patch(ledger_due, "SPAN", 4)
        far = [self.to("a.example") for _ in range(10)]
        await gatherResults([Deferred.fromCoroutine(one) for one in far])
        entry = await self.send(mailbox(1), remote(2), mailbox(3))
        found, asked = list[int](), 0
        after: tuple[str, int] | None = ("", 0)
        while after is not None:
            page, after = await self.queue.near(after, 1)
            found += [c.recipient.number for c in page if c.entry_id == entry.id]
            self.assertLessEqual(len(page), 1)
            asked += 1
        self.assertEqual([1, 3], found)
        self.assertGreater(asked, 3)

    async def test_near_put_off(self) -> None:
        """What stays with us and failed for now is found by its time."""
        entry = await self.send(*(mailbox(n) for n in range(1, 6)), remote(6))
        await self.ledger.settle(
            [Outcome(entry.id, n, State.DUE, "full", 10.0 - n) for n in (1, 2, 3, 6)]
            + [Outcome(entry.id, 4, State.DUE, "full", REACTOR.seconds() + 50)]
        )
        found = []
        mark: tuple[float, str, int] | None = (0.0, "", 0)
        while mark is not None:
            page, mark = await self.queue.put_off(mark, 2)
            found += [c.recipient.number for c in page]
        self.assertEqual([3, 2, 1], found)


class ActTests(QueueCase):
    """What operators do."""

    async def test_suspend(self) -> None:
        """Suspended mail is not due, keeps its body, and comes back whole."""
        entry = await self.to("a.example", "b.example")
        choice = Choice(entry=entry.id)
        changed = await self.queue.suspend(choice, "anna")
        self.assertEqual(Changed(2, frozenset(["a.example", "b.example"])), changed)
        self.assertEqual([], await self.due("a.example"))
        self.assertEqual([], await self.queue.owed())
        await self.ledger.settle([Outcome(entry.id, 2, State.DELIVERED)])
        self.assertEqual(["suspended", "delivered"], await self.states(entry))
        await self.queue.resume(choice, "anna")
        found = await self.queue.due_of(ALL)
        self.assertEqual(
            [entry.consignments(2)[0].body], [c.body for c in found.consignments]
        )

    async def test_suspended_under_way(self) -> None:
        """What was under way meanwhile and is put off stays suspended."""
        entry = await self.to("a.example")
        await self.queue.suspend(Choice(site="a.example"), "anna")
        await self.ledger.settle([Outcome(entry.id, 1, State.DUE, "4xx", 5.0)])
        self.assertEqual(["suspended"], await self.states(entry))

    async def test_chosen(self) -> None:
        """Only those are touched who fit all that is named."""
        self.patch(ledger_queue, "SLICE", 2)
        mine = await self.send(
            remote(1), remote(2, "w@b.example"), account="u@d.example"
        )
        other = await self.send(remote(1), mailbox(2), sender="else@d.example")
        for choice, wanted in (
            (Choice(account="u@d.example"), [2, 0]),
            (Choice(sender="else@d.example"), [0, 2]),
            (Choice(site="far.example"), [1, 1]),
            (Choice(site="far.example", account="u@d.example"), [1, 0]),
            (Choice(recipient="w@b.example"), [1, 0]),
            (Choice(entry=other.id, site="far.example"), [0, 1]),
            (Choice(), [2, 2]),
        ):
            changed = await self.queue.suspend(choice, "anna")
            found = [
                (await self.states(entry)).count("suspended") for entry in (mine, other)
            ]
            self.assertEqual((wanted, sum(wanted)), (found, changed.count), choice)
            await self.queue.resume(Choice(), "anna")

    async def test_many(self) -> None:
        """However many are chosen, all are reached, in slices."""
        self.patch(ledger_queue, "SLICE", 3)
        sent = [await self.to("a.example", "b.example") for _ in range(10)]
        self.assertEqual(
            10, (await self.queue.suspend(Choice(site="a.example"), "")).count
        )
        self.assertEqual(10, (await self.queue.suspend(Choice(), "")).count)
        self.assertEqual(20, (await self.queue.drop(Choice(), "anna")).count)
        self.assertEqual(["deleted"] * 2, await self.states(sent[0]))

    async def test_retry(self) -> None:
        """Who is put off is due at once, and his server's waits begin anew."""
        self.patch(ledger_queue, "SLICE", 1)
        entry, other = await self.to("a.example"), await self.to("a.example")
        later = REACTOR.seconds() + 100
        for choice in (
            Choice(site="a.example"),
            Choice(entry=entry.id),
            Choice(),
            Choice(sender="a@b.example"),
        ):
            await self.ledger.settle([Outcome(entry.id, 1, State.DUE, "4xx", later)])
            await self.queue.note(SiteState("a.example", next_try=later, attempts=7))
            changed = await self.queue.retry(choice, "anna")
            self.assertEqual(Changed(1, frozenset(["a.example"])), changed)
            self.assertEqual(
                {(entry.id, 1), (other.id, 1)}, set(await self.due("a.example"))
            )
            (state,) = await self.queue.states(["a.example"])
            self.assertEqual((0.0, 1), (state.next_try, state.attempts))

    async def test_retry_many(self) -> None:
        """However many sites somebody's mail waits for, all are tried again."""
        self.patch(ledger_queue, "SLICE", 2)
        names = [f"{n}.example" for n in range(5)]
        later = REACTOR.seconds() + 1000
        for name in names:
            await self.to(name)
            await self.queue.note(SiteState(name, next_try=later, attempts=1))
        await self.queue.retry(Choice(sender="a@b.example"), "anna")
        states = await self.queue.states(names)
        self.assertEqual([0.0] * 5, [state.next_try for state in states])

    async def test_looked_at(self) -> None:
        """Whatever is decided of a site's mail, it is looked at again, and no other."""
        await self.to("a.example")
        await self.to("b.example")
        choice, queue = Choice(site="a.example"), self.queue
        for decide in (
            lambda: queue.suspend(choice, "anna"),
            lambda: queue.resume(choice, "anna"),
            lambda: queue.retry(choice, "anna"),
            lambda: queue.reroute("a.example", "smtp://c.example:25"),
            lambda: queue.drop(choice, "anna"),
        ):
            self.touched.clear()
            await decide()
            self.assertEqual([{"a.example"}], [set(names) for names in self.touched])

    async def test_asked(self) -> None:
        """What a sender asked for goes along, each word of it alone."""
        for n, asked in enumerate(
            (
                NOTHING,
                Asked("HDRS"),
                Asked(envid="QQ1"),
                Asked(body="8BITMIME"),
                Asked(smtputf8=True),
                Asked(despite_tls=True),
            )
        ):
            await self.send(remote(1, f"u@{n}.x"), asked=asked)
            found = await self.queue.due_of(Share(f"{n}.x", (), MANY, MANY, MANY))
            self.assertEqual([asked], [c.asked for c in found.consignments])

    async def test_fail(self) -> None:
        """Who is given up is told so, unless he did not want to hear."""
        entry = await self.send(
            remote(1),
            remote(2, notify="NEVER"),
            remote(3, notify="SUCCESS"),
            mailbox(4),
            account="u@d.example",
        )
        stranger = await self.send(remote(1))
        await self.queue.fail(Choice(entry=stranger.id), "too old", "anna")
        told: list[int] = []
        self.ledger.noticed = lambda: told.append(1)
        await self.queue.suspend(Choice(entry=entry.id), "anna")
        self.assertEqual([], told)
        changed = await self.queue.fail(Choice(entry=entry.id), "too old", "anna")
        self.assertEqual(4, changed.count)
        (notice,) = await self.ledger.notices()
        self.assertEqual(
            [(1, "failed", "too old"), (4, "failed", "too old")],
            [(t.number, t.kind, t.detail) for t in notice.told],
        )
        self.assertEqual([1], told)
        self.assertEqual(["failed"] * 4, await self.states(entry))
        await self.ledger.unanswered(notice.keys)
        self.assertEqual([], await self.page(Choice(states=("failed",))))

    async def test_drop(self) -> None:
        """What is dropped is gone with its body, and nobody hears of it."""
        path = self.home / "large"
        path.write_bytes(b"x")
        freed: list[str] = []
        self.ledger.freed = freed.extend
        body = evolve(make_entry().body, data=None, path=str(path))
        entry = await self.send(remote(1), body=body)
        await self.queue.drop(Choice(site="far.example"), "anna")
        self.assertEqual([str(path.absolute())], freed)
        self.assertEqual([], await self.ledger.notices())
        record = await self.reader.record(entry.id)
        assert record is not None
        self.assertEqual("anna", record["recipients"][0]["actor"])

    async def page(self, choice: Choice) -> list[dict[str, Any]]:
        """What is listed."""
        return await self.reader.queue_page(choice)


class ListTests(QueueCase):
    """What operators see."""

    async def test_page(self) -> None:
        """The queue is listed in pages, the oldest first, with all that helps."""
        sent = [await self.to("a.example", "b.example") for _ in range(3)]
        middle = sorted(entry.id for entry in sent)[1]
        await self.queue.suspend(Choice(entry=middle), "anna")
        await self.queue.note(
            SiteState("a.example", next_try=9.0, attempts=1, why="refused")
        )
        for choice, count in (
            (Choice(), 6),
            (Choice(site="a.example"), 3),
            (Choice(site="a.example", states=("due",)), 2),
            (Choice(site="a.example", states=("suspended",)), 1),
            (Choice(recipient="u@b.example", states=("due",)), 2),
        ):
            found, after = list[dict[str, Any]](), ("", 0)
            while page := await self.reader.queue_page(choice, after, 1):
                found += page
                after = page[-1]["id"], page[-1]["number"]
            keys = [(row["id"], row["number"]) for row in found]
            self.assertEqual((count, sorted(keys)), (len(found), keys), choice)
        (first, *_) = await self.reader.queue_page(Choice(site="a.example"))
        self.assertEqual(
            ("u@a.example", "a@b.example", "due", "refused"),
            (first["recipient"], first["sender"], first["state"], first["site_why"]),
        )

    async def test_shape(self) -> None:
        """Its shape: the largest sites first, and how old their mail is."""
        now = REACTOR.seconds()
        for age in (10, 1000, 100_000):
            entry = make_entry(recipients=[remote(1, "u@a.example")], when=now - age)
            await self.ledger.commit(entry)
        await self.to("b.example")
        await self.to("c.example")
        await self.queue.suspend(Choice(site="c.example"), "anna")
        await self.queue.hold_sites(["b.example"], True)
        for site in "a.example", "c.example", "gone.example":
            await self.queue.note(SiteState(site, next_try=now + 9, attempts=1))
        shape = await self.reader.queue_shape(now)
        self.assertEqual(1, shape["down"], "only where something waits")
        self.assertEqual(
            (4, 1, [300, 3600, 14400, 86400, 259200]),
            (shape["due"], shape["suspended"], shape["ages"]),
        )
        a, b = shape["sites"]
        self.assertEqual(
            ("a.example", 3, [2, 1, 1, 1, 0]), (a["site"], a["n"], a["ages"])
        )
        self.assertEqual(("b.example", 1, 1), (b["site"], b["n"], b["held"]))
