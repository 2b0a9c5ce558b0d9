"""Tests for L{smfd.control.queue} and L{smfd.control.queue_sites}."""

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from twisted.internet.task import deferLater

from smfd.control import audit, holds, queue, queue_sites
from smfd.control.house import House
from smfd.control.status import status
from smfd.control.times import utc
from smfd.model.entry import Entry, Outcome, Recipient, State
from smfd.model.queue import SiteState
from smfd.store.ids import new_id
from smfd.store.queue import Queue
from tests.control.building import OPERATOR, HouseTestCase, reactor
from tests.store.making import make_entry, remote

ANN = "ann@home.example"


class QueueTestCase(HouseTestCase):
    """A house with mail that waits."""

    async def open(self) -> House:
        """The house, and its queue."""
        house = await self.build()
        self.queue = Queue(house.ledger)
        assert house.quota is not None
        quota = evolve(house.quota, queue=self.queue)
        self.house = evolve(house, queue=self.queue, quota=quota)
        return self.house

    async def send(
        self, *to: str, sender: str = "", account: str = ANN, age: float = 0.0
    ) -> Entry:
        """A message that waits for other servers."""
        recipients = tuple(remote(n, name) for n, name in enumerate(to, 1))
        at = reactor.seconds() - age
        return await self.put(recipients, sender, account, at)

    async def put(
        self, recipients: Sequence[Recipient], sender: str, account: str, at: float
    ) -> Entry:
        """Commit it, and nothing more."""
        name = new_id(at)
        made = make_entry(recipients=tuple(recipients))
        made = evolve(
            made,
            id=name,
            received=at,
            sender=sender,
            account=account,
            record=evolve(made.record, id=name),
        )
        await self.house.ledger.commit(made)
        return made

    async def states(self) -> list[str]:
        """Where all that waits stands."""
        page = await queue.page(self.house, OPERATOR, limit=1000)
        return [item["state"] for item in page["items"]]

    async def acts(self) -> list[tuple[str, str, str]]:
        """What is in the audit, the oldest first."""
        found = await audit.page(self.house, OPERATOR)
        every = [(a["act"], a["subject"], a["detail"]) for a in found["items"]]
        return [one for one in every[::-1] if one[0].startswith("queue")]


