"""Senders hear what became of their messages, once, and not too often."""

from collections.abc import Callable, Sequence
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.delivery.bounce import Bounces, Terms
from smfd.delivery.bounce_letter import Way
from smfd.delivery.bounce_pace import Pace
from smfd.model.entry import NOTHING, Asked, Entry, Outcome, Recipient, State
from smfd.model.notice import NoticeKey
from smfd.store import ledger_notices
from smfd.store.annex import Annex
from smfd.store.ids import new_id
from smfd.store.ledger import LedgerTrouble, NoSpace
from smfd.store.ledger_notices import reported
from smfd.store.ledger_rows import ENTRIES, entry_row
from smfd.store.ledger_schema import open_writer
from smfd.store.threads import Closed
from tests.store.making import REACTOR, SmallHouse, mailbox, make_entry

ANN = "ann@d.example"
HEADER = b"From: Ann <ann@d.example>\r\nSubject: Hello\r\nMessage-ID: <1@d>\r\n"
REFUSED = "550 5.1.1 host mx.far.example [192.0.2.9]: no such user"
LATER = "450 4.2.2 host mx.far.example [192.0.2.9]: mailbox full"
FULL = f"not delivered in 5 days: {LATER}"


def far(number: int, notify: str = "", orcpt: str = "") -> Recipient:
    """A recipient in the world."""
    name = f"u{number}@far.example"
    return Recipient(number, name, "remote", notify=notify, orcpt=orcpt)


def letter(*to: Recipient, sender: str = ANN, asked: Asked = NOTHING) -> Entry:
    """A message of Ann's."""
    entry = make_entry(HEADER + b"\r\nHi.\r\n", to or (far(1),))
    return evolve(entry, sender=sender, account=sender, asked=asked)


def groups(octets: bytes) -> list[Message]:
    """What a report says: of the message, then of each recipient."""
    for part in message_from_bytes(octets).walk():
        if part.get_content_type() == "message/delivery-status":
            return list(part.get_payload())
    return []


def named(octets: bytes) -> list[tuple[str, str, str]]:
    """Whom a report names, and what it says of him."""
    return [
        (g["final-recipient"].partition("; ")[2], g["action"], g["status"])
        for g in groups(octets)[1:]
    ]


class BounceTestCase(TestCase):
    """A house whose senders are told."""

    timeout = 120
    terms = Terms(gather=0.05)

    async def build(self) -> None:
        """Start it."""
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.house = SmallHouse(self.home)
        await self.house.begin()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.house.stop()))
        self.hosted = {ANN: [Way(ANN, "maildir")]}
        self.made: list[Entry] = []
        self.hands: Any = self.house.hands
        self.open()

    def open(self, clock: Any = REACTOR) -> None:
        """Reports are written from now on."""
        self.bounces = Bounces(
            self.house.ledger,
            self.ways,
            self.keep,
            self.hands,
            "mx.d.example",
            lambda: new_id(REACTOR.seconds()),
            clock,
            self.terms,
        )
        self.bounces.startService()
        self.addCleanup(lambda: self.bounces.stopService())

    async def ways(self, address: str) -> Sequence[Way]:
        """Ours, or the world."""
        if address.endswith("@d.example"):
            return self.hosted.get(address, [])
        return [Way(address, "remote")]

    async def keep(self, entry: Entry, answers: Sequence[NoticeKey]) -> None:
        """As a house does."""
        await self.house.ledger.commit(entry, answers=answers)
        self.made.append(entry)
        if entry.recipients[0].destination == "maildir":
            self.house.runner.take(entry)

    async def end(
        self, entry: Entry, *states: State, detail: str = REFUSED, new: bool = True
    ) -> None:
        """A message was sent, and came to these ends."""
        if new:
            await self.house.ledger.commit(entry)
        outcomes = [
            c.outcome(state, detail, next_try=REACTOR.seconds() + 3600)
            for c, state in zip(entry.consignments(), states, strict=True)
        ]
        await self.house.ledger.settle(outcomes)

    async def told(self) -> list[bytes]:
        """The reports in mailboxes, once nothing is left to be said."""
        for _ in range(2000):
            left = await self.house.ledger.notices(1)
            # What is committed may not be on its way yet.
            if not left and self.bounces._round is None:
                break
            await deferLater(REACTOR, 0.01)
        for _ in range(500):
            if not self.house.runner.backlog:
                break
            await deferLater(REACTOR, 0.01)
        return self.house.messages()

    async def quiet(self) -> None:
        """Nothing comes any more."""
        await deferLater(REACTOR, 0.3)


