"""Tests for the use cases of directory, tracking, status, times, passwords."""

from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.control import accounts, audit, domains, lists, status, tracking
from smfd.control.bootstrap import found
from smfd.control.passwords import generated
from smfd.control.times import moment, span, utc
from smfd.model.directory import ListEntry, Refused
from smfd.model.record import Record
from smfd.store import directory_rows
from smfd.store.directory_known import known
from smfd.store.directory_schema import reader
from tests.control.building import OPERATOR, HouseTestCase

NOW = 1_774_872_000.0


class DirectoryTests(HouseTestCase):
    """Domains, mailboxes and lists, as the faces ask for them."""

    async def test_domain(self) -> None:
        """A domain's page says how many use it and what is held for it."""
        house = await self.build()
        made = await domains.add(house, OPERATOR, name="New.example", threshold=4.0)
        self.assertEqual(("new.example", 4.0), (made["name"], made["threshold"]))
        await domains.change(
            house, OPERATOR, name="new.example", allow_unauthenticated=True
        )
        await self.receive()
        shown = await domains.show(house, OPERATOR, name="HOME.example")
        self.assertEqual((3, 1), (shown["users"], shown["held"]))
        page = await domains.page(house, OPERATOR, search="new")
        self.assertEqual(
            (1, True), (page["total"], page["items"][0]["allow_unauthenticated"])
        )
        await domains.remove(house, OPERATOR, name="new.example")
        for asked in (
            domains.show(house, OPERATOR, name="new.example"),
            domains.change(house, OPERATOR, name="new.example", threshold=5.0),
        ):
            await self.assert_refused("unknown", asked)
        await self.assert_refused(
            "invalid", domains.change(house, OPERATOR, name="home.example")
        )

    async def test_account(self) -> None:
        """A password is made when none is given, told once, kept as a hash."""
        house = await self.build()
        made = await accounts.add(house, OPERATOR, address="Cid@home.example")
        account = await house.directory.account("cid@home.example")
        assert account is not None
        self.assertTrue(PasswordHasher().verify(account.password, made["password"]))
        self.assertTrue(account.password.startswith("$argon2id$"))
        shown = await accounts.show(house, OPERATOR, address="cid@home.example")
        self.assertTrue(shown["can_log_in"])
        self.assertNotIn("password", shown)
        given_ = await accounts.set_password(
            house, OPERATOR, address="cid@home.example", password="correct horse"
        )
        self.assertNotIn("password", given_)
        account = await house.directory.account("cid@home.example")
        assert account is not None
        self.assertTrue(PasswordHasher().verify(account.password, "correct horse"))
        await accounts.remove(house, OPERATOR, address="cid@home.example")
        page = await accounts.page(house, OPERATOR, domain="home.example")
        self.assertEqual(3, page["total"])

    async def test_account_refused(self) -> None:
        """What cannot be is said before anything is hashed."""
        house = await self.build()
        for kind, asked in (
            (
                "invalid",
                accounts.add(
                    house, OPERATOR, address="x@home.example", password="short"
                ),
            ),
            ("unknown", accounts.add(house, OPERATOR, address="x@else.example")),
            ("invalid", accounts.add(house, OPERATOR, address="x")),
            ("conflict", accounts.add(house, OPERATOR, address="ann@home.example")),
            ("unknown", accounts.show(house, OPERATOR, address="x@home.example")),
            (
                "unknown",
                accounts.set_password(house, OPERATOR, address="x@home.example"),
            ),
        ):
            await self.assert_refused(kind, asked)

    async def test_lists(self) -> None:
        """An entry is added with an end, found, and removed by its number."""
        house = await self.build()
        made = await lists.add(
            house,
            OPERATOR,
            scope="ann@home.example",
            allow=True,
            pattern="*@Shop.example",
            expires="2099-01-01",
            note="offers",
        )
        self.assertEqual("shop.example", made["pattern"])
        self.assertEqual(
            ("allow", "2099-01-01T00:00:00Z"), (made["kind"], made["expires"])
        )
        for wanted in (
            {"search": "offers"},
            {"scope": "Ann+x@HOME.example"},
            {"pattern": "*@SHOP.example"},
        ):
            page = await lists.page(house, OPERATOR, **wanted)  # type: ignore[arg-type]
            self.assertEqual([made], page["items"], wanted)
        for bad in "x", "-1", "1e3", "9" * 20, "²":
            await self.assert_refused("invalid", lists.remove(house, OPERATOR, id=bad))
        gone = await lists.remove(house, OPERATOR, id=str(made["id"]))
        self.assertEqual(made, gone)
        await self.assert_refused(
            "unknown", lists.remove(house, OPERATOR, id=str(made["id"]))
        )
        await self.assert_refused(
            "invalid",
            lists.add(
                house,
                OPERATOR,
                scope="operator",
                allow=True,
                pattern="a.example",
                expires="soon",
            ),
        )

    async def test_audit(self) -> None:
        """Every change names who did it."""
        house = await self.build()
        await lists.add(
            house, OPERATOR, scope="operator", allow=False, pattern="a.example"
        )
        page = await audit.page(house, OPERATOR, subject="operator")
        (act,) = page["items"]
        self.assertEqual(("uid:tester", "list add"), (act["actor"], act["act"]))


