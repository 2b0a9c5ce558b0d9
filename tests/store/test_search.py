"""Tests for L{smfd.store.search}."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.store import search_month as month
from smfd.store.search import Search
from smfd.store.search_criteria import Criteria, query
from smfd.store.search_shelf import Shelf, TooBroad
from smfd.store.threads import Threads

DAY = 86_400.0
#: Noon of 2026-03-30, UTC.
NOW = 1_774_872_000.0


class Ledger:
    """Records as the ledger has them."""

    def __init__(self) -> None:
        self.records: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[int] = []

    def add(self, **fields: Any) -> str:
        """A record of yesterday, unless said otherwise."""
        seq = self.records[-1][0] + 1 if self.records else 1
        record = {
            "id": f"id{seq}",
            "kind": "message",
            "flow": "inbound",
            "time": NOW - DAY + seq,
            "client": "192.0.2.1",
            "helo": "mx.a.example",
            "sender": "x@a.example",
            "header_from": "x@a.example",
            "recipients": ["ann@home.example"],
            "subject": "Hello",
            "verdict": "clean",
            "fates": [{"category": "clean"}],
            "score": 0.5,
            "size": 10,
            "reply": "250",
            **fields,
        }
        self.records.append((seq, record))
        return f"id{seq}"

    def after(self, seq: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """Those with a higher number."""
        self.asked.append(seq)
        return [r for r in self.records if r[0] > seq][:limit]


class Time:
    """The reactor, at a time of ours."""

    def __init__(self) -> None:
        self.now = NOW

    def seconds(self) -> float:
        """Now."""
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


class SearchTestCase(TestCase):
    """
    A search over a ledger of our own.

    @ivar kept: days that records are shown.
    @ivar patience: seconds to catch up.
    """

    kept = 30.0
    patience = 3.0

    def setUp(self) -> None:
        """Start it on an empty folder."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.ledger = Ledger()
        self.time = Time()
        self.hands = Threads(self.time, "search")  # type: ignore[arg-type]
        self.hands.start()
        self.addCleanup(self.hands.stop)
        self.search = self.start()

    def start(self) -> Search:
        """Start a search on the folder; nothing is filled behind our back."""
        search = Search(
            self.folder,
            self.ledger,
            self.hands,
            self.time,
            every=3600.0,
            patience=self.patience,
            retention=self.kept,
        )
        search.startService()
        self.addCleanup(search.stopService)
        return search

    async def found(self, limit: int = 50, offset: int = 0, **wanted: Any) -> list[str]:
        """The ids that a search finds."""
        found = await self.search.search(Criteria(**wanted), limit, offset)
        return [item["id"] for item in found.items]


