"""Tests for L{smfd.ctl.quota}: limits and held users from the command line."""

from smfd.control import holds
from smfd.control.quota import Granted, Quota
from smfd.control.status import status
from smfd.model.finding import Result
from tests.control.building import OPERATOR
from tests.ctl.asking import CtlTestCase

ANN, BOB = "ann@home.example", "bob@home.example"


class LimitsTests(CtlTestCase):
    """What may be sent."""

    def quota(self) -> Quota:
        """That of the house."""
        assert self.house.quota is not None
        return self.house.quota

    async def test_limits(self) -> None:
        """Set for a domain and for one user, shown with what was used, inherited."""
        await self.open()
        found = await self.done("user", "limits", ANN)
        self.assertEqual(({}, 100), (found["says"], found["limits"]["messages"]))
        await self.done("user", "limits", "home.example", "messages=7", "rate=5")
        await self.done("user", "limits", ANN, "messages=none", "recipients=9")
        await self.quota().spend(ANN, [BOB, "x@a.example"], 1, b"", "")
        found = await self.done("user", "limits", ANN)
        counts = found["limits"]
        self.assertEqual(
            (0, 5, 9, 2),
            (
                counts["messages"],
                counts["rate"],
                counts["recipients"],
                found["used"]["recipients"],
            ),
        )
        said = await self.run_ctl("user", "limits", ANN)
        self.assertRegex(said.out, r"recipients +9 +9 +2\n")
        self.assertRegex(said.out, r"rate +inherited +5 *\n")
        await self.done("user", "limits", ANN, "messages=inherit")
        found = await self.done("user", "limits", ANN)
        self.assertEqual(7, found["limits"]["messages"])
        acts = (await self.house.directory.acts(ANN)).items
        self.assertEqual("messages=inherited", acts[0].detail)

    async def test_group(self) -> None:
        """A group's limit counts for its members, as long as they are."""
        await self.open()
        await self.done("group", "add", "press@home.example", ANN)
        scope = "group:press@home.example"
        await self.done("user", "limits", "home.example", "messages=7", "rate=1")
        found = await self.done("user", "limits", scope.upper().lower(), "messages=9")
        self.assertEqual({"scope": scope, "says": {"messages": 9}}, found)
        for who, counts in ((ANN, 9), (BOB, 7)):
            found = await self.done("user", "limits", who)
            self.assertEqual(counts, found["limits"]["messages"])
            self.assertEqual(1, found["limits"]["rate"])
        await self.done("group", "leave", "press@home.example", ANN)
        found = await self.done("user", "limits", ANN)
        self.assertEqual(7, found["limits"]["messages"])
        await self.done("group", "remove", "press@home.example")
        await self.done("group", "add", "press@home.example", ANN)
        self.assertEqual({}, (await self.done("user", "limits", scope))["says"])

    async def test_refused(self) -> None:
        """What is no limit, or nobody's, is said to be so."""
        await self.open()
        for scope, limit, text in (
            (ANN, "much=5", "There is no limit 'much'."),
            (ANN, "messages=-1", "'messages=-1' is no limit."),
            (ANN, "messages", "'messages' is no limit."),
            # Who wants nothing sent must not get everything sent.
            (ANN, "messages=0", "'messages=0' has two meanings."),
            (ANN, "messages=00", "No limit is messages=none; user held add"),
            ("group:x@home.example", "messages=1", "There is no group x@home.example."),
            ("no@home.example", "messages=1", "There is no mailbox no@home.example."),
            ("b.example", "messages=1", "b.example is not hosted here."),
            ("group:board", "messages=1", "'board' is not an address."),
        ):
            said = await self.run_ctl("user", "limits", scope, limit)
            self.assertEqual(1, said.code, said)
            self.assertIn(text, said.err)