class PageTests(QueueTestCase):
    """What waits is found."""

    async def test_filters(self) -> None:
        """By sender, recipient, site, user, age and state, and all at once."""
        house = await self.open()
        old = await self.send("v@far.example", "w@far.example", sender=ANN, age=7200)
        new = await self.send("v@far.example", "x@b.example", account="")
        await queue.hold(house, OPERATOR, id=new.id, recipient="x@b.example")
        for names, found in (
            ({}, [(old, 1), (old, 2), (new, 1), (new, 2)]),
            ({"site": "Far.example"}, [(old, 1), (old, 2), (new, 1)]),
            ({"site": "@b.example"}, [(new, 2)]),
            ({"sender": ANN}, [(old, 1), (old, 2)]),
            ({"sender": "<>"}, [(new, 1), (new, 2)]),
            ({"account": ANN.upper()}, [(old, 1), (old, 2)]),
            ({"recipient": "v@far.example"}, [(old, 1), (new, 1)]),
            ({"older": "1h"}, [(old, 1), (old, 2)]),
            ({"state": "suspended"}, [(new, 2)]),
            ({"sender": ANN, "recipient": "x@b.example"}, []),
        ):
            page = await queue.page(house, OPERATOR, **names)  # type: ignore[arg-type]
            items = [(item["id"], item["number"]) for item in page["items"]]
            self.assertEqual([(e.id, n) for e, n in found], items, names)
        await self.assert_refused("invalid", queue.page(house, OPERATOR, state="x"))
        await self.assert_refused("invalid", queue.page(house, OPERATOR, older="x"))
        await self.assert_refused("invalid", queue.page(house, OPERATOR, site="a b"))

    async def test_pages(self) -> None:
        """A page ends where the next begins, in the middle of a message too."""
        house = await self.open()
        for _ in range(3):
            await self.send("a@x.example", "b@x.example", "c@x.example")
        seen, after = [], ""
        while True:
            page = await queue.page(house, OPERATOR, after=after, limit=2)
            seen += [(item["id"], item["number"]) for item in page["items"]]
            if page["next"] is None:
                break
            after = page["next"]
        self.assertEqual((9, sorted(set(seen))), (len(seen), seen))

    async def test_mark(self) -> None:
        """A page that begins nowhere is refused: an empty one would hide what waits."""
        house = await self.open()
        sent = await self.send("v@far.example")
        for after in "zzz", sent.id, f"{sent.id}-", f"{sent.id}-x", f"{sent.id}-1\n":
            refused = queue.page(house, OPERATOR, after=after)
            self.assertIn("no place", await self.assert_refused("invalid", refused))
        page = await queue.page(house, OPERATOR, after=f"{sent.id}-0")
        self.assertEqual(1, len(page["items"]))

    async def test_show(self) -> None:
        """One message, with what keeps each of its recipients."""
        house = await self.open()
        sent = await self.send("v@far.example", "x@b.example", sender=ANN)
        await queue_sites.hold(house, OPERATOR, site="b.example")
        found = await queue.show(house, OPERATOR, id=f"{sent.id}-1")
        self.assertEqual((sent.id, ANN), (found["id"], found["sender"]))
        self.assertEqual([False, True], [one["held"] for one in found["recipients"]])
        refused = queue.show(house, OPERATOR, id="0" * 16)
        await self.assert_refused("unknown", refused)

    async def test_untried(self) -> None:
        """Who was not tried reads that nobody takes mail there, and until when."""
        house = await self.open()
        await self.send("v@far.example", sender=ANN)
        said, later = "192.0.2.1: connection refused", "2040-01-01T00:00:00Z"
        for attempts, at, why in (
            (
                3,
                2208988800.0,
                f"Nobody takes mail for far.example. It is tried next at {later}."
                f" Last: {said}",
            ),
            (
                3,
                0.0,
                "Nobody takes mail for far.example. It is tried next at once."
                f" Last: {said}",
            ),
            (
                0,
                2208988800.0,
                "far.example is left alone for a while."
                f" It is tried next at {later}. Last: {said}",
            ),
            (0, 0.0, ""),
        ):
            state = SiteState("far.example", next_try=at, attempts=attempts, why=said)
            await self.queue.note(state)
            (item,) = (await queue.page(house, OPERATOR))["items"]
            self.assertEqual(why, item["why"])
        await queue_sites.hold(house, OPERATOR, site="far.example")
        (item,) = (await queue.page(house, OPERATOR))["items"]
        self.assertEqual(
            "far.example is held: queue resume far.example lets it go.", item["why"]
        )
        await queue_sites.resume(house, OPERATOR, site="far.example")
        await queue_sites.hold(house, OPERATOR, site="*")
        (item,) = (await queue.page(house, OPERATOR))["items"]
        self.assertTrue(item["held"])
        self.assertIn("queue resume --all", item["why"])

    async def test_just_now(self) -> None:
        """What only the runner knows of a site is shown: how long it is paced, say."""
        house = await self.open()
        await self.send("v@far.example")
        why = "a limit of ours: 6 a minute to far"
        at = reactor.seconds() + 10
        self.queue.known = {
            "far.example": SiteState("far.example", next_try=at, why=why)
        }.get
        (item,) = (await queue.page(house, OPERATOR))["items"]
        self.assertIn(why, item["why"])
        self.assertTrue(item["next_try"])
        (site,) = (await queue_sites.page(house, OPERATOR))["items"]
        self.assertEqual((why, item["next_try"]), (site["why"], site["next_try"]))

    async def test_put_off(self) -> None:
        """A site whose recipients are told "later" says when, and in whose words."""
        house = await self.open()
        sent = await self.send("v@far.example", "w@far.example")
        at = reactor.seconds() + 300
        settled = [
            Outcome(sent.id, n, State.DUE, f"450 busy {n}", at + n) for n in (1, 2)
        ]
        await house.ledger.settle(settled)
        (site,) = (await queue_sites.page(house, OPERATOR))["items"]
        self.assertEqual(("450 busy 1", utc(at + 1)), (site["why"], site["next_try"]))
        await self.send("x@far.example")
        (site,) = (await queue_sites.page(house, OPERATOR))["items"]
        self.assertEqual(("", None), (site["why"], site["next_try"]))


