"""Groups and rules in the directory: kept, remembered, refused."""

from typing import Any

from smfd.model.rule import LAST, Addressee, Mail
from smfd.store.directory import Directory
from smfd.store.directory_groups import Groups
from smfd.store.directory_policies import MOST, Policies
from tests.store.test_directory import DirectoryTestCase

BY: Any = {"actor": "uid:test"}
BOARD, DESK = "board@home.example", "desk@home.example"
ANN, BOB, CID = "ann@home.example", "bob@home.example", "cid@home.example"


class PoliciesTestCase(DirectoryTestCase):
    """A directory with three users and two groups."""

    async def begin(self) -> Directory:
        """Start it."""
        directory = await self.build()
        for name in BOB, CID:
            await directory.add_account(name, **BY)
        self.groups, self.policies = Groups(directory), Policies(directory)
        await self.groups.add(BOARD, (ANN,), "The top", **BY)
        await self.groups.add(DESK, (BOB,), **BY)
        return directory

    async def rule(self, name: str, before: str = "", **document: Any) -> None:
        """One more rule."""
        document = {"name": name, "action": "reject", **document}
        await self.policies.add(document, before, **BY)

    async def ruled(self, sender: str, to: str = ANN) -> str:
        """Which rule decides of what a user sends."""
        book = await self.policies.rulebook()
        addressee = Addressee(to, "local")
        mail = Mail(sender, (addressee,), 0.0, sender, sender, frozenset({sender}))
        return book.judge(mail)[0].rule

    async def names(self) -> list[str]:
        """The rules in their order."""
        return [rule.name for rule in await self.policies.rules()]


class GroupTests(PoliciesTestCase):
    """Users who are spoken of together."""

    async def test_of(self) -> None:
        """Whose member somebody is, whatever his letters, as of now."""
        await self.begin()
        self.assertEqual((BOARD,), await self.groups.of("ANN@home.example"))
        await self.groups.join(DESK, (ANN, "Ann@home.example", BOB), **BY)
        self.assertEqual((BOARD, DESK), await self.groups.of(ANN))
        self.assertEqual(2, (await self.groups.show("Desk@home.example")).members)
        await self.groups.leave(BOARD, (ANN,), **BY)
        self.assertEqual((DESK,), await self.groups.of(ANN))
        self.assertEqual((), await self.groups.of("x@far.example"))

    async def test_refused(self) -> None:
        """Groups are of hosted domains, members exist, and nobody leaves twice."""
        await self.begin()
        for kind, asked in (
            ("unknown", self.groups.add("x@far.example", **BY)),
            ("conflict", self.groups.add(BOARD, **BY)),
            ("invalid", self.groups.add("board", **BY)),
            ("unknown", self.groups.join(BOARD, ("x@far.example",), **BY)),
            ("unknown", self.groups.join(BOARD, ("nobody@home.example",), **BY)),
            ("unknown", self.groups.join("x@home.example", (ANN,), **BY)),
            ("unknown", self.groups.leave(BOARD, (ANN, BOB), **BY)),
            (
                "invalid",
                self.groups.join(
                    BOARD, [f"u{n}@home.example" for n in range(1001)], **BY
                ),
            ),
        ):
            await self.assert_refused(kind, asked)
        self.assertEqual(1, (await self.groups.show(BOARD)).members)

    async def test_gone(self) -> None:
        """Who has an address after another is in none of his groups."""
        directory = await self.begin()
        await directory.remove_account(ANN, **BY)
        self.assertEqual(0, (await self.groups.show(BOARD)).members)
        await directory.add_account(ANN, **BY)
        self.assertEqual((), await self.groups.of(ANN))

    async def test_domain_goes(self) -> None:
        """A domain takes its groups and their members along, unless rules need them."""
        directory = await self.begin()
        await directory.add_domain("two.example", **BY)
        await directory.add_domain("xtwo.example", **BY)
        for name in "eve@two.example", "eve@xtwo.example":
            await directory.add_account(name, **BY)
            await self.groups.join(BOARD, (name,), **BY)
        await self.groups.add("all@two.example", (ANN,), **BY)
        await self.rule("all", to="group:all@two.example")
        await directory.remove_account("eve@two.example", **BY)
        await self.assert_refused(
            "conflict", directory.remove_domain("two.example", **BY)
        )
        await self.policies.remove("all", **BY)
        await directory.remove_domain("two.example", **BY)
        members = (await self.groups.members(BOARD)).items
        self.assertEqual((ANN, "eve@xtwo.example"), members)
        self.assertEqual(2, (await self.groups.page()).total)
        await directory.remove_domain("xtwo.example", True, **BY)
        self.assertEqual((ANN,), (await self.groups.members(BOARD)).items)

    async def test_unprotected(self) -> None:
        """A group is protected by a rule in force that keeps somebody from it."""
        await self.begin()

        async def names() -> list[str]:
            return [group.name for group in (await self.groups.unprotected()).items]

        self.assertEqual([BOARD, DESK], await names())
        await self.rule("a", to=f"group:{BOARD}", not_from=f"group:{DESK}")
        await self.rule("b", to=f"group:{DESK}", action="allow")
        self.assertEqual([DESK], await names())
        await self.policies.edit("a", {"enabled": False}, **BY)
        self.assertEqual([BOARD, DESK], await names())