class ToldTests(BounceTestCase):
    """What is said, and to whom."""

    async def test_failed(self) -> None:
        """One report names exactly those who failed for ever (R11)."""
        await self.build()
        entry = letter(*(far(n) for n in range(1, 9)))
        ends = [State.DELIVERED] * 3 + [State.DUE] * 3 + [State.FAILED] * 2
        await self.end(entry, *ends)
        (report,) = await self.told()
        expected = [
            ("u7@far.example", "failed", "5.1.1"),
            ("u8@far.example", "failed", "5.1.1"),
        ]
        self.assertEqual(expected, named(report))
        one = groups(report)[1]
        self.assertEqual("dns; mx.far.example", one["remote-mta"])
        self.assertEqual("smtp; 550 5.1.1 no such user", one["diagnostic-code"])
        for words in (
            b"Return-Path: <>\r\n",
            b"\r\nTo: <ann@d.example>\r\n",
            b"<postmaster@d.example>",
            b"\r\nReferences: <1@d>\r\n",
            HEADER,
        ):
            self.assertIn(words, report)
        self.assertNotIn(b"Hi.", report)
        (made,) = self.made
        found = await self.house.reader.record(made.id)
        assert found is not None
        record: dict[str, Any] = found["record"]
        self.assertEqual("Not delivered: Hello", record["subject"])
        self.assertIn(entry.id, record["fates"][0]["reason"])
        self.assertEqual("local", record["flow"])

    async def test_later(self) -> None:
        """Who fails days later is named in a report of his own, and nobody twice."""
        await self.build()
        entry = letter(far(1), far(2))
        await self.end(entry, State.FAILED, State.DUE)
        self.assertEqual(1, len(await self.told()))
        await self.end(entry, State.FAILED, State.FAILED, detail=FULL, new=False)
        said = [named(report) for report in await self.told()]
        self.assertCountEqual(
            [
                [("u1@far.example", "failed", "5.1.1")],
                [("u2@far.example", "failed", "4.2.2")],
            ],
            said,
        )

    async def test_gathered(self) -> None:
        """Ends that come close together are told together."""
        await self.build()
        await self.bounces.stopService()
        clock: Any = Clock()
        clock.advance(REACTOR.seconds())
        self.terms = Terms(gather=10.0)
        self.open(clock)
        entry = letter(far(1), far(2))
        await self.end(entry, State.FAILED, State.DUE)
        await self.turn(clock)
        self.assertEqual([], self.made)
        await self.end(entry, State.FAILED, State.FAILED, new=False)
        await self.turn(clock)
        (report,) = await self.told()
        self.assertEqual(2, len(named(report)))

    async def test_just_tried(self) -> None:
        """While others are tried it waits for them, and names all who failed."""
        await self.build()
        entry = letter(far(1), far(2), far(3))
        one, two, three = entry.consignments()
        await self.house.ledger.commit(entry)
        await self.house.ledger.settle([one.outcome(State.FAILED, REFUSED)])
        await self.quiet()
        self.assertEqual([], self.made)
        late = REACTOR.seconds() + 3600
        ends = two.outcome(State.FAILED, REFUSED), three.outcome(State.DUE, "", late)
        await self.house.ledger.settle(ends)
        (report,) = await self.told()
        self.assertEqual(2, len(named(report)))

    async def test_patience(self) -> None:
        """Who failed is told soon, however long the others are tried."""
        self.terms = Terms(gather=0.05, patience=0.4)
        await self.build()
        entry = letter(far(1), far(2))
        await self.house.ledger.commit(entry)
        (one, _) = entry.consignments()
        await self.house.ledger.settle([one.outcome(State.FAILED, REFUSED)])
        (report,) = await self.told()
        self.assertEqual(1, len(named(report)))

    async def test_too_many(self) -> None:
        """More than a report names are named in the next; nobody twice."""
        self.patch(ledger_notices, "NAMED", 3)
        await self.build()
        others = [letter(far(1)) for _ in range(5)]
        for other in others:
            await self.house.ledger.commit(other)
        entry = letter(*(far(n) for n in range(1, 8)))
        await self.end(entry, *[State.FAILED] * 7)
        for other in others:
            await self.end(other, State.FAILED, new=False)
        about = [r for r in await self.told() if entry.id.encode() in r]
        names = [name for report in about for name, _, _ in named(report)]
        self.assertEqual(3, len(about))
        self.assertCountEqual([f"u{n}@far.example" for n in range(1, 8)], names)

    async def turn(self, clock: Any) -> None:
        """Ten seconds later, and all that is done then."""
        clock.advance(10.0)
        while self.bounces._round is not None:
            await deferLater(REACTOR, 0.01)

    async def test_asked(self) -> None:
        """Success is told to who asked for it, by the names that he gave."""
        await self.build()
        asked = Asked("HDRS", "QQ+2B314")
        entry = letter(
            far(1, "SUCCESS", "rfc822;Some+2Bone@far.example"), far(2), asked=asked
        )
        await self.end(
            entry, State.DELIVERED, State.DELIVERED, detail="250 2.1.5 host a.b: ok"
        )
        (report,) = await self.told()
        self.assertEqual([("u1@far.example", "relayed", "2.0.0")], named(report))
        general, one = groups(report)
        self.assertEqual("QQ+314", general["original-envelope-id"])
        self.assertEqual("rfc822; Some+one@far.example", one["original-recipient"])

    async def test_alias(self) -> None:
        """Who is behind an alias of ours stays its owner's affair."""
        await self.build()
        name = "rfc822;team@d.example"
        to = [
            evolve(mailbox(n), address=f"{who}@d.example", notify="SUCCESS", orcpt=name)
            for n, who in enumerate(("bob", "eve"), 1)
        ]
        entry = evolve(letter(*to, sender="zoe@far.example"), account="")
        entry = evolve(entry, top=b"Received: by us for <bob@d.example>\r\n")
        await self.end(entry, State.DELIVERED, State.DELIVERED, detail="mail/d/bob/new")
        await self.told()
        (made,) = self.made
        octets = made.body.data or b""
        self.assertEqual([("team@d.example", "delivered", "2.0.0")], named(octets))
        for secret in b"bob", b"eve":
            self.assertNotIn(secret, octets)

    async def test_full(self) -> None:
        """A user of ours may have a small message back whole; nobody else."""
        await self.build()
        full = Asked("FULL")
        await self.end(letter(asked=full), State.FAILED)
        (report,) = await self.told()
        self.assertIn(b"Content-Type: message/rfc822\r\n", report)
        self.assertIn(HEADER + b"\r\nHi.\r\n", report)
        stranger = evolve(letter(sender="zoe@far.example", asked=full), account="")
        await self.end(stranger, State.FAILED)
        await self.end(letter(far(1, "SUCCESS"), asked=full), State.DELIVERED)
        large = make_entry(HEADER + b"\r\n" + b"x" * 70_000, [far(1)])
        large = evolve(large, sender=ANN, account=ANN, asked=full)
        await self.end(large, State.FAILED)
        await self.told()
        for made in self.made[1:]:
            self.assertIn(b"text/rfc822-headers", made.body.data or b"")
        self.assertEqual(4, len(self.made))

    async def test_delayed(self) -> None:
        """A warning says until when it is tried."""
        await self.build()
        entry = letter(far(1))
        await self.end(entry, State.DUE)
        outcome = entry.consignments()[0].outcome(State.DUE, LATER)
        await self.house.ledger.settle([evolve(outcome, notice="delayed")])
        (report,) = await self.told()
        self.assertEqual([("u1@far.example", "delayed", "4.2.2")], named(report))
        until = groups(report)[1]["will-retry-until"]
        self.assertTrue(until)

    async def test_world(self) -> None:
        """A sender elsewhere is told by the null sender, who hears of nothing."""
        await self.build()
        await self.end(letter(sender="zoe@far.example"), State.FAILED)
        await self.told()
        (made,) = self.made
        (to,) = made.recipients
        self.assertEqual(
            ("", "zoe@far.example", "remote", "NEVER", b""),
            (made.sender, to.address, to.destination, to.notify, to.top),
        )
        self.assertIn(b"<postmaster@mx.d.example>", made.body.data or b"")
        self.assertEqual("outbound", made.record.flow)
        # R54: a report that fails is the end of it.
        await self.end(made, State.FAILED, new=False)
        await self.quiet()
        self.assertEqual([], await self.house.ledger.notices())
        self.assertEqual(1, len(self.made))

    async def test_nobody(self) -> None:
        """Whose mailbox is gone is not told, and nothing waits for him."""
        await self.build()
        await self.end(letter(sender="gone@d.example"), State.FAILED)
        self.assertEqual([], await self.told())
        self.assertEqual([], self.made)
        self.assertEqual([], await self.house.ledger.notices())

    async def test_copies(self) -> None:
        """Who looks after the house may have a copy of what failed, not of all."""
        self.terms = Terms(gather=0.05, copies="boss@d.example")
        await self.build()
        self.hosted["boss@d.example"] = [Way("boss@d.example", "maildir")]
        await self.end(letter(far(1, "SUCCESS,FAILURE")), State.DELIVERED)
        self.assertEqual(1, len(await self.told()))
        await self.end(letter(), State.FAILED)
        self.assertEqual(3, len(await self.told()))

    async def test_odd_words(self) -> None:
        """Words that are none of ours are told as they are, with a class at least."""
        await self.build()
        await self.end(letter(), State.FAILED, detail="it burnt\r\nX: y")
        (report,) = await self.told()
        self.assertEqual([("u1@far.example", "failed", "5.0.0")], named(report))
        self.assertEqual("x-smfd; it burnt X: y", groups(report)[1]["diagnostic-code"])

    async def test_cause(self) -> None:
        """Where a status says nothing, or too little, the words of the refusal do."""
        await self.build()
        for words, meant in (
            ("550 5.0.0 host a.b: unknown user", b"There is no such mailbox."),
            (
                "554 5.7.1 host a.b: Service unavailable; Client host [192.0.2.1] "
                "blocked using zen.spamhaus.org",
                b"thinks badly of our servers",
            ),
            ("550 5.0.0 host a.b: no", b"may say why"),
        ):
            await self.end(letter(), State.FAILED, detail=words)
            reports = await self.told()
            self.assertTrue([r for r in reports if meant in r], words)