class ActTests(QueueTestCase):
    """What operators do to it."""

    async def test_hold(self) -> None:
        """Messages are held, and let go; others stay as they are."""
        house = await self.open()
        one = await self.send("v@far.example", sender=ANN)
        await self.send("v@far.example", account="")
        done = await queue.hold(house, OPERATOR, sender=ANN, reason="a thief")
        self.assertEqual((1, 1, ["far.example"], []), tuple(done.values()))
        self.assertEqual(["suspended", "due"], await self.states())
        done = await queue.resume(house, OPERATOR, site="far.example")
        self.assertEqual((1, 1), (done["meant"], done["changed"]))
        self.assertEqual(["due", "due"], await self.states())
        self.assertEqual(
            [
                ("queue hold", f"sender {ANN}", "1 recipient. a thief"),
                ("queue resume", "site far.example", "1 recipient."),
            ],
            await self.acts(),
        )
        await self.assert_refused(
            "conflict", queue.resume(house, OPERATOR, id=one.id, yes=True)
        )

    async def test_in_vain(self) -> None:
        """Whoever has held mail tried is told what holds it."""
        house = await self.open()
        one = await self.send("v@far.example")
        await queue_sites.hold(house, OPERATOR, site="far.example")
        done = await queue.retry(house, OPERATOR, id=one.id)
        self.assertEqual(["far.example"], done["held"])
        await queue.hold(house, OPERATOR, id=one.id)
        refused = queue.retry(house, OPERATOR, id=one.id)
        said = await self.assert_refused("conflict", refused)
        self.assertEqual("What fits is held by itself.", said)
        await self.assert_refused(
            "unknown", queue.retry(house, OPERATOR, site="b.example")
        )

    async def test_fail_and_drop(self) -> None:
        """What is given up is told to its sender, what is dropped to nobody."""
        house = await self.open()
        lost = await self.send("v@far.example", sender=ANN)
        gone = await self.send("w@far.example", sender=ANN)
        await queue.fail(house, OPERATOR, id=lost.id, reason="they moved away")
        await queue.drop(house, OPERATOR, id=gone.id)
        self.assertEqual([], await self.states())
        (notice,) = await house.ledger.notices(10)
        self.assertEqual(lost.id, notice.entry_id)
        self.assertIn("given up by the postmaster: they moved away", str(notice))
        for entry, state in (lost, "failed"), (gone, "deleted"):
            found = await house.reader.record(entry.id)
            assert found is not None
            self.assertEqual([state], [r["state"] for r in found["recipients"]])

    async def test_one_of_many(self) -> None:
        """What names one recipient is not done to all of the message."""
        house = await self.open()
        sent = await self.send("v@far.example", "w@far.example")
        await self.assert_refused(
            "invalid", queue.drop(house, OPERATOR, id=f"{sent.id}-2")
        )
        self.assertEqual(2, len(await self.states()))

    async def test_retry(self) -> None:
        """What is put off is tried now, and so is the server."""
        house = await self.open()
        await self.send("v@far.example")
        touched: list[Any] = []
        self.queue.changed = touched.append
        await queue.retry(house, OPERATOR, everything=True)
        await queue.retry(house, OPERATOR, site="far.example")
        self.assertEqual({"far.example"}, set(touched[-1]))

    async def test_many(self) -> None:
        """Whoever means more than a hundred is asked, and nothing is done before."""
        house = await self.open()
        many = [f"{n}@far.example" for n in range(101)]
        await self.send(*many)
        acts: tuple[tuple[Any, dict[str, Any]], ...] = (
            (queue.hold, {"site": "far.example"}),
            (queue.fail, {"sender": "<>"}),
            (queue.drop, {"everything": True}),
            (queue_sites.hold, {"site": "far.example"}),
            (queue_sites.hold, {"site": "*"}),
            (queue_sites.reroute, {"site": "far.example", "to": "smtp://127.0.0.1"}),
        )
        for act, names in acts:
            said = await self.assert_refused("conflict", act(house, OPERATOR, **names))
            self.assertEqual("101 recipients are meant.", said)
        self.assertEqual(["due"] * 101, await self.states())
        self.assertEqual(
            ([], set(), {}), (await self.acts(), self.queue.held, self.queue.routes)
        )
        done = await queue.drop(house, OPERATOR, everything=True, yes=True)
        self.assertEqual((101, 101), (done["meant"], done["changed"]))
        self.assertEqual([], await self.states())

    async def test_named(self) -> None:
        """Nothing is done to everything because a name was forgotten."""
        house = await self.open()
        await self.send("v@far.example")
        for names in {}, {"everything": True, "site": "far.example"}:
            for act in queue.hold, queue.fail, queue.drop, queue.retry, queue.resume:
                asked = act(house, OPERATOR, **names)  # type: ignore[arg-type]
                await self.assert_refused("invalid", asked)
        await self.assert_refused(
            "invalid", queue.fail(house, OPERATOR, everything=True, reason="a\nb")
        )
        self.assertEqual(["due"], await self.states())


