"""Tests for L{smfd.store.directory_dkim}."""

import sqlite3
from typing import Any

from smfd.content.dkim_key import make_keys
from smfd.model.directory import Refused
from smfd.model.dkim import ACTIVE, LINGERS, RETIRED, SPARE, DKIMKey, NewKey
from smfd.store import directory_schema
from smfd.store.directory_dkim import DKIMKeys, _free, add, rotate
from smfd.store.directory_dkim import keys as listed
from smfd.store.directory_rows import Doing
from tests.store.test_directory import DirectoryTestCase

BY: Any = {"actor": "uid:test"}
HOME = "home.example"

#: Made once: each takes a while.
PAIRS = [make_keys() for _ in range(3)]


def states(keys: tuple[DKIMKey, ...]) -> list[tuple[str, str]]:
    """Algorithms and states, in order."""
    return sorted((key.algorithm, key.state) for key in keys)


class KeysTests(DirectoryTestCase):
    """The keys of a domain."""

    async def start(self) -> DKIMKeys:
        """Of a directory that has a domain."""
        self.directory = await self.build()
        return DKIMKeys(self.directory)

    async def test_add(self) -> None:
        """A domain is given keys that sign and spare ones, and no third time."""
        keys = await self.start()
        self.assertEqual((), await keys.signing(HOME))
        self.assertEqual((HOME,), (await keys.lacking()).items)
        made = await keys.add(HOME, PAIRS[:2], **BY)
        self.assertEqual(
            sorted((a, s) for a in ("rsa", "ed25519") for s in (ACTIVE, SPARE)),
            states(made),
        )
        self.assertEqual(4, len({key.selector for key in made}))
        self.assertEqual(0, (await keys.lacking()).total)
        await self.assert_refused("conflict", keys.add(HOME, PAIRS[:2], **BY))
        await self.assert_refused("unknown", keys.add("far.example", PAIRS[:2], **BY))
        found = await keys.signing(HOME)
        self.assertEqual(["rsa", "ed25519"], [key.algorithm for key in found])

    async def test_rotate(self) -> None:
        """Spare keys sign, the others are kept in the DNS for a week, not here."""
        keys = await self.start()
        await keys.add(HOME, PAIRS[:2], **BY)
        old = {key.selector for key in await keys.signing(HOME)}
        spare = [key for key in await keys.keys(HOME) if key.state == SPARE]
        found = await keys.rotate(HOME, spare, PAIRS[2], **BY)
        new = {key.selector for key in await keys.signing(HOME)}
        self.assertFalse(old & new)
        gone = [key for key in found if key.state == RETIRED]
        self.assertEqual(old, {key.selector for key in gone})
        for key in gone:
            assert key.retired is not None
            self.assertTrue(key.is_wanted(key.retired + LINGERS - 1))
            self.assertFalse(key.is_wanted(key.retired + LINGERS))
        self.assertEqual(2, len([key for key in found if key.state == SPARE]))
        stored = await self.directory.ask(private)
        self.assertEqual(old, {selector for selector, text in stored if not text})
        acts = (await self.directory.acts(HOME)).items
        self.assertEqual("dkim rotate", acts[0].act)

    async def test_erased(self) -> None:
        """What was erased is not to be found in the file either."""
        keys = await self.start()
        await keys.add(HOME, PAIRS[:2], **BY)
        lines = [line for key in (*PAIRS[0], *PAIRS[1]) for line in key.private.split()]
        marks = [line for line in lines if len(line) == 64][1:]
        for key in await keys.keys(HOME):
            await keys.retire(HOME, key.selector, **BY)
        self.directory.stopService()
        for path in self.path.iterdir():
            found = path.read_bytes()
            for mark in marks:
                self.assertNotIn(mark.encode(), found, path.name)
        self.directory.startService()

    async def test_retire(self) -> None:
        """A key that was stolen signs no more; the others do."""
        keys = await self.start()
        await keys.add(HOME, PAIRS[:2], **BY)
        first, second = await keys.signing(HOME)
        await keys.retire(HOME, first.selector, **BY)
        self.assertEqual(
            [second.selector], [k.selector for k in await keys.signing(HOME)]
        )
        await self.assert_refused("conflict", keys.retire(HOME, first.selector, **BY))
        await self.assert_refused("unknown", keys.retire(HOME, "other", **BY))

    async def test_no_spare(self) -> None:
        """Without spare keys nothing can take the place of the others."""
        keys = await self.start()
        await self.assert_refused("conflict", keys.rotate(HOME, (), PAIRS[0], **BY))

    async def test_changed_meanwhile(self) -> None:
        """Keys that nobody has looked at do not sign."""
        keys = await self.start()
        made = await keys.add(HOME, PAIRS[:2], **BY)
        spare = [key for key in made if key.state == SPARE]
        await keys.rotate(HOME, spare, PAIRS[2], **BY)
        before = await keys.keys(HOME)
        await self.assert_refused("conflict", keys.rotate(HOME, spare, PAIRS[2], **BY))
        self.assertEqual(before, await keys.keys(HOME))

    async def test_many_a_day(self) -> None:
        """No selector is used twice; after 26 pairs a day there is none left."""
        await self.start()
        connection = directory_schema.writer(self.path / "directory.db")
        self.addCleanup(connection.close)
        doing = Doing("uid:test", 1_795_000_000.0)
        key = NewKey("rsa", "x", "v=DKIM1")
        add(connection, doing, HOME, ((key,), (key,)))

        def turn(doing: Doing) -> tuple[DKIMKey, ...]:
            spare = [k for k in listed(connection, HOME) if k.state == SPARE]
            return rotate(connection, doing, HOME, spare, (key,))

        for _ in range(24):
            turn(doing)
        self.assertRaises(Refused, turn, doing)
        later = Doing("uid:test", doing.now + 86400 * 100)
        self.assertEqual("20270226a", _free(connection, later, HOME))
        # Then those of long ago are no longer shown.
        self.assertEqual(3, len(turn(later)))

    async def test_gone_with_its_domain(self) -> None:
        """Who hosts the domain again does not sign with keys of before."""
        keys = await self.start()
        await keys.add(HOME, PAIRS[:2], **BY)
        await self.directory.remove_domain(HOME, True, **BY)
        self.assertEqual([], await self.directory.ask(private))
        self.assertEqual((), await keys.signing(HOME))

    async def test_never_shown(self) -> None:
        """No private key is in what is listed, or in what is written of one."""
        keys = await self.start()
        await keys.add(HOME, PAIRS[:2], **BY)
        page = await keys.page(HOME)
        self.assertEqual(4, page.total)
        for text in repr(page), repr(PAIRS), repr(await keys.signing(HOME)):
            self.assertNotIn("PRIVATE", text)


def private(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The selectors, and what is kept of the private halves."""
    return connection.execute("SELECT selector, private FROM dkim_keys").fetchall()