class OnceTests(BounceTestCase):
    """Once, however things break."""

    async def test_broken_before(self) -> None:
        """What could not be committed is said later."""
        await self.build()
        keep, tries = self.keep, list[Entry]()

        async def broken(entry: Entry, answers: Sequence[NoticeKey]) -> None:
            tries.append(entry)
            if len(tries) == 1:
                raise LedgerTrouble("the disk is full")
            await keep(entry, answers)

        self.patch(self.bounces, "_keep", broken)
        self.patch(Bounces, "again", 0.05)
        await self.end(letter(), State.FAILED)
        self.assertEqual(1, len(await self.told()))
        self.assertEqual(2, len(tries))

    async def test_broken_behind(self) -> None:
        """What broke behind the commit was said, and is not said again."""
        await self.build()
        keep = self.keep

        async def broken(entry: Entry, answers: Sequence[NoticeKey]) -> None:
            await keep(entry, answers)
            raise RuntimeError("killed here")

        self.patch(self.bounces, "_keep", broken)
        self.patch(Bounces, "again", 0.05)
        await self.end(letter(), State.FAILED)
        self.assertEqual(1, len(await self.told()))
        await self.quiet()
        self.assertEqual(1, len(self.made))
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    async def test_restart(self) -> None:
        """What nobody said before a restart is said after it."""
        await self.build()
        await self.bounces.stopService()
        await self.end(letter(), State.FAILED)
        await self.quiet()
        self.assertEqual([], self.made)
        self.open()
        self.assertEqual(1, len(await self.told()))

    async def test_one_breaks(self) -> None:
        """A report that cannot be written keeps back no other."""
        await self.build()
        ways = self.ways

        async def broken(address: str) -> Sequence[Way]:
            if address.startswith("odd"):
                raise ValueError(address)
            return await ways(address)

        self.patch(self.bounces, "_ways", broken)
        await self.end(letter(sender="odd@d.example"), State.FAILED)
        await self.end(letter(), State.FAILED)
        for _ in range(500):
            if self.made:
                break
            await deferLater(REACTOR, 0.01)
        (left,) = await self.house.ledger.notices()
        self.assertEqual("odd@d.example", left.sender)
        self.assertTrue(self.flushLoggedErrors(ValueError))

    async def test_nobody_writes(self) -> None:
        """While nobody can write it, a report waits, and is written then."""
        await self.build()
        write, asked = self.hands.run, list[object]()

        def run(*job: object) -> Deferred[Any]:
            asked.append(job)
            return fail(Closed("away")) if len(asked) == 1 else write(*job)

        self.patch(Bounces, "again", 0.05)
        self.patch(self.bounces, "_hands", SimpleNamespace(run=run))
        await self.end(letter(), State.FAILED)
        self.assertEqual(1, len(await self.told()))
        self.assertEqual(2, len(asked))

    async def test_annex(self) -> None:
        """A report that names a thousand is written in a process of its own."""
        await self.build()
        annex = Annex(REACTOR, self.home / "annex.lock")
        annex.startService()
        self.addCleanup(annex.stopService)
        self.bounces._hands = annex.desk("reports")
        entry = letter(*(far(n) for n in range(1, 1001)))
        await self.end(entry, *[State.FAILED] * 1000)
        (report,) = await self.told()
        self.assertEqual(1000, len(named(report)))

    async def test_stopped(self) -> None:
        """A report in hand is finished, the others wait in the ledger."""
        await self.build()
        for _ in range(5):
            await self.end(letter(), State.FAILED)
        while not self.made:
            await deferLater(REACTOR, 0.001)
        await self.bounces.stopService()
        made = len(self.made)
        self.assertEqual(5, made + len(await self.house.ledger.notices()))
        await self.quiet()
        self.assertEqual(made, len(self.made))


