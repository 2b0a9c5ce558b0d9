"""Tests for L{smfd.store.schema}."""

import sqlite3
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smfd.store.schema import Schema, WrongVersion

OLD = "CREATE TABLE a (x);"
STEPS = {
    3: "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1;",
    4: "CREATE TABLE b (z); INSERT INTO b SELECT y FROM a;",
}
SCHEMA = Schema(OLD, STEPS, first=3)


class SchemaTests(SynchronousTestCase):
    """A file becomes what this smfd reads, or stays what it is."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.file = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(self.file.close)

    def prepare(self, schema: Schema = SCHEMA) -> None:
        """Open it as a store does."""
        schema.prepare(self.file, self.path)

    def state(self) -> tuple[int, list[str]]:
        """Its version and its tables."""
        (version,) = self.file.execute("PRAGMA user_version").fetchone()
        names = self.file.execute("SELECT name FROM sqlite_schema ORDER BY 1")
        return version, [name for (name,) in names]

    def test_new(self) -> None:
        """A new file goes the way of all others, and is left alone after that."""
        for _ in range(2):
            self.prepare()
            self.assertEqual((5, ["a", "b"]), self.state())
        self.assertEqual(5, SCHEMA.version)
        self.assertEqual(1, Schema(OLD).version)

    def test_older(self) -> None:
        """What was in an older file is in the new one."""
        self.file.executescript(f"{OLD} INSERT INTO a VALUES (1);")
        self.file.execute("PRAGMA user_version=3")
        self.prepare()
        self.assertEqual([(2,)], self.file.execute("SELECT z FROM b").fetchall())

    def test_refused(self) -> None:
        """A newer file, a much older one and somebody else's stay as they are."""
        self.file.executescript(OLD)
        for version, why in ((6, "newer"), (2, "none of ours"), (-1, "none"), (0, "")):
            self.file.execute(f"PRAGMA user_version={version}")
            with self.assertRaisesRegex(WrongVersion, f"{self.path.name}.*{why}"):
                self.prepare()
            self.assertEqual((version, ["a"]), self.state())

    def test_wholly(self) -> None:
        """A step that fails takes the steps before it back."""
        self.file.executescript(f"{OLD} PRAGMA user_version=3;")
        broken = evolve(SCHEMA, steps={**STEPS, 4: "CREATE TABLE a (x);"})
        with self.assertRaisesRegex(WrongVersion, "cannot be taken over"):
            self.prepare(broken)
        columns = self.file.execute("SELECT name FROM pragma_table_info('a')")
        self.assertEqual([("x",)], columns.fetchall())
        self.assertEqual((3, ["a"]), self.state())
