"""Tests for L{smfd.ctl.directory}."""

from argon2 import PasswordHasher

from tests.ctl.asking import CtlTestCase

ANN = "ann@home.example"


class DirectoryTests(CtlTestCase):
    """Domains, users and lists from the command line."""

    async def test_domain(self) -> None:
        """Added, changed, shown, removed."""
        await self.open()
        await self.done("domain", "add", "b.example", "--threshold", "4.5")
        await self.done("domain", "set", "b.example", "--allow-unauthenticated")
        found = await self.done("domain", "show", "b.example")
        self.assertEqual(
            (4.5, True, 1),
            (found["threshold"], found["allow_unauthenticated"], found["users"]),
        )
        page = await self.done("domain", "list", "--search", "b.ex")
        self.assertEqual(["b.example"], [d["name"] for d in page["items"]])
        said = await self.run_ctl("domain", "show", "b.example")
        self.assertIn("users                  1\n", said.out)
        said = await self.run_ctl("domain", "set", "b.example", "--threshold", "7")
        self.assertIn("threshold              7\n", said.out)
        await self.done("domain", "remove", "b.example")
        said = await self.run_ctl("domain", "remove", "home.example")
        self.assertEqual(1, said.code)
        self.assertIn("home.example has 2 users.", said.err)
        await self.done("domain", "remove", "home.example", "--force")

    async def test_mistyped(self) -> None:
        """Whoever mistypes a name hears how to find the right one."""
        await self.open()
        for command, there in (
            ("domain show hmoe.example", "domain list"),
            ("tls reports hmoe.example", "domain list"),
            ("user show anna@home.example", "user list"),
            ("user held add anna@home.example --reason x", "user list"),
            (f"user app-password remove {ANN} phone", "user app-password list"),
            ("list remove 99", "list list"),
            ("recipient remove x@home.example", "recipient list"),
        ):
            said = await self.run_ctl(*command.split())
            self.assertEqual(1, said.code, command)
            self.assertIn(f"{there} names ", said.err, command)

    async def test_unscanned(self) -> None:
        """What goes out is scanned unless that is switched off, and it is shown."""
        await self.open()
        await self.done("domain", "add", "b.example")
        self.assertTrue(
            (await self.done("domain", "show", "b.example"))["scan_outbound"]
        )
        await self.done("domain", "set", "b.example", "--no-scan-outbound")
        said = await self.run_ctl("domain", "show", "b.example")
        self.assertRegex(said.out, r"is not\s+scanned for viruses")
        page = await self.house.directory.risky()
        self.assertEqual(["b.example"], [d.name for d in page.items])
        await self.done("domain", "set", "b.example", "--scan-outbound")
        self.assertEqual(0, (await self.house.directory.risky()).total)

    async def test_user_show(self) -> None:
        """One command says all of a user: names, groups, limits, what is held."""
        await self.open()
        bob = "bob@home.example"
        for command in (
            ("alias", "add", "sales@home.example", ANN),
            ("alias", "add", "all@home.example", ANN, bob),
            ("alias", "add", "other@home.example", bob),
            ("grant", "add", ANN, "other@home.example"),
            ("group", "add", "staff@home.example", ANN),
            ("user", "app-password", "add", ANN, "phone"),
            ("user", "limits", ANN, "messages=7"),
            ("user", "held", "add", ANN, "--reason", "It writes at night."),
        ):
            await self.done(*command)
        found = await self.done("user", "show", ANN)
        wanted = {
            "aliases": ["sales@home.example", "all@home.example"],
            "grants": ["other@home.example"],
            "forwards": [],
            "groups": ["staff@home.example"],
            "app_passwords": ["phone"],
        }
        self.assertEqual(wanted, {name: found[name] for name in wanted})
        self.assertEqual(7, found["limits"]["messages"])
        self.assertEqual("It writes at night.", found["hold"]["reason"])
        self.assertNotIn("argon2", f"{found}")
        said = await self.run_ctl("user", "show", ANN)
        self.assertIn("messages=7 (0 used)", said.out)
        self.assertGreater(80, max(map(len, said.out.splitlines())))
        self.assertRegex(said.out, r"sending is +held since .* It writes at\s+night\.")
        self.assertRegex(said.out, r"forwards +none\n")
        said = await self.run_ctl("user", "show", bob)
        self.assertRegex(said.out, r"sending is +not held\n")

    async def test_threshold(self) -> None:
        """Who names no threshold has the default one, and can go back to it."""
        await self.open()
        await self.done("domain", "add", "b.example")
        stored = await self.house.directory.domain("b.example")
        assert stored is not None
        self.assertIsNone(stored.threshold)
        shown = await self.run_ctl("domain", "show", "b.example")
        self.assertIn("threshold              5 (default)\n", shown.out)
        changed = await self.done("domain", "set", "b.example", "--threshold", "5")
        self.assertEqual(
            (5.0, False), (changed["threshold"], changed["default_threshold"])
        )
        shown = await self.run_ctl("domain", "list")
        self.assertRegex(shown.out, r"b\.example +local +directory +5\n")
        self.assertRegex(shown.out, r"home\.example +local +directory +5 \(default\)\n")
        changed = await self.done(
            "domain", "set", "b.example", "--threshold", "default"
        )
        self.assertTrue(changed["default_threshold"])
        wrong = await self.run_ctl("domain", "set", "b.example", "--threshold", "much")
        self.assertEqual(2, wrong.code)

    async def test_audit(self) -> None:
        """Who changed what can be looked up, the newest first."""
        await self.open()
        await self.done("domain", "add", "b.example")
        await self.done("domain", "set", "b.example", "--threshold", "7")
        page = await self.done("audit", "--subject", "b.example", "--limit", "1")
        self.assertEqual(2, page["total"])
        (act,) = page["items"]
        self.assertEqual(("domain set", "b.example"), (act["act"], act["subject"]))
        self.assertTrue(act["actor"].startswith("uid:"))
        said = await self.run_ctl("audit")
        self.assertIn("threshold=default", said.out)

    async def test_user(self) -> None:
        """A password is made and shown once, or read from a pipe."""
        await self.open()
        made = await self.done("user", "add", "cid@home.example")
        self.assertEqual(23, len(made["password"]))
        dan = ("user", "add", "dan@home.example", "--password")
        self.assertEqual(2, (await self.run_ctl(*dan)).code)
        said = await self.run_ctl(*dan, piped="correct horse\n")
        self.assertEqual((0, False), (said.code, "shown this once" in said.out))
        account = await self.house.directory.account("dan@home.example")
        assert account is not None
        self.assertTrue(PasswordHasher().verify(account.password, "correct horse"))
        page = await self.done("user", "list", "--domain", "home.example")
        self.assertEqual(5, page["total"])
        again = await self.done("user", "password", "cid@home.example", "--generate")
        self.assertNotEqual(made["password"], again["password"])
        shown = await self.done("user", "show", "cid@home.example")
        self.assertTrue(shown["can_log_in"])
        await self.done("user", "remove", "cid@home.example")
        said = await self.run_ctl("user", "show", "cid@home.example")
        self.assertEqual(1, said.code)

    async def test_list(self) -> None:
        """An entry is added as the contract has it, listed, and removed."""
        await self.open()
        await self.done(
            *("list", "add", "--scope", "ann@home.example", "--allow", "*@A.example"),
            *("--expires", "2099-12-31", "--note", "friends"),
        )
        entry = await self.done(
            "list", "add", "--scope", "operator", "--block", "*.b.example", "--locked"
        )
        self.assertEqual(("block", True), (entry["kind"], entry["locked"]))
        page = await self.done("list", "list", "--scope", "ann@home.example")
        self.assertEqual(["a.example"], [e["pattern"] for e in page["items"]])
        await self.done("list", "remove", str(entry["id"]))
        await self.done("list", "remove", "a.example", "--scope", "ann@home.example")
        self.assertEqual(0, (await self.done("list", "list"))["total"])
        self.assertIn("There are none.", (await self.run_ctl("list", "list")).out)
        said = await self.run_ctl("list", "remove", "a.example")
        self.assertEqual(2, said.code)
        self.assertIn("--scope", said.err)
        said = await self.run_ctl("list", "remove", "a.example", "--scope", "operator")
        self.assertEqual(1, said.code)

    async def test_table(self) -> None:
        """Without --json there is a table."""
        await self.open()
        await self.done("list", "add", "--scope", "operator", "--block", "b.example")
        said = await self.run_ctl("list", "list")
        head, row = said.out.splitlines()
        self.assertEqual(
            ["ID", "SCOPE", "KIND", "PATTERN", "LOCKED", "EXPIRES", "NOTE"],
            head.split(),
        )
        self.assertEqual(["1", "operator", "block", "b.example"], row.split())
