"""Tests for aliases, forwards, kinds of domains and listed recipients."""

from typing import Any

from smfd.model.hop import NextHop
from tests.store.test_directory import DirectoryTestCase

BY: Any = {"actor": "uid:test"}
ANN, BOB, TEAM = "ann@home.example", "bob@home.example", "team@home.example"


class AliasTests(DirectoryTestCase):
    """Addresses that lead elsewhere."""

    async def test_put(self) -> None:
        """An alias is made, made anew, shown and removed; each is an act."""
        directory = await self.build()
        await directory.add_account(BOB, **BY)
        await directory.put_alias(
            "Team@Home.example", (ANN, BOB, "ANN@home.example"), **BY
        )
        await directory.put_alias(TEAM, (BOB,), **BY)
        page = await directory.aliases(forward=False, search="bob@")
        self.assertEqual([(TEAM, (BOB,))], [(a.address, a.targets) for a in page.items])
        known = await directory.known("team+x@home.example")
        assert known is not None
        self.assertEqual(
            (TEAM, (BOB,), False), (known.address, known.targets, known.keep)
        )
        self.assertIsNone(await directory.account(TEAM))
        await directory.remove_alias(TEAM, forward=False, **BY)
        self.assertIsNone(await directory.known(TEAM))
        acts = [(a.act, a.detail) for a in (await directory.acts(TEAM)).items]
        self.assertEqual(
            [
                ("alias remove", f"to {BOB}"),
                ("alias add", f"to {BOB}"),
                ("alias add", f"to {ANN} {BOB}"),
            ],
            acts,
        )

    async def test_forward(self) -> None:
        """A forward belongs to a mailbox, and goes with it."""
        directory = await self.build()
        await directory.add_account(BOB, **BY)
        await directory.put_forward(ANN, (BOB,), True, **BY)
        page = await directory.aliases(forward=True, domain="home.example")
        self.assertEqual([True], [a.keep for a in page.items])
        self.assertEqual(0, (await directory.aliases(forward=False)).total)
        await directory.remove_account(ANN, **BY)
        self.assertEqual(0, (await directory.aliases(forward=True)).total)
        self.assertIsNone(await directory.known(ANN))

    async def test_refused(self) -> None:
        """What makes no sense is refused with a sentence and changes nothing."""
        directory = await self.build()
        await directory.add_account(BOB, **BY)
        await directory.put_alias(TEAM, (BOB,), **BY)
        await directory.put_alias("all@home.example", (TEAM,), **BY)
        before = await directory.acts()
        for kind, asked in (
            ("unknown", directory.put_alias("x@else.example", (ANN,), **BY)),
            ("conflict", directory.put_alias(ANN, (BOB,), **BY)),
            ("invalid", directory.put_alias("x@home.example", (), **BY)),
            ("invalid", directory.put_alias("x@home.example", ("x",), **BY)),
            ("invalid", directory.put_alias("a b@home.example", (ANN,), **BY)),
            (
                "invalid",
                directory.put_alias("x@home.example", ("a b@else.example",), **BY),
            ),
            (
                "unknown",
                directory.put_alias("x@home.example", ("y@home.example",), **BY),
            ),
            (
                "invalid",
                directory.put_alias("x@home.example", ("x@home.example",), **BY),
            ),
            ("conflict", directory.put_alias(TEAM, ("all@home.example",), **BY)),
            ("unknown", directory.put_forward("x@home.example", (ANN,), True, **BY)),
            ("invalid", directory.put_forward(ANN, (ANN, BOB), True, **BY)),
            ("unknown", directory.remove_alias("x@home.example", False, **BY)),
            ("unknown", directory.remove_alias(TEAM, True, **BY)),
            ("conflict", directory.remove_alias(TEAM, False, **BY)),
            ("conflict", directory.remove_account(BOB, **BY)),
            ("conflict", directory.add_account(TEAM, **BY)),
        ):
            await self.assert_refused(kind, asked)
        self.assertEqual(before, await directory.acts())

    async def test_circle_of_forwards(self) -> None:
        """Two who send each other everything and keep nothing would lose it."""
        directory = await self.build()
        await directory.add_account(BOB, **BY)
        await directory.put_forward(ANN, (BOB,), False, **BY)
        await self.assert_refused(
            "conflict", directory.put_forward(BOB, (ANN,), False, **BY)
        )
        await directory.put_forward(BOB, (ANN,), True, **BY)

    async def test_most(self) -> None:
        """An alias leads to so many addresses, and no more."""
        directory = await self.build()
        names = [f"u{n}@home.example" for n in range(1001)]
        await self.assert_refused("invalid", directory.put_alias(TEAM, names, **BY))

    async def test_remembered(self) -> None:
        """What was asked before is answered at once, whatever it was."""
        directory = await self.build()
        await directory.put_alias(TEAM, (ANN,), **BY)
        for address in TEAM, "nobody@home.example":
            await directory.known(address)
            self.assertTrue(directory.known(address).called)

    async def test_guesses(self) -> None:
        """Guessed addresses do not drive out what is held."""
        directory = await self.build(cached=5)
        await directory.put_alias(TEAM, (ANN,), **BY)
        await directory.set_domain("home.example", catch_all=ANN, **BY)
        await directory.known(TEAM)
        for n in range(20):
            await directory.known(f"guess{n}@home.example")
        self.assertTrue(directory.known(TEAM).called)

    async def test_removed_domain(self) -> None:
        """A domain that goes takes its aliases and its list along."""
        directory = await self.build()
        await directory.add_domain(
            "far.example", kind="relay", next_hop="smtp://a.ex", verify="list", **BY
        )
        await directory.put_alias("x@far.example", (ANN,), **BY)
        await directory.list_recipients(("cid@far.example",), **BY)
        await directory.remove_domain("far.example", **BY)
        self.assertEqual(0, (await directory.aliases(forward=False)).total)
        self.assertEqual(0, (await directory.recipients()).total)


