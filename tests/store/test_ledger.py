"""The ledger keeps what it says it keeps, once."""

import os
import sqlite3
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import gatherResults
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from smfd.model.entry import Asked, Entry, Outcome, State
from smfd.store.ledger import (
    AlreadyDecided,
    AlreadyRunning,
    Ledger,
    LedgerTrouble,
    NoSpace,
)
from smfd.store.ledger_prune import expire_held, prune
from smfd.store.ledger_schema import VERSION
from tests.store.making import (
    REACTOR,
    held,
    mailbox,
    make_entry,
    make_record,
    pause,
    remote,
)

#: What brings a file back to the version that knew no sites.
BEFORE_REPORTED = "DROP TABLE reported;"

BEFORE_ASKED = f"{BEFORE_REPORTED} DROP TABLE asked;"

BEFORE_SITES = (
    f"{BEFORE_ASKED} DROP INDEX put_off; DROP INDEX far; DROP INDEX suspended;"
    "DROP TABLE notices; DROP TABLE sites;"
    "CREATE INDEX put_off ON recipients (next_try)"
    " WHERE state = 'due' AND next_try > 0;"
    + "".join(
        f"ALTER TABLE {table} DROP COLUMN {column};"
        for table, column in (
            ("entries", "account"),
            ("entries", "envid"),
            ("entries", "ret"),
            ("entries", "kind"),
            ("recipients", "site"),
            ("recipients", "notify"),
            ("recipients", "orcpt"),
            ("recipients", "warned"),
        )
    )
)


class LedgerCase(TestCase):
    """A ledger of its own for each test."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.ledger = self.make()
        self.ledger.startService()
        self.freed: list[str] = []
        self.ledger.freed = self.freed.extend

        self.addCleanup(lambda: self.ledger.stopService())

    def make(self, notes: int = 1000) -> Ledger:
        """Another one on the same folder."""
        return Ledger(self.home, REACTOR, REACTOR, patience=0.01, notes=notes)

    async def hold(self) -> Entry:
        """An entry held for two recipients, in one file."""
        entry = make_entry(recipients=[held(1), held(2, "v@d.example")])
        await self.ledger.commit(entry)
        path = f"quarantine/d.example/2026-01-01/{entry.id}"
        await self.ledger.settle(
            [Outcome(entry.id, n, State.HELD, path) for n in (1, 2)]
        )
        return entry

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What another process reads in the file."""
        connection = sqlite3.connect(self.home / "ledger.db")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