class HeldTests(CtlTestCase):
    """Users whose mail is held back."""

    async def caught(self, mails: int = 3) -> Quota:
        """Ann is held, and so are some messages of hers to bob."""
        await self.open()
        quota = self.house.quota
        assert quota is not None
        await quota.spend(ANN, ["x@a.example"], 1, b"", "")
        await quota.holds.hold(ANN, "too many addresses")
        for number in range(mails):
            data = b"Subject: %d\r\n\r\nBuy\r\n" % number
            await self.receive(category="held", account=ANN, to=(BOB,), data=data)
        await self.receive(category="held", account=BOB, to=(BOB,))
        await self.receive(category="spam", account=ANN, to=(BOB,))
        return quota

    async def warnings(self) -> list[str]:
        """What status warns of."""
        found: list[str] = (await status(self.house, OPERATOR))["warnings"]
        return found

    async def test_look(self) -> None:
        """Held users are listed and warned of; one is shown with a sample."""
        quota = await self.caught()
        page = await self.done("user", "held", "list")
        self.assertEqual(
            [(ANN, "smfd", "too many addresses")],
            [(one["address"], one["actor"], one["reason"]) for one in page["items"]],
        )
        found = await self.done("user", "held", "show", ANN)
        self.assertEqual((3, 1), (found["held"], found["used"]["messages"]))
        self.assertNotIn("Limits reached", " ".join(await self.warnings()))
        quota.breaches.note(BOB, self.house.clock.seconds())
        self.assertIn(f"Limits reached in 24 hours: {BOB}.", await self.warnings())
        item = await self.done("quarantine", "show", found["sample"][0])
        self.assertEqual((BOB, "held"), (item["recipient"], item["class"]))
        said = await self.run_ctl("user", "held", "show", ANN)
        self.assertIn(f"user held release {ANN}", said.out)
        said = await self.run_ctl("user", "held", "show", "postmaster@home.example")
        # Nobody is advised to change the password of somebody who is well.
        self.assertNotIn("thief", said.out)
        self.assertTrue(
            [
                one
                for one in await self.warnings()
                if one.startswith(f"All mail of {ANN} is held")
            ]
        )

    async def test_release(self) -> None:
        """All right: what she sent goes to its mailbox, and she is counted anew."""
        quota = await self.caught()
        self.patch(holds, "_PAGE", 2)
        said = await self.run_ctl("user", "held", "release", ANN, "--reason", "a party")
        self.assertEqual((0, "Sent: 3. Left: 0.\n"), (said.code, said.out))
        await self.settled()
        texts = [mail.partition(b"Subject: ")[2][:1] for mail in self.inbox("bob")]
        self.assertEqual([b"0", b"1", b"2"], sorted(texts))
        self.assertIsNone(await quota.holds.held(ANN))
        self.assertEqual(0, (await quota.counters.used(ANN))["messages"])
        self.assertEqual(2, (await self.house.reader.held(limit=0))["total"])
        acts = (await self.house.directory.acts(ANN)).items
        self.assertEqual(
            ("user held release", "a party"), (acts[0].act, acts[0].detail)
        )

    async def test_virus(self) -> None:
        """What a fresh look finds a virus in stays, and it is said why."""
        await self.caught()
        self.scanner.says = Result.FAIL
        said = await self.run_ctl("user", "held", "release", ANN)
        self.assertIn("Sent: 0. Left: 3.", said.out)
        self.assertIn("A fresh look says", said.out)
        self.assertEqual([], self.inbox("bob"))

    async def test_budget(self) -> None:
        """A request works for a while only; smfdctl asks until all is done."""
        await self.caught(mails=4)
        self.patch(holds, "BUDGET", 0.0)
        done = await holds.purge(self.house, OPERATOR, address=ANN)
        self.assertEqual((0, 4), (done["done"], done["left"]))
        self.patch(holds, "BUDGET", 1e-9)
        said = await self.run_ctl("user", "held", "purge", ANN)
        self.assertEqual(0, said.code)

    async def test_purge(self) -> None:
        """A thief: what was sent is thrown away; held he stays until the reset."""
        quota = await self.caught()
        said = await self.run_ctl("user", "held", "purge", ANN)
        self.assertIn("Thrown away: 3. Left: 0.", said.out)
        self.assertEqual(2, (await self.house.reader.held(limit=0))["total"])
        self.assertIsNotNone(await quota.holds.held(ANN))
        await self.done("user", "held", "reset", ANN)
        self.assertIsNone(await quota.holds.held(ANN))
        self.assertEqual(0, (await quota.counters.used(ANN))["messages"])
        names = [act.act for act in (await self.house.directory.acts(ANN)).items][:3]
        self.assertEqual(
            ["user held reset", "user held purge", "user hold"], names, "audited"
        )

    async def test_nothing(self) -> None:
        """Whoever is not held is not let go, and nothing of it is written down."""
        await self.open()
        for act in "release", "purge":
            said = await self.run_ctl("user", "held", act, BOB)
            self.assertEqual(1, said.code)
            self.assertIn(f"{BOB} is not held, and nothing that it sent is.", said.err)
        names = [act.act for act in (await self.house.directory.acts(BOB)).items]
        self.assertEqual(["user add"], names)
        said = await self.run_ctl("user", "held", "reset", BOB)
        self.assertEqual(f"{BOB} was not held; its counters are empty.\n", said.out)
        # What a reset leaves in the quarantine is somebody's to decide about.
        await self.receive(category="held", account=BOB, to=(ANN,))
        said = await self.run_ctl("user", "held", "purge", BOB)
        self.assertIn("Thrown away: 1. Left: 0.", said.out)

    async def test_by_hand(self) -> None:
        """An administrator can hold a user; what is sent then says why."""
        await self.open()
        await self.done("user", "held", "add", BOB, "--reason", "stolen laptop")
        assert self.house.quota is not None
        granted = await self.house.quota.spend(BOB, [ANN], 1, b"", "")
        assert isinstance(granted, Granted)
        self.assertEqual("stolen laptop", granted.held)
        gone = await self.run_ctl("user", "held", "show", "no@home.example")
        self.assertEqual(1, gone.code)