class TrackingTests(HouseTestCase):
    """What became of a message."""

    async def test_search(self) -> None:
        """A message is found at once, and the answer says up to when."""
        house = await self.build()
        name = await self.receive()
        found_ = await tracking.search(
            house, OPERATOR, sender="x@a.example", since="1h", verdict="spam"
        )
        (item,) = found_["items"]
        self.assertEqual(name, item["id"])
        self.assertRegex(item["time"], r"Z$")
        self.assertGreaterEqual(found_["complete_up_to"], item["time"])

    async def test_search_refused(self) -> None:
        """A search that cannot be has a sentence."""
        house = await self.build()
        for wanted in (
            {"since": "soon"},
            {"subject": "!!!"},
            {"offset": 99_999},
            {"verdict": "nope"},
        ):
            await self.assert_refused(
                "invalid",
                tracking.search(house, OPERATOR, **wanted),
            )

    async def test_show(self) -> None:
        """The whole record, in times that people read."""
        house = await self.build()
        name = await self.receive("maildir", "clean")
        trace = await tracking.show(house, OPERATOR, id=name)
        self.assertRegex(trace["record"]["time"], r"Z$")
        (recipient,) = trace["recipients"]
        self.assertEqual("delivered", recipient["state"])
        held = await tracking.show(house, OPERATOR, id=f"{name}-1")
        self.assertEqual(trace, held)
        self.assertTrue((self.home / recipient["detail"]).exists())

    async def test_refusal_at_once(self) -> None:
        """A refusal is found the moment its reply was sent."""
        house = await self.build()
        record = Record(
            "refused1",
            "refusal",
            NOW,
            "inbound",
            "192.0.2.1",
            "",
            "",
            "",
            (),
            "refused",
            "550",
        )
        house.ledger.note(record)
        trace = await tracking.show(house, OPERATOR, id="refused1")
        self.assertEqual("refusal", trace["record"]["kind"])
        self.assertEqual([], trace["recipients"])

    async def test_unknown(self) -> None:
        """An id that nobody knows is unknown."""
        house = await self.build()
        for name in "", "x" * 10_000, "\x00", "é":
            await self.assert_refused(
                "unknown", tracking.show(house, OPERATOR, id=name)
            )