class CommitTests(LedgerCase):
    """Acceptance."""

    async def test_durable(self) -> None:
        """After a commit another process sees all of the entry."""
        entry = make_entry(b"the body", [mailbox(1), held(2)], ((0, 3), (5, 6)))
        await self.ledger.commit(entry)
        self.assertEqual(
            [(entry.id, b"the body", "0-3 5-6")],
            self.rows("SELECT id, body, cuts FROM entries"),
        )
        self.assertEqual(
            [(1, "due"), (2, "due")], self.rows("SELECT number, state FROM recipients")
        )
        self.assertEqual([(entry.id,)], self.rows("SELECT id FROM records"))

    async def test_comes_back(self) -> None:
        """What is due is read back as it was given."""
        entry = make_entry(b"x" * 50, [mailbox(1), held(2)], ((0, 3), (5, 6)))
        await self.ledger.commit(entry)
        first, second = await self.ledger.due()
        self.assertEqual(entry.body, first.body)
        self.assertEqual(entry.recipients, (first.recipient, second.recipient))
        self.assertEqual(
            (entry.id, entry.received, entry.sender, entry.top, entry.cuts),
            (first.entry_id, first.received, first.sender, first.top, first.cuts),
        )
        self.assertGreater(first.attempts, 0)

    async def test_only_a_record(self) -> None:
        """A refused message leaves its record and nothing else."""
        await self.ledger.commit(make_entry(recipients=()))
        self.assertEqual([(1,)], self.rows("SELECT count(*) FROM records"))
        self.assertEqual([(0,)], self.rows("SELECT count(*) FROM entries"))

    async def test_many_at_once(self) -> None:
        """Whatever the number of those that wait together, each is kept once."""
        entries = [make_entry(entry_id=f"{n:016d}") for n in range(777)]
        await gatherResults([self.ledger.commit(e) for e in entries])
        self.assertEqual(
            [(e.id,) for e in entries], self.rows("SELECT id FROM entries ORDER BY id")
        )
        self.assertEqual([(777,)], self.rows("SELECT count(*) FROM recipients"))

    async def test_one_bad_among_many(self) -> None:
        """An entry that cannot be written fails alone."""
        twice = make_entry()
        good = [make_entry() for _ in range(9)]
        await self.ledger.commit(twice)
        answers = [self.ledger.commit(e) for e in (*good[:4], twice, *good[4:])]
        await self.assertFailure(answers.pop(4), LedgerTrouble)
        await gatherResults(answers)
        self.assertEqual([(10,)], self.rows("SELECT count(*) FROM entries"))
        self.assertEqual(1, len(self.flushLoggedErrors(sqlite3.IntegrityError)))

    async def test_broken_text(self) -> None:
        """A sender or subject that is no proper text does not stop mail."""
        entry = make_entry(
            recipients=[mailbox(1, "\udce4@d.example")], subject="a\udce4"
        )
        await self.ledger.commit(entry)
        self.assertEqual([("a?",)], self.rows("SELECT subject FROM records"))

    async def test_large_body(self) -> None:
        """A large body is named relative to the home, so that it can move."""
        path = os.path.abspath(self.home / "spool" / "AB" / "ID")
        entry = make_entry()
        large = type(entry.body)(10**6, path=path)
        await self.ledger.commit(make_entry(large))
        self.assertEqual([("spool/AB/ID",)], self.rows("SELECT path FROM entries"))
        self.assertEqual({path}, await self.ledger.bodies())
        self.assertEqual(large, (await self.ledger.due())[0].body)


class SettleTests(LedgerCase):
    """What became of it."""

    async def test_body_goes_last(self) -> None:
        """The body goes with the last recipient, not before."""
        entry = make_entry(recipients=[mailbox(1), mailbox(2)])
        await self.ledger.commit(entry)
        await self.ledger.settle([Outcome(entry.id, 1, State.DELIVERED, "here")])
        self.assertEqual([(entry.id,)], self.rows("SELECT id FROM entries"))
        await self.ledger.settle([Outcome(entry.id, 2, State.FAILED, "never")])
        self.assertEqual([], self.rows("SELECT id FROM entries"))
        self.assertEqual(
            [("delivered", "here", b""), ("failed", "never", b"")],
            self.rows("SELECT state, detail, top FROM recipients"),
        )

    async def test_large_body_is_freed(self) -> None:
        """A file is freed when nobody is due it any more, and not before."""
        path = os.path.abspath(self.home / "spool" / "AB" / "ID")
        body = type(make_entry().body)(10**6, path=path)
        entry = make_entry(body, [mailbox(1), mailbox(2)])
        await self.ledger.commit(entry)
        await self.ledger.settle([Outcome(entry.id, 1, State.DELIVERED)])
        self.assertEqual([], self.freed)
        await self.ledger.settle([Outcome(entry.id, 2, State.DELIVERED)])
        self.assertEqual([path], self.freed)

    async def test_settled_stays_settled(self) -> None:
        """A late outcome for somebody who is settled changes nothing."""
        entry = make_entry(recipients=[mailbox(1), mailbox(2)])
        await self.ledger.commit(entry)
        await self.ledger.settle([Outcome(entry.id, 1, State.DELIVERED, "here")])
        await self.ledger.settle([Outcome(entry.id, 1, State.DUE, "no")])
        self.assertEqual(
            [("delivered", "here")],
            self.rows("SELECT state, detail FROM recipients WHERE number = 1"),
        )

    async def test_put_off(self) -> None:
        """What failed for now keeps its lines, and waits for its time."""
        entry = make_entry()
        await self.ledger.commit(entry)
        later = REACTOR.seconds() + 100
        await self.ledger.settle(
            [Outcome(entry.id, 1, State.DUE, "full", next_try=later)]
        )
        self.assertEqual([], await self.ledger.due())
        self.assertEqual(later, await self.ledger.next_try())
        await self.ledger.settle(
            [Outcome(entry.id, 1, State.DUE, "full", next_try=1.0)]
        )
        (again,) = await self.ledger.due()
        self.assertEqual(entry.recipients[0], again.recipient)
        self.assertEqual(3, again.attempts)

    async def test_put_off_by_a_wrong_clock(self) -> None:
        """What a clock in the far future put off is due when it is set right."""
        entry = make_entry()
        await self.ledger.commit(entry)
        later = REACTOR.seconds() + 10 * 365 * 86400
        await self.ledger.settle([Outcome(entry.id, 1, State.DUE, next_try=later)])
        self.assertEqual(1, len(await self.ledger.due()))

    async def test_pages(self) -> None:
        """Pages of what is due give each consignment once, in order."""
        entries = [
            make_entry(entry_id=f"{n:016d}", recipients=[mailbox(1), mailbox(2)])
            for n in range(7)
        ]
        await gatherResults([self.ledger.commit(e) for e in entries])
        seen: list[tuple[str, int]] = []
        after = ("", 0)
        while page := await self.ledger.due(after, 3):
            seen += [c.key for c in page]
            after = seen[-1]
        self.assertEqual([(e.id, n) for e in entries for n in (1, 2)], seen)


