"""Tests for L{smfd.store.directory_grants}."""

from typing import Any

from smfd.model.grant import Grant
from smfd.store import directory_grants
from smfd.store.directory import Directory
from smfd.store.directory_grants import Grants
from tests.store.test_directory import DirectoryTestCase

BY: Any = {"actor": "uid:test"}
ANN, BOB, TEAM = "ann@home.example", "bob@home.example", "team@home.example"


async def add(directory: Directory, account: str, address: str) -> Grant:
    """Let a user write as an address."""
    return await directory.act("uid:test", directory_grants.add, account, address)


async def remove(directory: Directory, account: str, address: str) -> Grant:
    """Let him no more."""
    return await directory.act("uid:test", directory_grants.remove, account, address)


class GrantTestCase(DirectoryTestCase):
    """A directory with two users, and who they may write as."""

    async def start(self) -> tuple[Directory, Grants]:
        """Ann and Bob."""
        directory = await self.build()
        await directory.add_account(BOB, **BY)
        return directory, Grants(directory)


class IdentityTests(GrantTestCase):
    """Which addresses count as a user's (C15)."""

    async def test_own(self) -> None:
        """Everybody is himself; who has no mailbox is nobody."""
        directory, grants = await self.start()
        self.assertEqual({ANN}, await grants.identities(ANN))
        for nobody in "cid@home.example", TEAM, "", "ann@else.example":
            self.assertEqual(frozenset(), await grants.identities(nobody))

    async def test_alias(self) -> None:
        """An alias is his to whom alone it leads, through others too."""
        directory, grants = await self.start()
        await directory.put_alias("sales@home.example", (ANN,), **BY)
        await directory.put_alias("shop@home.example", ("sales@home.example",), **BY)
        await directory.put_alias(TEAM, (ANN, BOB), **BY)
        await directory.put_alias("x@home.example", (TEAM,), **BY)
        self.assertEqual(
            {ANN, "sales@home.example", "shop@home.example"},
            await grants.identities(ANN),
        )
        self.assertEqual({BOB}, await grants.identities(BOB))
        await directory.put_alias("sales@home.example", (ANN, BOB), **BY)
        self.assertEqual({ANN}, await grants.identities(ANN))

    async def test_forward(self) -> None:
        """Whose mail somebody gets is not he."""
        directory, grants = await self.start()
        await directory.put_alias("sales@home.example", (BOB,), **BY)
        await directory.put_forward(BOB, (ANN,), False, **BY)
        self.assertEqual({ANN}, await grants.identities(ANN))
        self.assertEqual({BOB, "sales@home.example"}, await grants.identities(BOB))

    async def test_grant(self) -> None:
        """What is granted counts until it is taken back; both are acts."""
        directory, grants = await self.start()
        await directory.put_alias(TEAM, (ANN, BOB), **BY)
        made = await add(directory, "Ann@HOME.example", "Team@home.example")
        self.assertEqual((ANN, TEAM), (made.account, made.address))
        await add(directory, ANN, TEAM)
        await add(directory, ANN, BOB)
        self.assertEqual({ANN, TEAM, BOB}, await grants.identities(ANN))
        self.assertEqual({BOB}, await grants.identities(BOB))
        await remove(directory, ANN, BOB)
        self.assertEqual({ANN, TEAM}, await grants.identities(ANN))
        found = await directory.ask(directory_grants.existing, ANN)
        self.assertEqual(
            [(ANN, "own"), (TEAM, "grant")], [(i.address, i.why) for i in found]
        )
        acts = [(a.act, a.detail) for a in (await directory.acts(ANN)).items]
        self.assertEqual(("grant remove", f"as {BOB}"), acts[0])
        self.assertEqual(("grant add", f"as {BOB}"), acts[1])

    async def test_remembered(self) -> None:
        """What was asked before is answered at once, until something changes."""
        directory, grants = await self.start()
        await grants.identities(ANN)
        self.assertTrue(grants.identities(ANN).called)
        await add(directory, ANN, BOB)
        self.assertFalse(grants.identities(ANN).called)