class StormTests(BounceTestCase):
    """Storms end in a glass of water (R55)."""

    async def test_restarts(self) -> None:
        """Who starts us again and again gets no more, and no less."""
        self.terms = Terms(per_hour=3, gather=0.05)
        await self.build()
        keep = self.keep

        async def killed(entry: Entry, answers: Sequence[NoticeKey]) -> None:
            await keep(entry, answers)
            raise RuntimeError("killed here")

        self.patch(self, "keep", killed)
        for number in range(6):
            await self.bounces.stopService()
            self.open()
            await self.end(letter(), State.FAILED)
            self.assertEqual(min(3, number + 1), len(await self.told()))
        self.assertEqual(3, len(self.flushLoggedErrors(RuntimeError)))

    async def test_full_disk(self) -> None:
        """What could not be kept is not counted: he gets what he may get."""
        self.terms = Terms(per_hour=1, gather=0.05)
        await self.build()
        keep, tries = self.keep, list[Entry]()

        async def full(entry: Entry, answers: Sequence[NoticeKey]) -> None:
            tries.append(entry)
            if len(tries) < 4:
                raise NoSpace("full")
            await keep(entry, answers)

        self.patch(self.bounces, "_keep", full)
        self.patch(Bounces, "again", 0.05)
        await self.end(letter(), State.FAILED)
        self.assertEqual(1, len(await self.told()))

    async def test_storm(self) -> None:
        """10,000 failing messages in one name: 20 small letters an hour."""
        await self.build()
        await self.bounces.stopService()
        ledger = self.house.ledger
        for _ in range(10):
            entries = [letter() for _ in range(1000)]
            await gatherResults([ledger.commit(entry) for entry in entries])
            ends: list[Outcome] = []
            for entry in entries:
                ends += [c.outcome(State.FAILED, REFUSED) for c in entry.consignments()]
            await ledger.settle(ends)
        await self.end(letter(sender="zoe@far.example"), State.FAILED)
        self.open()
        reports = await self.told()
        self.assertEqual(20, len(reports))
        self.assertEqual(1, len([r for r in reports if b"no more" in r]))
        self.assertLess(max(map(len, reports)), 50_000)
        # And whoever else there is hears of his own.
        self.assertEqual(
            ["zoe@far.example"],
            [
                to.address
                for entry in self.made
                for to in entry.recipients
                if to.destination == "remote"
            ],
        )