class DecisionTests(LedgerCase):
    """Held items are decided once."""

    async def test_two_clicks(self) -> None:
        """Two people release an item: one new message, one refusal."""
        entry = await self.hold()
        first, second = make_entry(), make_entry()
        released = self.ledger.commit(first, release=f"{entry.id}-1", actor="anna")
        again = self.ledger.commit(second, release=f"{entry.id}-1")
        await released
        await self.assertFailure(again, AlreadyDecided)
        self.assertEqual([(first.id,)], self.rows("SELECT id FROM entries"))
        self.assertEqual(
            [("released", "anna"), ("held", "")],
            self.rows(
                "SELECT state, actor FROM recipients WHERE destination = 'quarantine'"
            ),
        )
        self.assertEqual(2, len(self.rows("SELECT id FROM records")))

    async def test_unknown_item(self) -> None:
        """What was never held is not released, however it is named."""
        await self.hold()
        for item in ("", "-", "nothing-1", "x-99999999999999999999", "x-²"):
            answer = self.ledger.commit(make_entry(), release=item or "-")
            await self.assertFailure(answer, AlreadyDecided)
            self.assertFalse(await self.ledger.decide_held(item, State.DELETED, "a"))

    async def test_shared_file(self) -> None:
        """A file goes when the last of its items is decided."""
        entry = await self.hold()
        self.assertTrue(
            await self.ledger.decide_held(f"{entry.id}-1", State.DELETED, "anna")
        )
        self.assertEqual([], self.freed)
        self.assertFalse(
            await self.ledger.decide_held(f"{entry.id}-1", State.DELETED, "anna")
        )
        await self.ledger.commit(make_entry(), release=f"{entry.id}-2")
        path = self.home / "quarantine" / "d.example" / "2026-01-01" / entry.id
        self.assertEqual([os.path.abspath(path)], self.freed)

    async def test_file_in_use(self) -> None:
        """A held file that a new entry is delivered from stays until then."""
        entry = await self.hold()
        place = f"quarantine/d.example/2026-01-01/{entry.id}"
        body = type(entry.body)(5, path=os.path.abspath(self.home / place))
        new = make_entry(body)
        await self.ledger.decide_held(f"{entry.id}-1", State.DELETED, "anna")
        await self.ledger.commit(new, release=f"{entry.id}-2")
        self.assertEqual([], self.freed)
        await self.ledger.settle([Outcome(new.id, 1, State.DELIVERED)])
        self.assertEqual([body.path], self.freed)

    async def test_expired(self) -> None:
        """What is held for too long goes, item by item, and the file once."""
        entry = await self.hold()
        self.assertEqual(0, await expire_held(self.ledger, entry.received - 60))
        self.assertEqual(
            2, await expire_held(self.ledger, entry.received + 60, limit=1)
        )
        self.assertEqual(1, len(self.freed))
        self.assertEqual(
            [("deleted", "retention")] * 2,
            self.rows("SELECT state, actor FROM recipients"),
        )

    async def test_audit(self) -> None:
        """Acts are kept with who and what."""
        await self.ledger.audit("anna", "delete", "x-1", "why not")
        self.assertEqual(
            [("anna", "delete", "x-1", "why not")],
            self.rows("SELECT actor, act, subject, detail FROM acts"),
        )