class HeldTests(QueueTestCase):
    """Of an account that is held nothing leaves that has not left yet (D5)."""

    async def hold(self) -> House:
        """Ann is held while mail of hers, and of others, waits for a server."""
        house = await self.open()
        await self.send("v@far.example", "w@b.example", sender=ANN)
        await self.send("x@far.example", sender="", account="bob@home.example")
        await holds.add(house, OPERATOR, address=ANN, reason="a thief")
        await self.until(["suspended", "suspended", "due"])
        return house

    async def until(self, states: list[str]) -> None:
        """Wait until all that waits stands so."""
        while await self.states() != states:
            await deferLater(reactor, 0.01)

    async def test_not_let_go(self) -> None:
        """Who lets go messages does not let go those of an account that is held."""
        house = await self.hold()
        await queue.hold(house, OPERATOR, account="bob@home.example")
        done = await queue.resume(house, OPERATOR, site="far.example")
        self.assertEqual((1, 1), (done["meant"], done["changed"]))
        self.assertEqual(["suspended", "suspended", "due"], await self.states())
        for names in {"account": ANN}, {"everything": True}:
            refused = queue.resume(house, OPERATOR, **names)
            await self.assert_refused("conflict", refused)
        await holds.reset(house, OPERATOR, address=ANN)
        done = await queue.resume(house, OPERATOR, account=ANN)
        self.assertEqual(2, done["changed"])

    async def test_why(self) -> None:
        """What is stopped says by what: no old word of a server, no time gone by."""
        house = await self.open()
        sent = await self.send("v@far.example", sender=ANN)
        outcome = Outcome(sent.id, 1, State.DUE, "451 4.7.1: later", 1.0)
        await house.ledger.settle([outcome])
        await queue.hold(house, OPERATOR, id=sent.id)
        (item,) = (await queue.page(house, OPERATOR))["items"]
        self.assertEqual(
            ("It is held by itself: queue resume lets it go.", None, False),
            (item["why"], item["next_try"], item["account_held"]),
        )
        made = await holds.add(house, OPERATOR, address=ANN, reason="a thief")
        (one,) = (await queue.show(house, OPERATOR, id=sent.id))["recipients"]
        self.assertEqual(
            (
                f"All mail of {ANN} is held since {made['since']}: a thief."
                f" Look: user held show {ANN}.",
                None,
                True,
            ),
            (one["why"], one["next_try"], one["account_held"]),
        )

    async def test_released(self) -> None:
        """Let go, it goes on; the number is told before and then."""
        house = await self.hold()
        self.assertEqual(2, (await holds.show(house, OPERATOR, address=ANN))["queued"])
        done = await holds.release(house, OPERATOR, address=ANN)
        self.assertEqual((2, 0), (done["queued"], done["done"]))
        self.assertEqual(["due"] * 3, await self.states())
        self.assertEqual(0, (await holds.show(house, OPERATOR, address=ANN))["queued"])

    async def test_purged(self) -> None:
        """Thrown away with the rest, it is gone, and nobody is told."""
        house = await self.hold()
        done = await holds.purge(house, OPERATOR, address=ANN)
        self.assertEqual(2, done["queued"])
        self.assertEqual(["due"], await self.states())
        self.assertEqual([], await house.ledger.notices(10))

    async def test_limits(self) -> None:
        """Whoever the limits hold is stopped likewise."""
        house = await self.open()
        assert house.quota is not None
        await house.quota.allowances.set_limits(
            ANN, {"hold_unknown": 1, "hold_unknown_share": 1}, actor="uid:test"
        )
        await self.send("v@far.example", sender=ANN)
        await house.quota.bounced(ANN, 1)
        await self.until(["suspended"])


