"""Tests for L{smfd.store.directory}."""

import sqlite3
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.model.directory import Domain, ListEntry, Refused
from smfd.store import directory_rules as rules
from smfd.store.directory import Directory
from smfd.store.directory_cache import Cache
from smfd.store.directory_entries import Lists
from smfd.store.schema import WrongVersion


class DirectoryTestCase(TestCase):
    """A directory with one domain and one user."""

    async def build(self, **settings: Any) -> Directory:
        """Start it in a fresh folder."""
        self.path = Path(self.mktemp())
        self.path.mkdir()
        directory = Directory(self.path / "directory.db", reactor, **settings)
        directory.startService()
        self.addCleanup(directory.stopService)
        self.lists = Lists(directory)
        await directory.add_domain("Home.example", actor="uid:test")
        await directory.add_account("Ann@home.example", "hash", actor="uid:test")
        return directory

    async def assert_refused(self, kind: str, asked: Deferred[Any]) -> None:
        """It is refused for that kind of reason, with a sentence."""
        try:
            await asked
        except Refused as refused:
            self.assertEqual(kind, refused.kind)
            self.assertTrue(refused.sentence.endswith("."), refused.sentence)
        else:
            self.fail("not refused")


async def entries_for(lists: Lists, recipient: str) -> list[ListEntry]:
    """Every entry of the lists that speak for a recipient."""
    books = await lists.books(recipient)
    return [e for book in books for page in book.pages.values() for e in page]


class ReadTests(DirectoryTestCase):
    """What the front door asks."""

    async def test_account(self) -> None:
        """A mailbox is found whatever its case, and with a +tag."""
        directory = await self.build()
        for address in "ann@home.example", "ANN@HOME.example", "ann+shop@home.example":
            account = await directory.account(address)
            assert account is not None
            self.assertEqual("ann@home.example", account.address)
        for address in "bob@home.example", "ann@else.example", "+ann@home.example", "x":
            self.assertIsNone(await directory.account(address))

    async def test_postmaster(self) -> None:
        """A hosted domain has a postmaster from the start.  RFC 5321 4.5.1."""
        directory = await self.build()
        self.assertIsNotNone(await directory.account("postmaster@home.example"))

    async def test_hosted(self) -> None:
        """A domain is ours, or not."""
        directory = await self.build()
        self.assertTrue(await directory.is_hosted("HOME.example"))
        self.assertFalse(await directory.is_hosted("else.example"))
        self.assertIsNone(await directory.domain("else.example"))

    async def test_remembered(self) -> None:
        """What was asked before is answered at once, yes or no."""
        directory = await self.build()
        for address in "ann@home.example", "bob@home.example":
            await directory.account(address)
            await self.lists.books(address)
            self.assertTrue(directory.account(address).called)
            self.assertTrue(self.lists.books(address).called)
        await directory.domain("home.example")
        self.assertTrue(directory.is_hosted("home.example").called)

    async def test_elsewhere(self) -> None:
        """Of a domain not ours nobody is asked for, until it is ours."""
        directory = await self.build()
        self.assertFalse(directory.known("ann@else.example").called)
        await directory.domain("else.example")
        self.assertTrue(directory.known("Bob@Else.example").called)
        await directory.add_domain("else.example", actor="uid:test")
        await directory.add_account("bob@else.example", actor="uid:test")
        self.assertIsNotNone(await directory.known("Bob@Else.example"))

    async def test_writes_are_seen(self) -> None:
        """What was remembered is forgotten when it changes."""
        directory = await self.build()
        self.assertIsNone(await directory.account("bob@home.example"))
        self.assertEqual([], await entries_for(self.lists, "ann@home.example"))
        await directory.domain("home.example")
        await directory.add_account("bob@home.example", actor="uid:test")
        await self.lists.add(
            ListEntry(0, "ann@home.example", True, "a.example"), actor="uid:test"
        )
        await directory.set_domain("home.example", threshold=7.5, actor="uid:test")
        self.assertIsNotNone(await directory.account("bob@home.example"))
        self.assertEqual(1, len(await entries_for(self.lists, "ann@home.example")))
        domain = await directory.domain("home.example")
        assert domain is not None
        self.assertEqual(7.5, domain.threshold)

    async def test_books(self) -> None:
        """A recipient's lists are his own, his domain's, the operator's."""
        directory = await self.build()
        for scope in "operator", "home.example", "ann@home.example":
            await self.lists.add(
                ListEntry(0, scope, False, "a.example"), actor="uid:test"
            )
        await directory.add_domain("else.example", actor="uid:test")
        await self.lists.add(
            ListEntry(0, "else.example", False, "a.example"), actor="uid:test"
        )
        found = await entries_for(self.lists, "ann+x@home.example")
        self.assertEqual(
            ["ann@home.example", "home.example", "operator"], [e.scope for e in found]
        )