class KeepingTests(LedgerCase):
    """Notes and retention."""

    async def test_notes_are_written(self) -> None:
        """A refusal is written though nobody waits for it."""
        self.ledger.note(make_record("refusal"))
        while not self.rows("SELECT id FROM records"):
            await pause()

    async def test_notes_are_bounded(self) -> None:
        """A flood of refusals fills no memory; what is dropped is counted."""
        await self.ledger.stopService()
        self.ledger = self.make(notes=10)
        self.ledger.startService()
        for n in range(25):
            self.ledger.note(make_record(f"r{n}"))
        self.assertEqual(15, self.ledger.dropped)
        await self.ledger.bodies()
        self.ledger.note(make_record("after"))
        self.assertEqual(15, self.ledger.dropped)

    async def test_stop_writes_all(self) -> None:
        """What waits when we end is written."""
        self.ledger.note(make_record("refusal"))
        await self.ledger.stopService()
        self.assertEqual([("refusal",)], self.rows("SELECT id FROM records"))

    async def test_prune(self) -> None:
        """Old records go, but for what is due or held."""
        old = REACTOR.seconds() - 1000
        due, done = make_entry(when=old), make_entry(when=old)
        quarantined = make_entry(when=old, recipients=[held(1)])
        quarantined = evolve(quarantined, asked=Asked("FULL"))
        young = make_entry(recipients=())
        for entry in (due, done, quarantined, young):
            await self.ledger.commit(entry)
        await self.ledger.settle(
            [
                Outcome(done.id, 1, State.DELIVERED),
                Outcome(quarantined.id, 1, State.HELD, "q"),
            ]
        )
        many = [
            self.ledger.commit(make_entry(when=old, recipients=())) for _ in range(1200)
        ]
        await gatherResults(many)
        await self.ledger.commit(make_entry(recipients=()))
        self.assertEqual(1201, await prune(self.ledger, REACTOR.seconds() - 500))
        self.assertEqual([(4,)], self.rows("SELECT count(*) FROM records"))
        self.assertEqual([(2,)], self.rows("SELECT count(*) FROM recipients"))
        self.assertEqual([(1,)], self.rows("SELECT count(*) FROM asked"))
        await self.ledger.decide_held(f"{quarantined.id}-1", State.DELETED, "anna")
        self.assertEqual(1, await prune(self.ledger, REACTOR.seconds() - 500))
        self.assertEqual([], self.rows("SELECT * FROM asked"))

    async def test_closed(self) -> None:
        """After the end nothing is acknowledged."""
        await self.ledger.stopService()
        await self.assertFailure(self.ledger.commit(make_entry()), LedgerTrouble)
        await self.assertFailure(self.ledger.settle([]), LedgerTrouble)