class SiteTests(QueueTestCase):
    """What is done to a site is done to what is still to come, too."""

    async def test_hold(self) -> None:
        """Held and let go; what is held by itself stays so, and is counted."""
        house = await self.open()
        sent = await self.send("v@far.example", "w@far.example")
        await queue.hold(house, OPERATOR, id=sent.id, recipient="v@far.example")
        done = await queue_sites.hold(house, OPERATOR, site="FAR.example")
        self.assertEqual(("far.example", 1), (done["site"], done["waiting"]))
        self.assertTrue(self.queue.holds("far.example"))
        again = Queue(house.ledger)
        await again.load()
        self.assertEqual({"far.example"}, again.held)
        done = await queue_sites.resume(house, OPERATOR, site="far.example")
        self.assertEqual((False, 1), (done["held"], done["suspended"]))
        self.assertFalse(self.queue.holds("far.example"))
        await self.assert_refused(
            "conflict", queue_sites.resume(house, OPERATOR, site="far.example")
        )

    async def test_every(self) -> None:
        """All of them, and those that were held before stay held."""
        house = await self.open()
        await self.send("v@far.example")
        await queue_sites.hold(house, OPERATOR, site="b.example")
        done = await queue_sites.hold(house, OPERATOR, site="*")
        self.assertEqual(1, done["waiting"])
        self.assertTrue(self.queue.holds("any.example"))
        await queue_sites.resume(house, OPERATOR, site="*")
        self.assertEqual({"b.example"}, self.queue.held)

    async def test_reroute(self) -> None:
        """To another server, written as a domain's next hop is, and back."""
        house = await self.open()
        sent = await self.send("v@far.example")
        later = Outcome(sent.id, 1, State.DUE, "450 busy", reactor.seconds() + 300)
        await house.ledger.settle([later])
        done = await queue_sites.reroute(
            house, OPERATOR, site="far.example", to="smtp://192.0.2.7"
        )
        (item,) = (await queue.page(house, OPERATOR))["items"]
        self.assertIsNone(item["next_try"], "what the other server said is over")
        self.assertEqual(("smtp://192.0.2.7:25", 1), (done["route"], done["waiting"]))
        self.assertEqual("smtp://192.0.2.7:25", self.queue.route_of("far.example"))
        shape = await queue_sites.page(house, OPERATOR)
        self.assertEqual("smtp://192.0.2.7:25", shape["items"][0]["route"])
        await queue_sites.reroute(house, OPERATOR, site="far.example", to="none")
        self.assertEqual("", self.queue.route_of("far.example"))
        for kind, to in (
            ("conflict", "none"),
            ("invalid", "192.0.2.7"),
            ("invalid", "smtp://x:0"),
            ("invalid", ""),
        ):
            asked = queue_sites.reroute(house, OPERATOR, site="far.example", to=to)
            await self.assert_refused(kind, asked)
        hop = "smtp://192.0.2.7"
        ours = queue_sites.reroute(house, OPERATOR, site="home.example", to=hop)
        await self.assert_refused("conflict", ours)
        self.assertEqual(2, len(await self.acts()))

    async def test_status(self) -> None:
        """The status says what is held and goes elsewhere, lest it be forgotten."""
        house = await self.open()
        before = (await status(house, OPERATOR))["warnings"]
        for n in range(11):
            await queue_sites.hold(house, OPERATOR, site=f"a{n:02}.example")
        await queue_sites.hold(house, OPERATOR, site="*")
        hop = "smtp://192.0.2.7"
        await queue_sites.reroute(house, OPERATOR, site="b.example", to=hop)
        said = (await status(house, OPERATOR))["warnings"]
        first, second, third = [one for one in said if one not in before]
        self.assertIn("All mail for other servers is held", first)
        self.assertIn("a00.example, a01.example, ", second)
        self.assertIn("a09.example and 1 more: ", second)
        self.assertIn("b.example", third)

    async def test_on_hold(self) -> None:
        """What is on hold is counted apart: a queue that does not move is not empty."""
        house = await self.open()
        await self.send("v@far.example")
        entry = await self.send("w@far.example")
        await queue.hold(house, OPERATOR, id=entry.id)
        found = await status(house, OPERATOR)
        self.assertEqual((1, 1), (found["queue"], found["suspended"]))

    async def test_shape(self) -> None:
        """How much waits for whom, each recipient in one age only."""
        house = await self.open()
        for age in 0, 600, 7200, 10, 9 * 86400:
            await self.send("v@far.example", age=age)
        await self.send("v@b.example")
        await self.send("w@c.example")
        await queue.hold(house, OPERATOR, site="c.example")
        shape = await queue_sites.page(house, OPERATOR)
        self.assertEqual((6, 1, 0), (shape["due"], shape["suspended"], shape["down"]))
        self.assertEqual([300, 3600, 14400, 86400, 259200], shape["ages"])
        self.assertEqual(
            [("far.example", [2, 1, 1, 0, 0, 1]), ("b.example", [1, 0, 0, 0, 0, 0])],
            [(site["site"], site["ages"]) for site in shape["items"]],
        )