class WantedTests(SearchTestCase):
    """What can be searched for."""

    async def test_address(self) -> None:
        """A whole address finds exactly it, in any case."""
        one = self.ledger.add(sender="ann.b@a.example", header_from="")
        self.ledger.add(sender="ann.b@a.example.org", header_from="")
        self.ledger.add(sender="joann.b@a.example", header_from="")
        self.assertEqual([one], await self.found(sender="Ann.B@A.example"))

    async def test_account(self) -> None:
        """Who had logged in, or was refused to, finds all of it; so does a domain."""
        sent = self.ledger.add(account="ann@home.example", sender="sales@home.example")
        refused = self.ledger.add(
            kind="refusal", account="ann@home.example", sender="", recipients=[]
        )
        other = self.ledger.add(account="bob@home.example")
        self.ledger.add(sender="ann@home.example", recipients=["ann@home.example"])
        both = [refused, sent]
        self.assertEqual(both, await self.found(account="Ann@home.example"))
        self.assertEqual([other, *both], await self.found(account="@home.example"))
        self.assertEqual([], await self.found(account="@home.exampl"))
        found = await self.search.search(Criteria(account="ann*"), 5, 0)
        names = [item["account"] for item in found.items]
        self.assertEqual(["ann@home.example"] * 2, names)

    async def test_other_version(self) -> None:
        """An index of another version is filled anew from the ledger."""
        one = self.ledger.add(account="ann@home.example")
        self.assertEqual([one], await self.found())
        self.search.stopService()
        (path,) = self.folder.glob("search-*.db")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version=1")
        self.search = self.start()
        self.assertEqual([one], await self.found(account="ann@home.example"))

    async def test_named(self) -> None:
        """An alias finds what its mailboxes got, and they are what is shown."""
        one = self.ledger.add(named=["Team@home.example", "all@home.example"])
        for named in "team@home.example", "ALL@home.example", "ann@home.example":
            self.assertEqual([one], await self.found(recipient=named), named)
        (item,) = (await self.search.search(Criteria(), 10)).items
        self.assertEqual(["ann@home.example"], item["recipients"])

    async def test_author(self) -> None:
        """The sender is looked for in the envelope and in From."""
        one = self.ledger.add(sender="bounce@m.example", header_from="boss@a.example")
        self.assertEqual([one], await self.found(sender="boss@a.example"))
        self.assertEqual([one], await self.found(sender="@m.example"))

    async def test_domain(self) -> None:
        """@ and a domain finds every mailbox of exactly it."""
        one = self.ledger.add(recipients=["x@other.example", "y@home.example"])
        self.ledger.add(recipients=["y@sub.home.example"])
        self.ledger.add(recipients=["y@home.example.org"])
        self.assertEqual([one], await self.found(recipient="@home.example"))

    async def test_prefix(self) -> None:
        """The beginning of a name or of a domain is enough."""
        one = self.ledger.add(recipients=["annabel@home.example"])
        two = self.ledger.add(recipients=["bob@annex.example"])
        self.ledger.add(recipients=["joanna@home.example"])
        self.assertEqual([two, one], await self.found(recipient="ann"))
        self.assertEqual([one], await self.found(recipient="annabel@ho*"))
        self.assertEqual([two], await self.found(recipient="annex.ex"))

    async def test_nobody(self) -> None:
        """<> finds bounces."""
        one = self.ledger.add(sender="")
        self.ledger.add()
        self.assertEqual([one], await self.found(sender="<>"))

    async def test_subject(self) -> None:
        """All words must be there; a star ends a beginning."""
        one = self.ledger.add(subject="Invoice for Zoë, 2nd reminder")
        self.ledger.add(subject="Invoices")
        for words in "invoice", "ZOE reminder", "zoë inv*", "2nd":
            self.assertIn(one, await self.found(subject=words))
        self.assertEqual([one], await self.found(subject="invoice"))
        self.assertEqual([], await self.found(subject="invoice paid"))

    async def test_verdict(self) -> None:
        """The message's verdict, or what one of its recipients got."""
        one = self.ledger.add(
            verdict="mixed", fates=[{"category": "clean"}, {"category": "blocked"}]
        )
        two = self.ledger.add(verdict="virus", fates=[])
        self.assertEqual([one], await self.found(verdict="blocked"))
        self.assertEqual([one], await self.found(verdict="mixed"))
        self.assertEqual([two], await self.found(verdict="Virus"))

    async def test_client(self) -> None:
        """An address, or its beginning."""
        one = self.ledger.add(client="2001:db8::1")
        two = self.ledger.add(client="198.51.100.7")
        self.assertEqual([one], await self.found(client="2001:DB8::1"))
        self.assertEqual([two], await self.found(client="198.51.*"))
        self.assertEqual([], await self.found(client="198.51.100"))

    async def test_time(self) -> None:
        """From a time on, up to another."""
        ids = [self.ledger.add(time=NOW - 100 + n) for n in range(4)]
        self.assertEqual(
            [ids[2], ids[1]], await self.found(since=NOW - 99, until=NOW - 97)
        )

    async def test_all_at_once(self) -> None:
        """What is asked for must all be true."""
        self.ledger.add(subject="Pills", verdict="clean")
        one = self.ledger.add(subject="Pills", verdict="spam", sender="q@b.example")
        self.ledger.add(subject="Other", verdict="spam", sender="q@b.example")
        self.assertEqual(
            [one],
            await self.found(subject="pills", verdict="spam", sender="@b.example"),
        )

    async def test_pages(self) -> None:
        """The newest first, a page at a time, over months."""
        ids = [self.ledger.add(time=NOW - 40 * DAY * (n < 3) + n) for n in range(6)]
        self.search.stopService()
        self.kept = 100.0
        self.search = self.start()
        ids.reverse()
        self.assertEqual(ids[:2], await self.found(limit=2))
        self.assertEqual(ids[2:5], await self.found(limit=3, offset=2))

    async def test_retention(self) -> None:
        """What is older than the retention is not shown."""
        self.ledger.add(time=NOW - 31 * DAY)
        one = self.ledger.add(time=NOW - 29 * DAY)
        self.assertEqual([one], await self.found())
        self.assertEqual([one], await self.found(since=0.0))

    async def test_item(self) -> None:
        """A line of the answer says what the record said."""
        self.ledger.add(recipients=["a@b.example", "c@d.example"], score=None)
        found = await self.search.search(Criteria())
        (item,) = found.items
        self.assertEqual(["a@b.example", "c@d.example"], item["recipients"])
        self.assertEqual(("clean", None), (item["verdict"], item["score"]))

    async def test_strange_records(self) -> None:
        """A record full of rubbish is indexed like any other."""
        self.ledger.add(subject="a\x00b\ud800c", helo=None, fates=None, size=None)
        self.ledger.records.append((2, {}))
        one = self.ledger.add(subject="last")
        self.assertEqual([one], await self.found(subject="last"))
        self.assertEqual(1, len(await self.found(subject="a")))

    async def test_says_why_not(self) -> None:
        """A search that cannot be has a sentence."""
        for wanted in (
            Criteria(subject="!!!"),
            Criteria(recipient="<>"),
            Criteria(subject="w " * 21),
            Criteria(sender="x" * 501),
        ):
            await self.assertFailure(self.search.search(wanted), ValueError)
        await self.assertFailure(
            self.search.search(Criteria(), offset=10_001), ValueError
        )


