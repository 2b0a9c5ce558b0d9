"""What people read in the ledger."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.model.entry import NOTHING, Asked, Entry, Outcome, Recipient, State
from smfd.store.ledger import Ledger
from smfd.store.ledger_due import Window, due_page, next_try
from smfd.store.ledger_schema import open_writer
from smfd.store.reader import Reader
from smfd.store.reader_rows import counts, domains_held
from smfd.store.record_json import record_document, record_json
from tests.store.making import REACTOR, held, mailbox, make_entry, make_record


class RecordDocumentTests(SynchronousTestCase):
    """Records as JSON."""

    def test_all_of_it(self) -> None:
        """Every field is there, enums by their value, and findings by their kind."""
        record = make_record("x")
        document = json.loads(record_json(record))
        self.assertEqual(document, record_document(record))
        self.assertEqual(set(record.__match_args__), set(document))
        self.assertEqual(
            [("Finding", "pass"), ("Listed", "pass")],
            [(f["class"], f["result"]) for f in document["findings"]],
        )
        self.assertEqual("deliver", document["fates"][0]["disposition"])


class PlanTests(SynchronousTestCase):
    """What is asked all the time does not go through all that ever was."""

    def plans(self, ask: Callable[[sqlite3.Connection], object]) -> list[str]:
        """How SQLite goes about what is asked."""
        path = Path(self.mktemp())
        connection = open_writer(path)
        self.addCleanup(connection.close)
        connection.row_factory = sqlite3.Row
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        ask(connection)
        connection.set_trace_callback(None)
        self.assertTrue(asked)
        return [
            step["detail"]
            for sql in asked
            for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]

    def check(self, ask: Callable[[sqlite3.Connection], object]) -> None:
        """Entries hold only what is due; of the others only an index is read."""
        for step in self.plans(ask):
            if step.startswith("SCAN ") and not step.startswith("SCAN CONSTANT"):
                self.assertRegex(step, "SCAN (e|recipients) USING .*INDEX")
            if step == "SEARCH records":
                continue
            self.assertNotIn("TEMP B-TREE FOR ORDER BY", step)
            self.assertNotRegex(step, r"\(entry>")

    def test_due(self) -> None:
        """A page of what is due."""
        window = Window(("a", 1), 10)
        self.check(lambda connection: due_page(connection, "/", 5.0, window))

    def test_next_try(self) -> None:
        """When the next is to be tried: one step in an index."""
        self.check(lambda connection: next_try(connection, 5.0))
        (step,) = self.plans(lambda connection: next_try(connection, 5.0))
        self.assertIn("SEARCH recipients USING INDEX put_off", step)

    def test_counts(self) -> None:
        """How the house is doing."""
        self.check(counts)
        self.check(domains_held)


class ReaderTests(TestCase):
    """Looking beside the writer."""

    def setUp(self) -> None:
        home = Path(self.mktemp())
        self.ledger = Ledger(home, REACTOR, REACTOR, patience=0.01)
        self.reader = Reader(home, REACTOR)
        self.ledger.startService()
        self.reader.startService()
        self.addCleanup(self.ledger.stopService)
        self.addCleanup(self.reader.stopService)

    async def hold(self, subject: str, *addresses: str) -> Entry:
        """An entry held for some addresses."""
        recipients: list[Recipient] = [held(n, a) for n, a in enumerate(addresses, 1)]
        entry = make_entry(recipients=recipients, subject=subject)
        await self.ledger.commit(entry)
        await self.ledger.settle(
            [Outcome(entry.id, r.number, State.HELD, "q/x") for r in recipients]
        )
        return entry

    async def test_record(self) -> None:
        """A message is shown with its recipients and what people did."""
        entry = make_entry(recipients=[mailbox(1), held(2), mailbox(3)])
        await self.ledger.commit(entry)
        await self.ledger.settle(
            [Outcome(entry.id, 2, State.HELD, "q/x"), Outcome(entry.id, 3, State.DUE)]
        )
        await self.ledger.audit("anna", "look", entry.id, "")
        await self.ledger.audit("anna", "delete", f"{entry.id}-2", "")
        await self.ledger.audit("anna", "delete", f"{entry.id}x", "")
        found = await self.reader.record(entry.id)
        assert found is not None
        self.assertEqual(record_document(entry.record), found["record"])
        self.assertEqual(
            [(1, "due", 0), (2, "held", 1), (3, "due", 1)],
            [(r["number"], r["state"], r["attempts"]) for r in found["recipients"]],
        )
        self.assertEqual(
            [True, False, True], [r["decided"] is None for r in found["recipients"]]
        )
        self.assertEqual(["look", "delete"], [a["act"] for a in found["acts"]])
        self.assertIsNone(await self.reader.record("unknown"))

    async def test_held(self) -> None:
        """Held items are listed, the newest first, by whatever is asked."""
        await self.hold("Cheap 100% pills", "u@d.example", "v@d.example")
        last = await self.hold("Invoice", "u@e.example")
        everything = await self.reader.held()
        self.assertEqual(3, everything["total"])
        self.assertEqual(f"{last.id}-1", everything["items"][0]["id"])
        questions: list[tuple[dict[str, Any], int]] = [
            ({"domain": "d.example"}, 2),
            ({"recipient": "u@e.example"}, 1),
            ({"category": "spam"}, 3),
            ({"category": "virus"}, 0),
            ({"words": "pills v@d"}, 1),
            ({"words": "0%"}, 2),
            ({"words": "_"}, 0),
            ({"words": "' OR 1"}, 0),
        ]
        for asked, total in questions:
            self.assertEqual(total, (await self.reader.held(**asked))["total"], asked)
        page = await self.reader.held(limit=1, offset=1)
        self.assertEqual((3, 1), (page["total"], len(page["items"])))
        self.assertEqual(
            {"d.example": 2, "e.example": 1}, await self.reader.domains_held()
        )

    async def test_item(self) -> None:
        """One item has what people need, until it is decided."""
        entry = await self.hold("Invoice", "u@d.example")
        item = f"{entry.id}-1"
        found = await self.reader.held_item(item)
        self.assertEqual(
            {
                "id": item,
                "recipient": "u@d.example",
                "domain": "d.example",
                "sender": "a@b.example",
                "subject": "Invoice",
                "class": "spam",
                "reason": "too much",
                "score": 9.0,
                "received": entry.received,
                "size": 10,
                "path": "q/x",
                "top": b"",
                "notify": "",
                "orcpt": "",
                "asked": NOTHING,
            },
            found,
        )
        await self.ledger.decide_held(item, State.DELETED, "anna")
        self.assertIsNone(await self.reader.held_item(item))
        self.assertIsNone(await self.reader.held_item("nonsense"))

    async def test_asked(self) -> None:
        """What came with MAIL is known of what is held, and of nothing else."""
        asked = Asked("HDRS", "QQ1", "8BITMIME", True)
        entry = evolve(make_entry(recipients=[held(1), mailbox(2)]), asked=asked)
        await self.ledger.commit(entry)
        await self.ledger.settle(
            [
                Outcome(entry.id, 1, State.HELD, "q/x"),
                Outcome(entry.id, 2, State.DELIVERED),
            ]
        )
        plain = await self.hold("Invoice", "u@d.example")
        for name, wanted in (entry.id, asked), (plain.id, NOTHING):
            found = await self.reader.held_item(f"{name}-1")
            assert found is not None
            self.assertEqual(wanted, found["asked"])

    async def test_counts(self) -> None:
        """How the house is doing, in five numbers."""
        numbers = dict.fromkeys(("due", "suspended", "held", "corrupt", "records"), 0)
        self.assertEqual({**numbers, "oldest_due": None}, await self.reader.counts())
        await self.hold("x", "u@d.example")
        due = make_entry()
        await self.ledger.commit(due)
        self.assertEqual(
            {
                "due": 1,
                "suspended": 0,
                "held": 1,
                "corrupt": 0,
                "records": 2,
                "oldest_due": due.received,
            },
            await self.reader.counts(),
        )