class WriteTests(DirectoryTestCase):
    """What people change, and what they may not."""

    async def test_refused(self) -> None:
        """What makes no sense is refused with a sentence and changes nothing."""
        directory = await self.build()
        by: Any = {"actor": "uid:test"}
        await self.lists.add(ListEntry(0, "operator", True, "a.example"), **by)
        before = _dump(self.path / "directory.db")
        for kind, asked in (
            ("conflict", directory.add_domain("home.example", **by)),
            ("invalid", directory.add_domain("ho me", **by)),
            ("invalid", directory.add_domain("new.example", threshold=0.0, **by)),
            (
                "invalid",
                directory.set_domain("home.example", threshold=float("nan"), **by),
            ),
            ("unknown", directory.set_domain("else.example", threshold=5.0, **by)),
            ("unknown", directory.remove_domain("else.example", **by)),
            ("conflict", directory.remove_domain("home.example", **by)),
            ("conflict", directory.add_account("ANN@home.example", **by)),
            ("unknown", directory.add_account("ann@else.example", **by)),
            ("invalid", directory.add_account("ann", **by)),
            ("invalid", directory.add_account("../x@home.example", **by)),
            ("invalid", directory.add_account("a+b@home.example", **by)),
            ("invalid", directory.add_account("x" * 65 + "@home.example", **by)),
            ("unknown", directory.remove_account("bob@home.example", **by)),
            ("conflict", directory.remove_account("postmaster@home.example", **by)),
            ("unknown", directory.set_password("bob@home.example", "h", **by)),
            ("unknown", self.lists.remove(99, **by)),
            ("invalid", _add(self.lists, "operator", "gmail")),
            ("unknown", _add(self.lists, "bob@home.example", "a.example")),
            ("unknown", _add(self.lists, "else.example", "a.example")),
            ("invalid", _add(self.lists, "home.example", "a.example", locked=True)),
            ("invalid", _add(self.lists, "operator", "a.example", expires=1.0)),
            ("invalid", _add(self.lists, "operator", "a.example", note="n" * 1001)),
        ):
            await self.assert_refused(kind, asked)
        self.assertEqual(before, _dump(self.path / "directory.db"))

    async def test_remove_account(self) -> None:
        """A user that is gone takes his lists with him."""
        directory = await self.build()
        await _add(self.lists, "ann@home.example", "a.example")
        await directory.remove_account("ann@home.example", actor="uid:test")
        self.assertIsNone(await directory.account("ann@home.example"))
        self.assertEqual(0, (await self.lists.page()).total)

    async def test_force(self) -> None:
        """A domain with users goes only by force, and leaves nothing."""
        directory = await self.build()
        await _add(self.lists, "ann@home.example", "a.example")
        await _add(self.lists, "home.example", "a.example")
        await directory.remove_domain("home.example", force=True, actor="uid:test")
        self.assertFalse(await directory.is_hosted("home.example"))
        self.assertIsNone(await directory.account("postmaster@home.example"))
        self.assertEqual(0, (await self.lists.page()).total)

    async def test_same_entry_again(self) -> None:
        """The same entry again replaces its note and keeps its number."""
        await self.build()
        first = await _add(self.lists, "operator", "A.example", note="one")
        again = await _add(self.lists, "operator", "*@a.example", note="two")
        self.assertEqual(first.id, again.id)
        page = await self.lists.page("operator")
        self.assertEqual(["two"], [e.note for e in page.items])

    async def test_scope_without_tag(self) -> None:
        """A list for user+tag@ is the list of user@."""
        await self.build()
        made = await _add(self.lists, "Ann+shop@home.example", "a.example")
        self.assertEqual("ann@home.example", made.scope)

    async def test_full_list(self) -> None:
        """A list has a limit, and stays as it was."""
        self.lists = Lists(await self.build(), most=2)
        await _add(self.lists, "operator", "a.example")
        await _add(self.lists, "operator", "b.example")
        await self.assert_refused("conflict", _add(self.lists, "operator", "c.example"))
        self.assertEqual(2, (await self.lists.page()).total)

    async def test_pages(self) -> None:
        """Lists are paged, counted and searched."""
        directory = await self.build()
        for n in range(5):
            await directory.add_account(f"u{n}@home.example", actor="uid:test")
            await directory.add_domain(f"d{n}.example", actor="uid:test")
            await _add(self.lists, "operator", f"p{n}.example", note=f"Note {n}")
        page = await directory.accounts("home.example", "u", limit=2, offset=4)
        self.assertEqual(["u4@home.example"], [a.address for a in page.items])
        self.assertEqual(5, page.total)
        domains = await directory.domains("D", limit=1)
        self.assertEqual((["d0.example"], 5), ([d.name for d in domains.items], 5))
        entries = await self.lists.page(search="note 3")
        self.assertEqual(["p3.example"], [e.pattern for e in entries.items])
        entries = await self.lists.page(scope="operator", pattern="*@p2.example")
        self.assertEqual(["p2.example"], [e.pattern for e in entries.items])
        self.assertEqual(0, (await directory.domains("%")).total)
        self.assertEqual((), (await directory.domains(limit=-1)).items)

    async def test_hostile_words(self) -> None:
        """Quotes and wildcards are letters like any other."""
        await self.build()
        for words in "'; DROP TABLE domains; --", '"', "%_", "\x00", "\ud7ff" * 500:
            self.assertEqual(0, (await self.lists.page(search=words)).total)

    async def test_audit(self) -> None:
        """Every change says who and when; nobody rewrites it."""
        directory = await self.build()
        await directory.set_password("ann@home.example", "new", actor="uid:eve")
        page = await directory.acts("ann@home.example")
        (latest, first) = page.items
        self.assertEqual(
            ("uid:eve", "user password", "ann@home.example"),
            (latest.actor, latest.act, latest.subject),
        )
        self.assertEqual("user add", first.act)
        self.assertNotIn("new", repr(page))
        other = sqlite3.connect(self.path / "directory.db")
        self.addCleanup(other.close)
        self.assertRaises(
            sqlite3.IntegrityError, other.execute, "UPDATE acts SET actor='x'"
        )

    async def test_many_at_once(self) -> None:
        """Writers that come together all get their turn."""
        directory = await self.build()
        await gatherResults(
            [
                directory.add_account(f"u{n}@home.example", actor="uid:test")
                for n in range(30)
            ]
        )
        self.assertEqual(32, (await directory.accounts()).total)

    async def test_restart(self) -> None:
        """What was answered is on the disk, for its owner only."""
        directory = await self.build()
        directory.stopService()
        path = self.path / "directory.db"
        self.assertEqual(0o600, path.stat().st_mode & 0o777)
        again = Directory(path, reactor)
        again.startService()
        self.addCleanup(again.stopService)
        self.assertIsNotNone(await again.account("ann@home.example"))