class PolicyTests(PoliciesTestCase):
    """Rules in their order."""

    async def test_remembered(self) -> None:
        """The rules are those of now: after each change of a rule, or of a group."""
        await self.begin()
        self.assertEqual(LAST, await self.ruled(CID))
        await self.rule("board", to=f"group:{BOARD}", not_from=f"group:{DESK}")
        self.assertEqual("board", await self.ruled(CID))
        self.assertIs(await self.policies.rulebook(), await self.policies.rulebook())
        self.assertEqual(LAST, await self.ruled(BOB))
        await self.groups.join(DESK, (CID,), **BY)
        self.assertEqual(LAST, await self.ruled(CID))
        await self.groups.leave(DESK, (BOB,), **BY)
        self.assertEqual("board", await self.ruled(BOB))
        await self.policies.remove("board", **BY)
        self.assertEqual(LAST, await self.ruled(BOB))

    async def test_order(self) -> None:
        """Added behind or before others, moved, and edited where it stands."""
        await self.begin()
        for name, before in (("a", ""), ("b", ""), ("c", "a")):
            await self.rule(name, before, to=f"{name}@home.example")
        self.assertEqual(["c", "a", "b"], await self.names())
        await self.policies.move("C", **BY)
        await self.policies.move("b", "a", **BY)
        self.assertEqual(["b", "a", "c"], await self.names())
        edited = await self.policies.edit(
            "a", {"name": "z", "to": None, "from": "x.example", "text": "No"}, **BY
        )
        self.assertEqual(["b", "z", "c"], await self.names())
        self.assertEqual(["from"], [c.about for c in edited.conditions])
        self.assertEqual((2, edited), await self.policies.rule("z"))
        acts = [f"{a.act} {a.subject}" for a in (await self.directory_acts())]
        self.assertEqual(
            ["policy edit a", "policy move b", "policy move C", "policy add c"],
            acts[:4],
        )

    async def directory_acts(self) -> Any:
        """Who changed what, the newest first."""
        return (await self.policies._directory.acts()).items

    async def test_refused(self) -> None:
        """What cannot be is refused, and changes nothing."""
        directory = await self.begin()
        await directory.put_alias("team@home.example", (ANN, BOB), **BY)
        await self.rule("a", to=ANN)
        for kind, name, document in (
            ("conflict", "a", {"to": BOB}),
            ("conflict", "b", {"to": ANN}),
            ("conflict", "b", {}),
            ("invalid", "last", {"to": BOB}),
            ("invalid", "b", {"to": "x"}),
            ("unknown", "b", {"to": "group:none@home.example"}),
            ("unknown", "b", {"to": BOB, "notify": "nobody@home.example"}),
            ("unknown", "b", {"to": BOB, "notify": "x@far.example"}),
            (
                "invalid",
                "b",
                {"action": "redirect", "to": BOB, "redirect": "team@home.example"},
            ),
            (
                "unknown",
                "b",
                {"action": "redirect", "to": BOB, "redirect": "ann+x@home.example"},
            ),
        ):
            await self.assert_refused(
                kind,
                self.policies.add({"action": "reject", "name": name, **document}, **BY),
            )
        for kind, asked in (
            ("unknown", self.policies.remove("b", **BY)),
            ("conflict", self.policies.remove("last", **BY)),
            ("conflict", self.policies.move("last", **BY)),
            ("unknown", self.policies.move("a", "b", **BY)),
            ("conflict", self.policies.edit("a", {"to": None}, **BY)),
            ("invalid", self.policies.edit("a", {"tp": "x.example"}, **BY)),
        ):
            await self.assert_refused(kind, asked)
        self.assertEqual(["a"], await self.names())

    async def test_lock_out(self) -> None:
        """No change of rules or groups leaves everybody locked out."""
        await self.begin()
        await self.rule("desk", action="allow", **{"from": f"group:{DESK}"})
        await self.rule("all")
        for asked in (
            self.policies.remove("desk", **BY),
            self.policies.edit("desk", {"enabled": False}, **BY),
            self.policies.move("all", "desk", **BY),
            self.policies.apply([{"name": "all", "action": "reject"}], **BY),
            self.policies.apply(
                [{"name": "all", "action": "reject", "to": "home.example"}], **BY
            ),
        ):
            await self.assert_refused("conflict", asked)
        await self.policies.apply(
            [{"name": "all", "action": "reject", "not_from": f"group:{DESK}"}], **BY
        )
        await self.assert_refused("conflict", self.groups.leave(DESK, (BOB,), **BY))
        self.assertEqual((DESK,), await self.groups.of(BOB))

    async def test_needed(self) -> None:
        """Whom a rule needs stays, and so does its group."""
        directory = await self.begin()
        await self.rule("a", to=f"group:{BOARD}", action="hold", approvers=[BOB])
        await self.assert_refused("conflict", directory.remove_account(BOB, **BY))
        await self.assert_refused("conflict", self.groups.remove(BOARD, **BY))
        await self.groups.remove(DESK, **BY)
        await directory.remove_account(ANN, **BY)
        await self.policies.remove("a", **BY)
        await directory.remove_account(BOB, **BY)
        await self.groups.remove(BOARD, **BY)

    async def test_let_through(self) -> None:
        """
        Whom a rule lets through by name stays: who is given the address next
        would come in by it.
        """
        directory = await self.begin()
        for name, of in (
            ("but", {"not_from": BOB, "to": ANN}),
            ("yes", {"from": [BOB], "to": ANN, "action": "allow"}),
        ):
            await self.rule(name, **of)
            await self.assert_refused("conflict", directory.remove_account(BOB, **BY))
            await self.policies.remove(name, **BY)
        await self.rule("no", **{"from": BOB, "to": ANN})
        await directory.remove_account(BOB, **BY)

    async def test_apply(self) -> None:
        """All of them or none; so many and no more."""
        await self.begin()
        many = [
            {"name": f"r{n}", "to": f"u{n}@home.example", "action": "reject"}
            for n in range(MOST + 1)
        ]
        await self.assert_refused("conflict", self.policies.apply(many, **BY))
        await self.policies.apply(many[:3], **BY)
        self.assertEqual(["r0", "r1", "r2"], await self.names())
        await self.assert_refused("invalid", self.policies.apply(many[:1] * 2, **BY))
        await self.policies.apply([], **BY)
        self.assertEqual([], await self.names())
