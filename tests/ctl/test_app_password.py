"""Tests for L{smfd.ctl.app_password} and L{smfd.control.app_passwords}."""

from smfd.control.login import Logins, Remembered
from smfd.policy.guessing import Terms, Throttle
from tests.control.building import reactor
from tests.ctl.asking import CtlTestCase

ANN, BOB = "ann@home.example", "bob@home.example"


class AppPasswordTests(CtlTestCase):
    """App passwords, from the command line."""

    async def login(self, password: str) -> object:
        """What becomes of Ann's login."""
        logins = Logins(
            self.house.keys,
            self.house.passwords,
            Throttle(Terms()),
            Remembered(60.0, 10),
            reactor,
        )
        return await logins.login(ANN, password, "192.0.2.1", "submission")

    async def test_app_password(self) -> None:
        """Made, shown once, used, listed, removed; each is in the audit."""
        await self.open()
        words = ("user", "app-password")
        made = await self.done(*words, "add", ANN, "phone", "--service", "submission")
        self.assertEqual(["submission"], made["services"])
        self.assertEqual(ANN, await self.login(made["password"]))
        said = await self.run_ctl(
            *words, "add", ANN, "desk", "--network", "2001:db8::/32"
        )
        self.assertRegex(said.out, r"has an app password desk\.\nPassword, .*: app\d+-")
        page = await self.done(*words, "list", ANN)
        self.assertEqual(["desk", "phone"], [one["name"] for one in page["items"]])
        self.assertNotIn("password", str(page))
        said = await self.run_ctl(*words, "list", ANN)
        self.assertRegex(said.out, r"desk +submission imap pop3 +2001:db8::/32")
        page = await self.done(*words, "list", ANN, "--limit", "1", "--offset", "1")
        self.assertEqual((2, 1), (page["total"], len(page["items"])))
        said = await self.run_ctl(*words, "remove", ANN, str(made["id"]))
        self.assertEqual("phone is good for nothing any more.\n", said.out)
        self.assertNotEqual(ANN, await self.login(made["password"]))
        acts = await self.done("audit", "--subject", ANN)
        self.assertEqual(
            ["app-password remove", "app-password add", "app-password add"],
            [act["act"] for act in acts["items"]][:3],
        )

    async def test_refused(self) -> None:
        """What cannot be is said."""
        await self.open()
        await self.done("user", "app-password", "add", ANN, "phone")
        for arguments, words in (
            (("add", ANN, "phone"), "has an app password phone already"),
            (("add", ANN, " "), "1 to 80 characters"),
            (("add", ANN, "x", "--service", "ftp"), "no service of app passwords"),
            (("add", ANN, "x", "--network", "10.0.0.1/8"), "has host bits set"),
            (("add", "zoe@home.example", "x"), "There is no mailbox zoe"),
            (("remove", ANN, "desk"), "has no app password desk"),
            (("remove", BOB, "phone"), "has no app password phone"),
            (("list", "zoe@home.example"), "There is no mailbox zoe"),
        ):
            said = await self.run_ctl("user", "app-password", *arguments)
            self.assertEqual(1, said.code, arguments)
            self.assertIn(words, said.err)

    async def test_gone_with_mailbox(self) -> None:
        """Whoever gets the address next does not get in by the old ones."""
        await self.open()
        made = await self.done("user", "app-password", "add", ANN, "phone")
        await self.done("user", "remove", ANN)
        await self.done("user", "add", ANN)
        self.assertNotEqual(ANN, await self.login(made["password"]))

    async def test_revoked(self) -> None:
        """After a theft one command ends all that the thief could have."""
        await self.open()
        made = await self.done("user", "app-password", "add", ANN, "phone")
        words = ("user", "password", ANN, "--generate")
        await self.done(*words)
        self.assertEqual(ANN, await self.login(made["password"]))
        changed = await self.done(*words, "--revoke-apps")
        self.assertNotEqual(ANN, await self.login(made["password"]))
        self.assertEqual(ANN, await self.login(changed["password"]))
        acts = await self.done("audit", "--subject", ANN)
        self.assertEqual("app passwords revoked", acts["items"][0]["detail"])


class TakenOverTests(CtlTestCase):
    """Mailboxes that come from another server."""

    async def test_hash(self) -> None:
        """A hash that is known is kept; another is refused, in whole sentences."""
        await self.open()
        plain = f"$6$salt${'x' * 86}"
        cid = ("user", "add", "cid@home.example", "--hash")
        said = await self.run_ctl(*cid, piped="{PLAIN}secret\n")
        self.assertEqual(1, said.code)
        self.assertIn("No password can be held against that hash", said.err)
        self.assertNotIn("secret", said.err)
        said = await self.run_ctl(*cid, piped="{SSHA512-CRYPT}$6$salt$x\n")
        self.assertEqual(1, said.code)
        said = await self.run_ctl(*cid, piped=f"{{SHA512-CRYPT}}{plain}\n")
        self.assertEqual("cid@home.example has a mailbox.\n", said.out)
        found = await self.house.keys.of("cid@home.example")
        assert found is not None
        self.assertEqual(plain, found.password)
        said = await self.run_ctl(*cid, "--password", piped="x\n")
        self.assertEqual(2, said.code)