class FillTests(SearchTestCase):
    """The index follows the ledger."""

    async def test_complete(self) -> None:
        """The answer says up to when it is complete."""
        one = self.ledger.add()
        self.assertEqual([one], await self.found())
        self.time.now = NOW + 5
        found = await self.search.search(Criteria())
        self.assertEqual(NOW + 5, found.complete_up_to)

    async def test_behind(self) -> None:
        """When catching up takes too long, the answer says how far it is."""
        for _ in range(1200):
            self.ledger.add()
        self.search.stopService()
        self.patience = 0.0
        self.search = self.start()
        found = await self.search.search(Criteria(), limit=1)
        self.assertEqual(NOW - DAY + 500, found.complete_up_to)
        self.assertEqual("id500", found.items[0]["id"])

    async def test_in_the_background(self) -> None:
        """It is filled without being asked."""
        self.ledger.add()
        await self.search.rounds.once()
        self.assertEqual([0], self.ledger.asked)
        await self.search.rounds.once()
        self.assertEqual([0, 1], self.ledger.asked)

    async def test_nothing_new(self) -> None:
        """Its files are left alone while no mail comes."""
        self.ledger.add()
        await self.search.rounds.once()
        self.patch(Shelf, "open", lambda _: _raise(OSError("opened")))
        await self.search.rounds.once()
        self.assertEqual([], self.flushLoggedErrors(OSError))
        self.ledger.add()
        await self.search.rounds.once()
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))

    async def test_trouble(self) -> None:
        """A ledger that cannot be read fails the search, not the filling."""
        self.patch(self.ledger, "after", lambda *_: _raise(OSError("disk")))
        await self.search.rounds.once()
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))
        await self.assertFailure(self.search.search(Criteria()), OSError)

    async def test_restart(self) -> None:
        """After a restart it goes on where it was."""
        ids = [self.ledger.add(), self.ledger.add()]
        await self.found()
        self.search.stopService()
        ids.append(self.ledger.add())
        self.search = self.start()
        self.ledger.asked.clear()
        self.assertEqual(ids[::-1], await self.found())
        self.assertEqual([1, 2], self.ledger.asked)

    async def test_rebuilt(self) -> None:
        """A month that is missing, damaged or foreign is filled again."""
        ids = [
            self.ledger.add(time=NOW - DAY * days, subject="word")
            for days in (80, 79, 50, 45, 20, 0)
        ]
        ids.reverse()
        self.search.stopService()
        self.kept = 100.0
        self.search = self.start()

        def missing(path: Path) -> None:
            path.unlink()

        def torn(path: Path) -> None:
            path.write_bytes(path.read_bytes()[:5000])

        def rubbish(path: Path) -> None:
            path.write_bytes(b"no database" * 1000)

        def empty(path: Path) -> None:
            path.write_bytes(b"")

        self.assertEqual(ids, await self.found(subject="word"))
        self.assertEqual(3, len(self.months()))
        for name in self.months():
            for damage in missing, torn, rubbish, empty:
                self.search.stopService()
                damage(self.folder / f"{name}.db")
                self.search = self.start()
                self.assertEqual(ids, await self.found(subject="word"), damage)

    async def test_damaged_while_running(self) -> None:
        """Damage that shows while it runs is repaired too."""
        for _ in range(3000):
            self.ledger.add(subject="word " * 20)
        await self.found()
        (name,) = self.months()
        path = self.folder / f"{name}.db"
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(100_000)
            file.write(b"\xff" * (size - 100_000))
        # The file's beginning says nothing of it.
        month.open_month(path).close()
        self.assertEqual(50, len(await self.found(subject="word")))

    async def test_damaged_while_filling(self) -> None:
        """Damage that shows while it is filled is repaired at once."""
        ids = [self.ledger.add()]
        await self.found()
        ids.insert(0, self.ledger.add())
        fill, damage = month.fill, [sqlite3.DatabaseError("malformed")]
        damage[0].sqlite_errorname = "SQLITE_CORRUPT"

        def failing(*args: Any) -> None:
            if damage:
                raise damage.pop()
            fill(*args)

        self.patch(month, "fill", failing)
        self.assertEqual(ids, await self.found())

    async def test_full_disk(self) -> None:
        """A full disk is no damage: nothing is thrown away, and it is tried again."""
        one = self.ledger.add()
        await self.found()
        two = self.ledger.add()
        with self.assertRaises(sqlite3.OperationalError):
            error = sqlite3.OperationalError("full")
            error.sqlite_errorname = "SQLITE_FULL"
            fill = month.fill
            self.patch(month, "fill", lambda *_: _raise(error))
            await self.found()
        self.patch(month, "fill", fill)
        self.ledger.asked.clear()
        self.assertEqual([two, one], await self.found())
        self.assertEqual([0, 1], self.ledger.asked)

    async def test_other_ledger(self) -> None:
        """A ledger that came back from a backup is indexed anew."""
        for _ in range(3):
            self.ledger.add(subject="lost")
        await self.found()
        self.search.stopService()
        self.ledger.records.clear()
        one = self.ledger.add(id="other", subject="new")
        self.assertEqual("id1", one)
        self.search = self.start()
        self.assertEqual(["other"], await self.found())

    async def test_drop(self) -> None:
        """Old months are dropped whole and do not come back."""
        self.ledger.add(time=NOW - 70 * DAY)
        self.ledger.add(time=NOW - 30 * DAY)
        self.ledger.add(time=NOW)
        await self.found()
        self.assertEqual(["search-2026-01"], await self.search.drop(NOW - 60 * DAY))
        self.search.stopService()
        self.search = self.start()
        self.ledger.asked.clear()
        await self.found()
        self.assertEqual([2, 3], self.ledger.asked)
        # The month that is being filled stays, however old.
        await self.search.drop(NOW + DAY)
        self.assertEqual(["search-2026-03"], self.months())

    async def test_wild_clock(self) -> None:
        """Records of impossible times are kept and searched, in few files."""
        for time in (NOW, 0.0, -1e18, 1e18, NOW + 400 * DAY, NOW - 5 * DAY, NOW):
            self.ledger.add(time=time)
        self.assertLessEqual(3, len(await self.found()))
        self.assertLessEqual(len(self.months()), 3)
        self.assertEqual(7, self.search._through)

    async def test_owner_only(self) -> None:
        """Nobody else reads who wrote to whom."""
        self.ledger.add()
        await self.found()
        for path in self.folder.glob("search-*.db"):
            self.assertEqual(0o600, path.stat().st_mode & 0o777)

    def months(self) -> list[str]:
        """The files there are."""
        return sorted(path.stem for path in self.folder.glob("search-*.db"))