class NeededTests(DirectoryTestCase):
    """Domains that others' mail goes to."""

    async def test_needed(self) -> None:
        """They go only by force: else mail of others would lead nowhere."""
        directory = await self.build()
        for name in "far.example", "so.far.example":
            await directory.add_domain(name, **BY)
        await directory.set_domain(
            "home.example", catch_all="postmaster@far.example", **BY
        )
        await self.assert_refused(
            "conflict", directory.remove_domain("far.example", **BY)
        )
        await directory.set_domain("home.example", catch_all="", **BY)
        await directory.put_alias(TEAM, ("postmaster@far.example", ANN), **BY)
        await self.assert_refused(
            "conflict", directory.remove_domain("far.example", **BY)
        )
        # A domain whose name ends likewise is another.
        await directory.remove_domain("so.far.example", **BY)
        await directory.remove_domain("far.example", force=True, **BY)


class KindTests(DirectoryTestCase):
    """Where a domain's mailboxes are."""

    async def test_kinds(self) -> None:
        """Relay asks the next hop by default; LMTP and local know themselves."""
        directory = await self.build()
        far = await directory.add_domain(
            "far.example", kind="relay", next_hop="smtp://10.0.0.5:25", **BY
        )
        self.assertEqual(
            ("relay", NextHop("smtp", "10.0.0.5", 25), "callout"),
            (far.kind, far.next_hop, far.verify),
        )
        self.assertEqual(far, await directory.domain("far.example"))
        changed = await directory.set_domain("far.example", tls="verify", **BY)
        self.assertEqual(
            NextHop("smtp", "10.0.0.5", 25, tls="verify"), changed.next_hop
        )
        moved = await directory.set_domain(
            "far.example", kind="lmtp", next_hop="lmtp:unix:/run/lmtp", **BY
        )
        self.assertEqual("directory", moved.verify)
        home = await directory.set_domain("far.example", kind="local", **BY)
        self.assertEqual((None, "directory"), (home.next_hop, home.verify))
        self.assertEqual(home, await directory.domain("far.example"))
        details = [a.detail for a in (await directory.acts("far.example")).items]
        self.assertIn(
            "kind=relay verify=callout next_hop=smtp://10.0.0.5:25", details[-1]
        )

    async def test_refused(self) -> None:
        """What does not fit together is refused with a sentence."""
        directory = await self.build()
        relay: Any = {"kind": "relay", "next_hop": "smtp://a.ex"}
        await directory.add_domain("far.example", **relay, **BY)
        before = await directory.domains()
        for wrong in (
            {"kind": "other"},
            {"kind": "relay"},
            {"kind": "relay", "next_hop": "lmtp://a.ex"},
            {"kind": "lmtp", "next_hop": "smtp://a.ex"},
            {"next_hop": "smtp://a.ex"},
            {"tls": "verify"},
            {**relay, "tls": "perhaps"},
            {**relay, "verify": "perhaps"},
            {"verify": "none"},
            {**relay, "catch_all": ANN},
            {"catch_all": "ann"},
        ):
            asked = directory.add_domain("new.example", **wrong, **BY)
            await self.assert_refused("invalid", asked)
        for nobody in "nobody@home.example", "x@else.ex":
            asked = directory.set_domain("home.example", catch_all=nobody, **BY)
            await self.assert_refused("unknown", asked)
        self.assertEqual(before, await directory.domains())

    async def test_caught(self) -> None:
        """A new domain's catch-all may be its own postmaster, and nobody unknown."""
        directory = await self.build()
        caught = "postmaster@new.example"
        await directory.add_domain("new.example", catch_all=caught, **BY)
        asked = directory.add_domain("b.example", catch_all="x@b.example", **BY)
        await self.assert_refused("unknown", asked)
        self.assertIsNone(await directory.domain("b.example"))

    async def test_risky(self) -> None:
        """Domains that take mail for nobody are found."""
        directory = await self.build()
        await directory.add_domain(
            "far.example", kind="relay", next_hop="smtp://a.ex", verify="none", **BY
        )
        await directory.add_domain("quiet.example", **BY)
        await directory.set_domain("home.example", catch_all=ANN, **BY)
        page = await directory.risky()
        self.assertEqual(["far.example", "home.example"], [d.name for d in page.items])
        # What catches the rest cannot be taken away.
        await self.assert_refused("conflict", directory.remove_account(ANN, **BY))

    async def test_listed(self) -> None:
        """Addresses are listed for domains that are verified so, and no others."""
        directory = await self.build()
        await directory.add_domain(
            "far.example", kind="relay", next_hop="smtp://a.ex", verify="list", **BY
        )
        put = directory.list_recipients
        self.assertEqual(
            ("cid@far.example", "dan@far.example"),
            await put(("Cid@far.example", "dan@far.example"), **BY),
        )
        await put(("cid@far.example",), **BY)
        page = await directory.recipients("far.example", limit=1)
        self.assertEqual((("cid@far.example",), 2), (page.items, page.total))
        await directory.unlist_recipient("cid@far.example", **BY)
        self.assertIsNone(await directory.known("cid@far.example"))
        for kind, asked in (
            ("conflict", put((ANN,), **BY)),
            ("unknown", put(("x@else.example",), **BY)),
            ("invalid", put((), **BY)),
            ("invalid", put(("x",), **BY)),
            ("unknown", directory.unlist_recipient("cid@far.example", **BY)),
        ):
            await self.assert_refused(kind, asked)