class StatusTests(HouseTestCase):
    """How the house is doing."""

    async def test_status(self) -> None:
        """What waits, what is held, and loudly what protects nobody."""
        house = await self.build()
        await self.receive()
        shown = await status.status(house, OPERATOR)
        self.assertEqual((0, 1, 1), (shown["queue"], shown["held"], shown["records"]))
        self.assertEqual("builtin", shown["virus_engine"])
        self.assertIn("No antivirus is installed", shown["warnings"][0])
        self.assertIn("SPF is off.", shown["warnings"])
        self.assertEqual("1970-01-01T00:00:00Z", shown["up_since"])


class BootstrapTests(SynchronousTestCase):
    """A new home's databases."""

    def test_found(self) -> None:
        """Domains, users with their passwords, lists; for the owner only."""
        home = Path(self.mktemp())
        home.mkdir()
        found(
            home,
            "mx.home.example",
            ["home.example", "b.example"],
            {"ann@home.example": "secret", "postmaster@home.example": "other"},
            [ListEntry(0, "ann@home.example", True, "a.example")],
        )
        connection = reader(home / "directory.db")
        self.addCleanup(connection.close)
        for address, password in (
            ("ann@home.example", "secret"),
            ("postmaster@home.example", "other"),
        ):
            there = known(connection, address, "")
            assert there is not None and there.account is not None
            self.assertTrue(PasswordHasher().verify(there.account.password, password))
        self.assertEqual(
            1, len(directory_rows.entries_of(connection, "ann@home.example"))
        )
        self.assertIsNotNone(directory_rows.domain(connection, "b.example"))
        for name in "mail", "quarantine", "spool", "run":
            self.assertEqual(0o700, (home / name).stat().st_mode & 0o777)

    def test_refused(self) -> None:
        """A user of a domain that is not hosted is refused."""
        home = Path(self.mktemp())
        home.mkdir()
        self.assertRaises(
            Refused, found, home, "mx.a.example", ["a.example"], {"x@b.example": "p"}
        )


class TimeTests(SynchronousTestCase):
    """Times as people write them."""

    def test_spans(self) -> None:
        """How long it takes, never less than it does."""
        for seconds, words in (
            (1, "1 second"),
            (120, "120 seconds"),
            (121, "3 minutes"),
            (7200, "120 minutes"),
            (7201, "3 hours"),
            (87_508, "25 hours"),
        ):
            self.assertEqual(words, span(seconds))

    def test_forms(self) -> None:
        """A moment, a day, or how long ago."""
        for text, expected in (
            ("2026-03-30T12:00:00Z", NOW),
            ("2026-03-30T14:00:00+02:00", NOW),
            ("2026-03-30T12:00", NOW),
            ("2026-03-30", NOW - 43_200),
            ("2h", NOW - 7200),
            (" 3d ", NOW - 259_200),
            ("1w", NOW - 604_800),
            ("", None),
        ):
            self.assertEqual(expected, moment(text, NOW), text)
        self.assertEqual(NOW + 7200, moment("2h", NOW, ahead=True))

    def test_mistakes(self) -> None:
        """Anything else is refused with a sentence."""
        for text in "soon", "2026-13-01", "99:99", "-1h", "9999999h", "1y":
            self.assertRaises(Refused, moment, text, NOW)

    @given(st.text(max_size=40))
    def test_any_text(self, text: str) -> None:
        """Any text is a time, or is refused."""
        try:
            moment(text, NOW)
        except Refused as no:
            self.assertEqual("invalid", no.kind)

    @given(st.floats())
    def test_shown(self, seconds: float) -> None:
        """Any number is shown as some time, and a sane one reads back."""
        shown = utc(seconds)
        if 0 <= seconds < 4e9:
            self.assertEqual(int(seconds), moment(shown, NOW))


class PasswordTests(SynchronousTestCase):
    """Passwords that are made."""

    def test_generated(self) -> None:
        """No two are the same, and none has signs that look alike."""
        made: Any = {generated() for _ in range(50)}
        self.assertEqual(50, len(made))
        self.assertFalse(set("".join(made)) & set("0O1lI"))