class ShelfTests(SynchronousTestCase):
    """Files side by side."""

    def test_stopped_between_commits(self) -> None:
        """Power off between two months' commits loses and doubles nothing."""
        records = [
            (n, {"id": f"i{n}", "time": NOW + (n - 5) * DAY, "subject": "w"})
            for n in range(1, 10)
        ]
        for stop in range(1, 4):
            folder = Path(self.mktemp())
            folder.mkdir()
            shelf, fill, left = Shelf(folder), month.fill, [stop]

            def failing(*args: Any) -> None:
                left[0] -= 1  # noqa: B023
                if not left[0]:  # noqa: B023
                    raise KeyboardInterrupt
                fill(*args)  # noqa: B023

            filled = shelf.open()
            self.patch(month, "fill", failing)
            try:
                for start in range(0, 9, 4):
                    filled = shelf.fill(records[start : start + 4], filled)
            except KeyboardInterrupt:
                pass
            self.patch(month, "fill", fill)
            filled = shelf.open()
            shelf.fill([r for r in records if r[0] > filled], filled)
            found = shelf.find(query(Criteria(subject="w")), 99)
            shelf.close()
            self.assertEqual(
                [f"i{n}" for n in range(9, 0, -1)], [i["id"] for i in found]
            )

    def test_too_broad(self) -> None:
        """A search has an end."""
        folder = Path(self.mktemp())
        folder.mkdir()
        shelf = Shelf(folder, patience=-1.0)
        self.addCleanup(shelf.close)
        shelf.fill([(n, {"id": "x", "time": NOW}) for n in range(1, 20_000)], 0)
        nothing = query(Criteria(client="z*"))
        self.assertEqual([], shelf.find(nothing, 9))
        everything = query(Criteria(sender="<>", client=""))
        self.assertRaises(TooBroad, shelf.find, everything, 20_000)


