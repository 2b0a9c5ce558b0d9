"""Tests for L{smfd.ctl.addresses}, and for where a domain's mailboxes are."""

from tests.ctl.asking import CtlTestCase

RELAY = ("--kind", "relay", "--next-hop", "smtp://10.0.0.5:25")


class AddressTests(CtlTestCase):
    """Aliases, forwards and listed recipients from the command line."""

    async def test_alias(self) -> None:
        """Added, shown, refused, removed."""
        await self.open()
        team = ("team@home.example", "ann@home.example", "bob@home.example")
        made = await self.done("alias", "add", *team)
        self.assertEqual(list(team[1:]), made["targets"])
        said = await self.run_ctl("alias", "list", "--domain", "home.example")
        self.assertRegex(said.out, r"team@home\.example +ann@\S+ bob@\S+\n")
        page = await self.done("alias", "list", "--search", "nothing")
        self.assertEqual(0, page["total"])
        out = await self.run_ctl("alias", "add", "x@home.example", "me@gmail.example")
        self.assertEqual(0, out.code)
        for wrong in ("me@", "a b@gmail.example", "@gmail.example", "a@[192.0.2.1]"):
            out = await self.run_ctl("alias", "add", "y@home.example", wrong)
            self.assertEqual(1, out.code, wrong)
        said = await self.run_ctl("alias", "remove", team[0])
        self.assertEqual("team@home.example leads nowhere any more.\n", said.out)
        self.assertEqual(1, (await self.run_ctl("alias", "remove", team[0])).code)
        acts = await self.done("audit", "--subject", team[0])
        self.assertEqual(
            ["alias remove", "alias add"], [a["act"] for a in acts["items"]]
        )

    async def test_forward(self) -> None:
        """A mailbox's mail goes elsewhere, and comes back."""
        await self.open()
        pair = ("ann@home.example", "bob@home.example")
        said = await self.run_ctl("forward", "add", *pair, "--keep")
        self.assertEqual(
            "ann@home.example forwards to bob@home.example and keeps a copy.\n",
            said.out,
        )
        page = await self.done("forward", "list")
        self.assertEqual([True], [one["keep"] for one in page["items"]])
        self.assertEqual(0, (await self.done("alias", "list"))["total"])
        self.assertEqual(1, (await self.run_ctl("alias", "remove", pair[0])).code)
        await self.done("forward", "remove", pair[0])
        self.assertEqual(0, (await self.done("forward", "list"))["total"])

    async def test_recipients(self) -> None:
        """Addresses of a domain that is verified by list."""
        await self.open()
        await self.done("domain", "add", "far.example", *RELAY, "--verify", "list")
        names = ("a@far.example", "B@far.example")
        made = await self.done("recipient", "add", *names)
        self.assertEqual(["a@far.example", "b@far.example"], made["added"])
        page = await self.done("recipient", "list", "--domain", "far.example")
        self.assertEqual(2, page["total"])
        await self.done("recipient", "remove", names[0])
        self.assertEqual(1, (await self.done("recipient", "list"))["total"])
        said = await self.run_ctl("recipient", "add", "x@home.example")
        self.assertEqual(1, said.code)
        self.assertIn("domain set home.example --verify list", said.err)


class PlaceTests(CtlTestCase):
    """Domains whose mailboxes are elsewhere."""

    async def test_relay(self) -> None:
        """Added with a next hop, changed, shown."""
        await self.open()
        made = await self.done("domain", "add", "far.example", *RELAY)
        self.assertEqual(
            ("relay", "smtp://10.0.0.5:25", "opportunistic", "callout", []),
            tuple(made[n] for n in ("kind", "next_hop", "tls", "verify", "risks")),
        )
        await self.done("domain", "set", "far.example", "--tls", "required")
        said = await self.run_ctl("domain", "show", "far.example")
        self.assertRegex(said.out, r"tls +required\n")
        said = await self.run_ctl("domain", "list")
        self.assertRegex(
            said.out, r"far\.example +relay +smtp://10\.0\.0\.5:25 +callout"
        )
        moved = await self.done("domain", "set", "far.example", "--kind", "local")
        self.assertEqual((None, None), (moved["next_hop"], moved["tls"]))
        said = await self.run_ctl("domain", "add", "b.example", "--kind", "relay")
        self.assertEqual(1, said.code)
        self.assertIn("It needs a next hop: write smtp://", said.err)

    async def test_risks(self) -> None:
        """What is risky is said at once, in the list of warnings, and by check."""
        await self.open()
        said = await self.run_ctl(
            "domain", "add", "far.example", *RELAY, "--verify", "none"
        )
        self.assertIn("RISK: far.example: recipients are not verified", said.out)
        catch = ("domain", "set", "home.example", "--catch-all")
        await self.done(*catch, "ann@home.example")
        warnings = (await self.done("status"))["warnings"]
        for text in "recipients are not verified", "ann@home.example gets the mail":
            self.assertIn(text, " ".join(warnings))
        checked = await self.run_ctl("check")
        self.assertIn("WARNING  domain: far.example: recipients are not", checked.out)
        said = await self.run_ctl("user", "remove", "ann@home.example")
        self.assertIn("goes to ann@home.example: home.example.", said.err)
        said = await self.run_ctl(*catch, "nobody@home.example")
        self.assertIn("nobody@home.example does not exist.", said.err)
        self.assertIsNone((await self.done(*catch, "off"))["catch_all"])
        self.assertNotIn(
            "gets the mail", " ".join((await self.done("status"))["warnings"])
        )