class LendingTests(GrantTestCase):
    """What is granted, and what is not."""

    async def test_refused(self) -> None:
        """What makes no sense, or is not ours to lend, changes nothing."""
        directory, _ = await self.start()
        await directory.put_alias("sales@home.example", (ANN,), **BY)
        before = await directory.acts()
        for kind, account, address in (
            ("unknown", "cid@home.example", ANN),
            ("unknown", "sales@home.example", ANN),
            ("unknown", ANN, "boss@bank.example"),
            ("unknown", ANN, "cid@home.example"),
            ("invalid", ANN, "home.example"),
            ("invalid", ANN, "bob+x@home.example"),
            ("invalid", "", BOB),
            ("conflict", ANN, ANN),
            ("conflict", ANN, "sales@home.example"),
        ):
            await self.assert_refused(
                kind, directory.act("x", directory_grants.add, account, address)
            )
        await self.assert_refused(
            "unknown", directory.act("x", directory_grants.remove, ANN, BOB)
        )
        self.assertEqual(before, await directory.acts())

    async def test_catch_all(self) -> None:
        """That somebody catches its mail makes no address exist."""
        directory, _ = await self.start()
        await directory.set_domain("home.example", catch_all=BOB, **BY)
        await self.assert_refused(
            "unknown", directory.act("x", directory_grants.add, ANN, "cid@home.example")
        )

    async def test_most(self) -> None:
        """One user has so many grants and no more."""
        directory, _ = await self.start()
        self.patch(directory_grants, "MOST", 1)
        await add(directory, ANN, BOB)
        await self.assert_refused(
            "conflict",
            directory.act("x", directory_grants.add, ANN, "postmaster@home.example"),
        )

    async def test_gone(self) -> None:
        """Who gets an address anew is not written as by who could before."""
        directory, grants = await self.start()
        await directory.put_alias(TEAM, (ANN, BOB), **BY)
        far: Any = {"kind": "relay", "next_hop": "smtp://a.ex", "verify": "list"}
        await directory.add_domain("far.example", **far, **BY)
        await directory.list_recipients(("x@far.example", "y@far.example"), **BY)
        for address in TEAM, BOB, "x@far.example", "y@far.example":
            await add(directory, ANN, address)
        self.assertEqual(5, len(await grants.identities(ANN)))
        await directory.put_forward(BOB, (ANN,), True, **BY)
        await directory.remove_alias(BOB, True, **BY)
        self.assertEqual(5, len(await grants.identities(ANN)))
        await directory.remove_alias(TEAM, False, **BY)
        await directory.remove_account(BOB, **BY)
        await directory.unlist_recipient("x@far.example", **BY)
        self.assertEqual({ANN, "y@far.example"}, await grants.identities(ANN))
        await directory.remove_domain("far.example", **BY)
        self.assertEqual({ANN}, await grants.identities(ANN))

    async def test_unverified(self) -> None:
        """Where a domain's recipients are not known here, any may be granted."""
        directory, grants = await self.start()
        for verify in "none", "callout":
            far: Any = {"kind": "relay", "next_hop": "smtp://a.ex", "verify": verify}
            await directory.add_domain("far.example", **far, **BY)
            await add(directory, ANN, "x@far.example")
            self.assertEqual(2, len(await grants.identities(ANN)))
            await directory.remove_domain("far.example", **BY)
            self.assertEqual({ANN}, await grants.identities(ANN))

    async def test_user_gone(self) -> None:
        """A user takes his grants along."""
        directory, grants = await self.start()
        await add(directory, ANN, BOB)
        await directory.remove_account(ANN, **BY)
        await directory.add_account(ANN, **BY)
        self.assertEqual({ANN}, await grants.identities(ANN))

    async def test_page(self) -> None:
        """Pages by user and by address."""
        directory, _ = await self.start()
        for account, address in (ANN, BOB), (BOB, ANN):
            await add(directory, account, address)
        for asked, total in (
            (("", "", "", 1, 0), 2),
            ((ANN.upper(), "", "", 9, 0), 1),
            (("", ANN.upper(), "", 9, 0), 1),
            (("", "", "ANN@", 9, 0), 2),
            (("", "", "cid", 9, 0), 0),
        ):
            page = await directory.ask(directory_grants.page, *asked)
            self.assertEqual(total, page.total)
            self.assertEqual(min(total, asked[3]), len(page.items))

    async def test_found_by_index(self) -> None:
        """Identities are found without reading all aliases."""
        directory, _ = await self.start()

        def plan(connection: Any) -> str:
            rows = connection.execute(
                f"EXPLAIN QUERY PLAN {directory_grants._IDENTITIES}", (ANN,)
            )
            return " ".join(str(row[-1]) for row in rows)

        said = await directory.ask(plan)
        self.assertIn("aliases_of_one", said)
        self.assertNotIn("SCAN aliases", said)