#: What the first smfd wrote, as far as it has to do with domains.
_VERSION_1 = """
CREATE TABLE domains (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, threshold REAL NOT NULL,
    allow_unauthenticated INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE accounts (
    address TEXT PRIMARY KEY, domain TEXT NOT NULL REFERENCES domains(name),
    password TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE acts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, actor TEXT NOT NULL,
    act TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL
);
INSERT INTO domains VALUES ('five.example', 'local', 5.0, 0);
INSERT INTO domains VALUES ('own.example', 'local', 7.5, 1);
INSERT INTO accounts VALUES ('ann@own.example', 'own.example', '', 0);
PRAGMA user_version=1;
"""


#: What smfd wrote before there were aliases.
_VERSION_2 = """
CREATE TABLE domains (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, threshold REAL,
    allow_unauthenticated INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE accounts (
    address TEXT PRIMARY KEY, domain TEXT NOT NULL REFERENCES domains(name),
    password TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL,
    allow INTEGER NOT NULL, pattern TEXT NOT NULL, locked INTEGER NOT NULL,
    expires REAL, note TEXT NOT NULL, UNIQUE (scope, pattern, allow)
);
CREATE TABLE acts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, actor TEXT NOT NULL,
    act TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL
);
INSERT INTO domains VALUES ('own.example', 'local', 7.5, 1);
INSERT INTO accounts VALUES ('ann@own.example', 'own.example', 'hash', 0);
INSERT INTO entries VALUES (1, 'ann@own.example', 1, 'a.example', 0, NULL, '');
PRAGMA user_version=2;
"""