class OpeningTests(LedgerCase):
    """Starting, and refusing to."""

    async def test_second_instance(self) -> None:
        """Two daemons never serve one home (R16)."""
        with self.assertRaises(AlreadyRunning):
            self.make().startService()
        await self.ledger.commit(make_entry())

    async def test_again(self) -> None:
        """After a stop the next start finds everything."""
        entry = make_entry()
        await self.ledger.commit(entry)
        await self.ledger.stopService()
        self.ledger = self.make()
        self.ledger.startService()
        self.assertEqual([entry.id], [c.entry_id for c in await self.ledger.due()])

    async def test_newer(self) -> None:
        """A file of a newer version is not touched."""
        await self.ledger.stopService()
        connection = sqlite3.connect(self.home / "ledger.db")
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        with self.assertRaisesRegex(LedgerTrouble, "newer"):
            self.make().startService()

    async def test_taken_away(self) -> None:
        """Whoever moves, deletes or replaces the file stops the mail, and is told."""

        def move(path: Path) -> None:
            path.rename(path.with_name("elsewhere"))

        def replace(path: Path) -> None:
            copy = path.with_name("copy")
            copy.write_bytes(path.read_bytes())
            copy.rename(path)

        def move_home(path: Path) -> None:
            self.home.rename(self.home.with_name(f"moved-{self.home.name}"))

        for take_away in (move, Path.unlink, replace, move_home):
            await self.ledger.commit(make_entry())
            take_away(self.home / "ledger.db")
            await self.assertFailure(self.ledger.commit(make_entry()), LedgerTrouble)
            self.assertIn("moved, deleted or replaced", self.ledger.suspect)
            await self.ledger.stopService()
            self.home = Path(self.mktemp())
            self.ledger = self.make()
            self.ledger.startService()

    async def test_taken_away_at_rest(self) -> None:
        """It is noticed within seconds when nobody sends mail, too."""
        await self.ledger.stopService()
        clock = Clock()
        self.ledger = Ledger(self.home, REACTOR, clock)
        self.ledger.startService()
        (self.home / "ledger.db").unlink()
        clock.advance(5)
        while not self.ledger.suspect:
            await pause()

    async def test_older(self) -> None:
        """A file of the version before is brought up to date; nothing is lost."""
        entry = make_entry()
        await self.ledger.commit(entry)
        await self.ledger.stopService()
        connection = sqlite3.connect(self.home / "ledger.db")
        connection.executescript(
            f"{BEFORE_SITES} DROP INDEX corrupt; DROP INDEX put_off;"
            "ALTER TABLE entries DROP COLUMN crc; PRAGMA user_version = 1;"
        )
        connection.close()
        self.ledger = self.make()
        self.ledger.startService()
        (due,) = await self.ledger.due()
        self.assertEqual((entry.id, None), (due.entry_id, due.body.crc))
        self.assertEqual([(VERSION,)], self.rows("PRAGMA user_version"))

    async def test_before_sites(self) -> None:
        """Mail that waited for other servers is found by their domains."""
        recipients = [remote(1, "v@Far.example"), mailbox(2)]
        entry = make_entry(recipients=recipients)
        await self.ledger.commit(entry)
        await self.ledger.stopService()
        connection = sqlite3.connect(self.home / "ledger.db")
        connection.executescript(f"{BEFORE_SITES} PRAGMA user_version = 2;")
        connection.close()
        self.ledger = self.make()
        self.ledger.startService()
        self.assertEqual(entry.consignments(1), tuple(await self.ledger.due()))
        self.assertEqual(
            [("far.example",), ("",)],
            self.rows("SELECT site FROM recipients ORDER BY number"),
        )

    async def test_before_asked(self) -> None:
        """What somebody waits for still tells what came with what is held of it."""
        asked = Asked("HDRS", "QQ1")
        entry = evolve(make_entry(recipients=[held(1), mailbox(2)]), asked=asked)
        for one in entry, evolve(make_entry(), asked=asked):
            await self.ledger.commit(one)
        await self.ledger.settle([Outcome(entry.id, 1, State.HELD, "q")])
        await self.ledger.stopService()
        connection = sqlite3.connect(self.home / "ledger.db")
        connection.executescript(f"{BEFORE_ASKED} PRAGMA user_version = 3;")
        connection.close()
        self.ledger = self.make()
        self.ledger.startService()
        wanted = [(entry.id, "QQ1", "HDRS", "")]
        self.assertEqual(wanted, self.rows("SELECT * FROM asked"))

    async def test_damaged(self) -> None:
        """A damaged file stops the start with a sentence (R13)."""
        await self.ledger.stopService()
        (self.home / "ledger.db").write_bytes(b"not a database, " * 4096)
        with self.assertRaisesRegex(LedgerTrouble, "ledger.db"):
            self.make().startService()

    async def test_full(self) -> None:
        """While there is no room commits fail as such, then heal (R7)."""
        writer = self.ledger._writer
        assert writer is not None
        connection = writer._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        answer = self.ledger.commit(make_entry(b"x" * 100_000))
        await self.assertFailure(answer, NoSpace)
        connection.execute("PRAGMA max_page_count = 1000000")
        await self.ledger.commit(make_entry(b"x" * 100_000))
        self.assertEqual([(1,)], self.rows("SELECT count(*) FROM entries"))
        self.assertEqual("", self.ledger.suspect)