class Books:
    """The ledger's books, in memory."""

    def __init__(self) -> None:
        self.connection = open_writer(Path(":memory:"))
        self.asked = 0

    def ask(self, function: Callable[..., Any]) -> Deferred[Any]:
        """Ask at once."""
        self.asked += 1
        return succeed(function(self.connection, None))

    def tell(self, sender: str, now: float) -> None:
        """A report to him is ours."""
        entry = evolve(make_entry(recipients=[far(1)]), sender=sender)
        for sql, values in ENTRIES.parts([entry_row(entry, "/")]):
            self.connection.execute(sql, values)
        reported(self.connection, entry.id, now)


class PaceTests(SynchronousTestCase):
    """How many one sender gets."""

    def setUp(self) -> None:
        self.books = Books()
        self.addCleanup(self.books.connection.close)

    def pace(self, most: int, senders: int = 10_000) -> Pace:
        """One that goes by the books."""
        ledger: Any = self.books
        return Pace(ledger, most, senders)

    def left(self, pace: Pace, sender: str, now: float) -> int:
        """What he has left."""
        return self.successResultOf(Deferred.fromCoroutine(pace.left(sender, now)))

    def test_hour(self) -> None:
        """So many within any hour, in whatever letters he writes himself."""
        pace = self.pace(2)
        for now in 0.0, 1000.0:
            self.assertGreater(self.left(pace, "a@b", now), 0)
            self.books.tell("A@b", now)
        self.assertEqual(0, self.left(pace, "a@B", 3599.0))
        self.assertEqual(1, self.left(pace, "a@b", 3600.0))
        self.assertEqual(2, self.left(pace, "c@b", 3599.0))
        # Who comes after a restart knows the same.
        self.assertEqual(1, self.left(self.pace(2), "a@b", 3600.0))

    def test_clock(self) -> None:
        """A clock that is set back years lets nobody wait for years (R15)."""
        pace = self.pace(1)
        self.books.tell("a@b", 1e9)
        self.assertEqual(0, self.left(pace, "a@b", 1e9))
        self.assertEqual(1, self.left(pace, "a@b", 1e8))

    def test_enough(self) -> None:
        """Of who had enough nobody is asked again; few such are remembered."""
        pace = self.pace(1, senders=10)
        for number in range(100):
            self.books.tell(f"u{number}@b", 0.0)
            self.left(pace, f"u{number}@b", 1.0)
        asked = self.books.asked
        for number in 99, 95, 90:
            self.assertEqual(0, self.left(pace, f"u{number}@b", 3599.0))
        self.assertEqual(asked, self.books.asked)
        self.assertEqual(0, self.left(pace, "u0@b", 3599.0))
        self.assertEqual(10, len(pace._ends))

    @given(st.lists(st.floats(0, 20_000), max_size=60))
    def test_any(self, times: list[float]) -> None:
        """Whenever they come: never more than so many within an hour."""
        pace, taken = self.pace(3), list[float]()
        self.books.connection.execute("DELETE FROM reported")
        for now in sorted(times):
            if self.left(pace, "a@b", now) > 0:
                self.books.tell("a@b", now)
                taken.append(now)
        for first, fourth in zip(taken, taken[3:], strict=False):
            self.assertGreaterEqual(fourth - first, 3600.0)
        (many,) = self.books.connection.execute(
            "SELECT count(*) FROM reported"
        ).fetchone()
        self.assertLessEqual(many, 3 + 3)