class FileTests(TestCase):
    """Files that are not ours, or not of today."""

    def test_other_version(self) -> None:
        """A file of a later smfd is left alone."""
        path = Path(self.mktemp())
        with sqlite3.connect(path) as made:
            made.execute("PRAGMA user_version=99")
        made.close()
        self.assertRaises(WrongVersion, Directory(path, reactor).startService)

    async def test_version_1(self) -> None:
        """A file of the first smfd is taken over; its 5 meant nothing was said."""
        path = Path(self.mktemp())
        with sqlite3.connect(path) as made:
            made.executescript(_VERSION_1)
        made.close()
        directory = Directory(path, reactor)
        self.addCleanup(directory.stopService)
        for _ in range(2):  # the second start finds it done
            directory.startService()
            found = (await directory.domains()).items
            self.assertEqual(
                [
                    Domain("five.example", threshold=None),
                    Domain("own.example", "local", 7.5, True),
                ],
                list(found),
            )
            self.assertIsNotNone(await directory.account("ann@own.example"))
            directory.stopService()
        directory.startService()
        # Who has users is still held by them.
        with sqlite3.connect(path) as looked:
            self.assertEqual([], looked.execute("PRAGMA foreign_key_check").fetchall())
        looked.close()
        await directory.add_account("bob@five.example", actor="uid:test")

    async def test_version_2(self) -> None:
        """A file of before there were aliases is taken over whole."""
        path = Path(self.mktemp())
        with sqlite3.connect(path) as made:
            made.executescript(_VERSION_2)
        made.close()
        directory = Directory(path, reactor)
        self.addCleanup(directory.stopService)
        for _ in range(2):
            directory.startService()
            self.assertEqual(
                [Domain("own.example", "local", 7.5, True)],
                list((await directory.domains()).items),
            )
            found = await directory.known("ann@own.example")
            assert found is not None and found.account is not None
            self.assertEqual(("hash", ()), (found.account.password, found.targets))
            self.assertEqual(
                1, len(await entries_for(Lists(directory), "ann@own.example"))
            )
            directory.stopService()
        directory.startService()
        await directory.put_alias(
            "x@own.example", ("ann@own.example",), actor="uid:test"
        )
        await directory.add_domain(
            "far.example", kind="relay", next_hop="smtp://a.example", actor="uid:test"
        )

    async def test_version_1_broken(self) -> None:
        """A file that cannot be taken over stays as it was."""
        path = Path(self.mktemp())
        with sqlite3.connect(path) as made:
            made.executescript("CREATE TABLE domains (x); PRAGMA user_version=1")
        made.close()
        before = path.read_bytes()
        self.assertRaises(WrongVersion, Directory(path, reactor).startService)
        with sqlite3.connect(path) as looked:
            (version,) = looked.execute("PRAGMA user_version").fetchone()
            tables = looked.execute("SELECT name FROM sqlite_schema").fetchall()
        looked.close()
        self.assertEqual((1, [("domains",)]), (version, tables))
        self.assertEqual(before[100:], path.read_bytes()[100:])

    def test_other_tables(self) -> None:
        """Somebody else's database is not filled with our tables."""
        path = Path(self.mktemp())
        with sqlite3.connect(path) as made:
            made.execute("CREATE TABLE theirs (x)")
        made.close()
        self.assertRaises(WrongVersion, Directory(path, reactor).startService)


class RuleTests(SynchronousTestCase):
    """Names of mailboxes."""

    def test_international(self) -> None:
        """A name in any script is one name, however it was typed."""
        self.assertEqual(
            rules.address("Jose\u0301@home.example"), rules.address("josé@home.example")
        )

    def test_folders(self) -> None:
        """No mailbox's name can leave its folder, or hide in it."""
        for local in "..", ".", "a/b", "a\\b", ".a", "a.", "a..b", "a\x00b", "a b", "*":
            self.assertRaises(Refused, rules.address, f"{local}@home.example")


class CacheTests(SynchronousTestCase):
    """What is remembered."""

    def test_bounded(self) -> None:
        """The one not asked for longest goes; heavy ones push out more."""
        cache: Cache[int] = Cache(3)
        for n, key in enumerate("abc"):
            cache.keep(key, n, cache.age)
        cache.get("a")
        cache.keep("d", 4, cache.age)
        self.assertEqual([(0,), None], [cache.get("a"), cache.get("b")])
        cache.keep("e", 5, cache.age, weight=3)
        self.assertEqual(1, len(cache))
        cache.keep("f", 6, cache.age, weight=4)
        self.assertIsNone(cache.get("f"))

    def test_never_stale(self) -> None:
        """What was read before a write is not kept after it."""
        cache: Cache[str] = Cache(3)
        age = cache.age
        cache.drop()
        cache.keep("a", "old", age)
        self.assertIsNone(cache.get("a"))

    def test_again(self) -> None:
        """Keeping a key twice weighs once."""
        cache: Cache[int] = Cache(2)
        for n in range(5):
            cache.keep("a", n, cache.age)
        cache.keep("b", 9, cache.age)
        self.assertEqual([(4,), (9,)], [cache.get("a"), cache.get("b")])


def _add(lists: Lists, scope: str, pattern: str, **more: Any) -> Deferred[ListEntry]:
    return lists.add(ListEntry(0, scope, False, pattern, **more), actor="uid:test")


def _dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()
