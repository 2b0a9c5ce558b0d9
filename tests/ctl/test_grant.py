"""Tests for L{smfd.ctl.grant} and L{smfd.control.grants}."""

from tests.ctl.asking import CtlTestCase

ANN, BOB, TEAM = "ann@home.example", "bob@home.example", "team@home.example"


class GrantTests(CtlTestCase):
    """Who may write as whom, from the command line."""

    async def test_grant(self) -> None:
        """Given, shown, taken back; each is in the audit."""
        await self.open()
        await self.done("alias", "add", TEAM, ANN, BOB)
        await self.done("alias", "add", "sales@home.example", ANN)
        said = await self.run_ctl("grant", "add", "Ann@home.example", TEAM)
        self.assertEqual(f"{ANN} may write as {TEAM}.\n", said.out)
        self.assertEqual(ANN, (await self.done("grant", "add", ANN, BOB))["account"])
        for options, total in (
            ((), 2),
            (("--account", ANN), 2),
            (("--account", BOB), 0),
            (("--address", TEAM), 1),
            (("--search", "team"), 1),
        ):
            page = await self.done("grant", "list", *options)
            self.assertEqual(total, page["total"], options)
        said = await self.run_ctl("grant", "show", ANN)
        for address, why in (ANN, "own"), ("sales@home.example", "alias"):
            self.assertRegex(said.out, rf"(?m)^{address} +{why}$")
        page = await self.done("grant", "show", ANN, "--limit", "2", "--offset", "2")
        self.assertEqual((4, 2), (page["total"], len(page["items"])))
        said = await self.run_ctl("grant", "remove", ANN, BOB)
        self.assertEqual(f"{ANN} writes as {BOB} no more.\n", said.out)
        acts = await self.done("audit", "--subject", ANN)
        self.assertEqual(
            ["grant remove", "grant add", "grant add", "user add"],
            [act["act"] for act in acts["items"]],
        )

    async def test_refused(self) -> None:
        """What cannot be is said with what to do about it."""
        await self.open()
        for arguments, words in (
            (("add", ANN, "boss@bank.example"), "bank.example is not hosted here"),
            (("add", ANN, "cid@home.example"), "add it with user add or alias add"),
            (("add", ANN, ANN), "is ann@home.example's already"),
            (("add", TEAM, ANN), "There is no mailbox team@home.example"),
            (("show", TEAM), "There is no mailbox team@home.example"),
            (("remove", ANN, BOB), "has no grant for bob@home.example"),
        ):
            said = await self.run_ctl("grant", *arguments)
            self.assertEqual(1, said.code, arguments)
            self.assertIn(words, said.err)