class QueryTests(SynchronousTestCase):
    """Whatever is typed, it is a search and no SQL."""

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(st.text(max_size=30), min_size=5, max_size=5),
        st.text(alphabet='"*:^-+(){}@.\n aAé\x00', max_size=30),
    )
    def test_any_words(self, words: list[str], odd: str) -> None:
        """Any text is answered, or refused with a sentence."""
        connection = self.month()
        for a, b, c, d, e in (words, [odd] * 5):
            try:
                found = month.find(connection, query(Criteria(a, b, c, d, e)), 5)
            except ValueError as wrong:
                self.assertTrue(str(wrong).endswith("."))
            else:
                self.assertLessEqual(len(found), 1)

    @settings(max_examples=200, deadline=None)
    @given(st.from_regex(r"\A[a-z0-9._+=-]{1,12}@[a-z0-9-]{1,8}\.[a-z]{2,4}\Z"))
    def test_what_is_there_is_found(self, address: str) -> None:
        """An address that was indexed is found by all its forms."""
        folder = Path(self.mktemp())
        connection = month.create(folder, "", 0)
        self.addCleanup(connection.close)
        month.fill(connection, [(1, {"sender": address})], 1)
        domain = address.partition("@")[2]
        for text in address, f"@{domain}", domain[:-1], f"{address[:-1]}*":
            found = month.find(connection, query(Criteria(sender=text)), 5)
            self.assertEqual(1, len(found), text)

    def month(self) -> sqlite3.Connection:
        """A month with one record."""
        if not hasattr(self, "_month"):
            self._month = month.create(Path(self.mktemp()), "", 0)
            self.addCleanup(self._month.close)
            month.fill(self._month, [(1, {"subject": "a b", "sender": "a@b.c"})], 1)
        return self._month


def _raise(error: Exception) -> None:
    raise error
