"""Tests for L{smfd.control.quota}: what our users may send, and who is held."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import gatherResults
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from smfd.control.quota import Exceeded, Granted, Quota
from smfd.model.quota import Allowance
from smfd.store.counters import Counters
from smfd.store.directory import Directory
from smfd.store.directory_holds import Holds
from smfd.store.directory_limits import Allowances

reactor: Any = installed

ANN, BOB = "ann@home.example", "bob@home.example"
#: To whom, and how many.
_BOUNCES = (ANN, 2), (ANN.upper(), 1), (ANN, 1)

BY: Any = {"actor": "uid:test"}


class QuotaTestCase(TestCase):
    """A directory with two users, counters, and what the settings say."""

    async def build(self, **default: int) -> Quota:
        """Start it."""
        home = Path(self.mktemp())
        home.mkdir()
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.directory = Directory(home / "directory.db", reactor)
        counters = Counters(home / "counters.db", reactor, self.clock)
        for service in (self.directory, counters):
            service.startService()
            self.addCleanup(service.stopService)
        await self.directory.add_domain("home.example", **BY)
        for name in (ANN, BOB):
            await self.directory.add_account(name, **BY)
        allowances = Allowances.of(self.directory, Allowance(**default))
        self.quota = Quota.of(
            counters, allowances, Holds.of(self.directory), self.clock
        )
        return self.quota

    async def send(
        self,
        *to: str,
        account: str = ANN,
        size: int = 100,
        body: bytes = b"",
        client: str = "192.0.2.1",
    ) -> Granted | Exceeded:
        """Spend for one message, each with a body of its own."""
        self.sent = getattr(self, "sent", 0) + 1
        digest = body or b"%08d" % self.sent
        return await self.quota.spend(
            account, to or ("x@a.example",), size, digest, client
        )


class SpendTests(QuotaTestCase):
    """A message is counted before it is taken."""

    async def test_messages(self) -> None:
        """Fifty at once: as many pass as may; the rest learn until when (R73)."""
        await self.build(messages=20)
        found = await gatherResults(
            [self.quota.spend(ANN, ["x@a.example"], 1, b"1", "") for _ in range(50)]
        )
        granted = [one for one in found if isinstance(one, Granted)]
        refused = [one for one in found if isinstance(one, Exceeded)]
        self.assertEqual((20, 30), (len(granted), len(refused)))
        self.assertEqual({(450, "4.7.1")}, {(r.code, r.status) for r in refused})
        self.assertRegex(
            refused[0].text,
            r"\Aann@home.example has a limit of 20 messages in 24 hours;"
            r" try again in 2[45] hours, at 2027-01-1\dT\d\d:\d\d:\d\dZ\Z",
        )
        self.assertIsInstance(await self.send(account=BOB), Granted)

    async def test_early(self) -> None:
        """Who has no message left is stopped at MAIL, until there is one."""
        await self.build(rate=2)
        self.assertIsNone(await self.quota.mail(ANN))
        await self.send()
        granted = await self.send()
        refused = await self.send()
        self.assertIsInstance(refused, Exceeded)
        self.assertEqual(refused, await self.quota.mail("Ann@Home.example"))
        self.clock.advance(10)
        later = await self.quota.mail(ANN)
        assert isinstance(refused, Exceeded) and later is not None
        self.assertEqual(refused.wait - 10, later.wait)
        self.assertIn("try again in 20 seconds", later.text)
        self.assertIsNone(await self.quota.mail(BOB))
        assert isinstance(granted, Granted)
        await self.quota.refund(granted)
        self.assertIsInstance(await self.send(), Exceeded)
        self.clock.advance(60)
        self.assertIsNone(await self.quota.mail(ANN))
        self.assertIsInstance(await self.send(), Granted)

    async def test_refused(self) -> None:
        """What is refused counts for the minute, and for nothing else."""
        await self.build(rate=3, messages=9)
        granted = await self.send()
        assert isinstance(granted, Granted)
        await self.quota.refund(granted)
        for _ in range(2):
            self.assertIsNone(await self.quota.mail(ANN))
            await self.quota.refused(ANN.upper())
        self.assertIsNone(await self.quota.mail(ANN))
        await self.quota.refused(ANN)
        found = await self.quota.mail(ANN)
        assert found is not None
        self.assertIn("3 messages a minute; try again in 20 seconds", found.text)
        used = await self.quota.counters.used(ANN)
        self.assertEqual((0, 0), (used["messages"], used["new_recipients"]))
        await self.quota.refused(BOB)
        self.assertIsNone(await self.quota.mail(BOB))

    async def test_recipients(self) -> None:
        """Recipients are counted apart, each once, new ones once more (C14)."""
        await self.build(recipients=5, new_recipients=3)
        self.assertIsInstance(await self.send("a@x.example", "A@x.example"), Granted)
        found = await self.send("b@x.example", "c@x.example", "d@x.example")
        assert isinstance(found, Exceeded)
        self.assertEqual((452, "4.5.3"), (found.code, found.status))
        self.assertIn("3 first-time recipients in 24 hours", found.text)
        await self.send("b@x.example", "c@x.example", "a@x.example")
        found = await self.send("b@x.example", "c@x.example")
        assert isinstance(found, Exceeded)
        self.assertIn("5 recipients in 24 hours", found.text)
        # What is left is enough for one.
        self.assertIsNone(await self.quota.mail(ANN))
        self.assertIsInstance(await self.send("b@x.example"), Granted)

    async def test_one_message(self) -> None:
        """A message may be too much by itself, for now or for good."""
        await self.build(message_recipients=2, message_size=1000, recipients=2)
        self.assertIsNone(await self.quota.rcpt(ANN, 2))
        found = await self.quota.rcpt(ANN, 3)
        assert found is not None
        self.assertEqual((452, "4.5.3"), (found.code, found.status))
        big = await self.send(size=1001)
        assert isinstance(big, Exceeded)
        self.assertEqual((552, "5.3.4"), (big.code, big.status))
        self.assertIn(f"{ANN} has a limit of 1000 octets for one message", big.text)
        # RFC 1870 §6.1: a client that says so is spared the way.
        self.assertEqual(big, await self.quota.mail(ANN, 1001))
        self.assertIsNone(await self.quota.mail(ANN, 1000))
        await self.quota.allowances.set_limits(ANN, {"message_recipients": 0}, **BY)
        many = await self.send("a@x.example", "b@x.example", "c@x.example")
        assert isinstance(many, Exceeded)
        self.assertEqual((550, "5.5.3"), (many.code, many.status))

    async def test_login(self) -> None:
        """So many logins in a minute; no limit asks nothing."""
        await self.build(connections=2)
        found = [await self.quota.login(ANN) for _ in range(3)]
        self.assertEqual([True, True, False], [one is None for one in found])
        assert found[2] is not None
        self.assertIn("2 logins a minute; try again in 30 seconds", found[2].text)
        await self.quota.allowances.set_limits(ANN, {"connections": 0}, **BY)
        self.assertIsNone(await self.quota.login(ANN))

    async def test_scopes(self) -> None:
        """Account before group before domain before settings."""
        await self.build(messages=1)
        limits = self.quota.allowances
        for scope, most in (("home.example", 2), (ANN, 4)):
            await limits.set_limits(scope, {"messages": most}, **BY)
        found = [(await limits.allowance(who)).messages for who in (ANN, BOB, "x@y.z")]
        self.assertEqual([4, 2, 1], found)
        await limits.set_limits(ANN, {}, ("messages",), **BY)
        self.assertEqual(2, (await limits.allowance(ANN)).messages)
        await self.directory.remove_domain("home.example", force=True, **BY)
        self.assertEqual(1, (await limits.allowance(ANN)).messages)


class HoldTests(QuotaTestCase):
    """Who behaves like a thief is held; his mail is taken and kept (D5)."""

    async def test_new_recipients(self) -> None:
        """So many first-time recipients hold it, with that very message."""
        await self.build(hold_new_recipients=3)
        first = await self.send("a@x.example", "b@x.example")
        held = await self.send("c@x.example")
        assert isinstance(first, Granted) and isinstance(held, Granted)
        self.assertEqual(
            ("", "it wrote to 3 addresses for the first time in 24 hours"),
            (first.held, held.held),
        )
        later = await self.send("a@x.example")
        assert isinstance(later, Granted)
        self.assertEqual(held.held, later.held)
        acts = (await self.directory.acts(ANN)).items
        self.assertEqual(
            ("smfd", "user hold"), (acts[0].actor, acts[0].act), "once, and audited"
        )
        self.assertEqual(1, sum(act.act == "user hold" for act in acts))

    async def test_networks(self) -> None:
        """So many networks it never came from, likewise; neighbours are one."""
        await self.build(hold_networks=3)
        found = []
        for client in ("192.0.2.1", "192.0.2.2", "", "198.51.100.1", "203.0.113.1"):
            granted = await self.send(client=client)
            assert isinstance(granted, Granted)
            found.append(granted.held)
        self.assertEqual([""] * 4, found[:4])
        self.assertIn("from 3 networks new to it", found[4])

    async def test_identical(self) -> None:
        """The same body again and again, likewise."""
        await self.build(hold_identical=2)
        found = []
        for _ in range(3):
            granted = await self.send(body=b"Buy now!")
            assert isinstance(granted, Granted)
            found.append(granted.held)
        self.assertEqual(["", "", "it sent a body again 2 times in 24 hours"], found)

    async def test_unknown(self) -> None:
        """So many recipients that do not exist, if they are a share of all."""
        await self.build(hold_unknown=3, hold_unknown_share=50)
        await self.send(*(f"{n}@x.example" for n in range(8)))
        self.assertEqual(
            [False, False, True],
            [await self.quota.bounced(account, n) for account, n in _BOUNCES],
        )
        held = await self.quota.holds.held(ANN)
        assert held is not None
        self.assertEqual("4 of 8 recipients in 24 hours do not exist", held.reason)
        self.assertTrue(await self.quota.bounced(ANN, 1))
        self.assertEqual(held, await self.quota.holds.held(ANN))

    async def test_complaints(self) -> None:
        """So many who call it spam, within a day, and it is held."""
        await self.build(hold_complaints=2)
        await self.send()
        self.assertFalse(await self.quota.complained(ANN))
        self.clock.advance(90_000)
        self.assertFalse(await self.quota.complained(ANN))
        self.assertTrue(await self.quota.complained(ANN.upper()))
        held = await self.quota.holds.held(ANN)
        assert held is not None
        self.assertEqual("recipients called it spam 2 times in 24 hours", held.reason)
        await self.quota.allowances.set_limits(BOB, {"hold_complaints": 0}, **BY)
        for _ in range(9):
            self.assertFalse(await self.quota.complained(BOB))

    async def test_few_unknown(self) -> None:
        """Two wrong addresses are two wrong addresses; of nobody nothing is noted."""
        await self.build(hold_unknown=3, hold_unknown_share=50)
        await self.send()
        self.assertFalse(await self.quota.bounced(ANN, 2))
        self.clock.advance(90_000)
        self.assertFalse(await self.quota.bounced(ANN, 2))
        for account in "", "nobody@home.example":
            self.assertFalse(await self.quota.bounced(account, 9))
        self.assertFalse(await self.quota.bounced(BOB, 0))
        for share, most in ((0, 3), (50, 0)):
            off = {"hold_unknown_share": share, "hold_unknown": most}
            await self.quota.allowances.set_limits(BOB, off, **BY)
            self.assertFalse(await self.quota.bounced(BOB, 9))

    async def test_breaches(self) -> None:
        """Too much, again and again, holds it; within ten minutes it is once."""
        await self.build(messages=1, hold_breaches=3)
        await self.send()
        for turn in range(3):
            self.assertIsNone(await self.quota.holds.held(ANN), turn)
            for _ in range(5):
                self.assertIsInstance(await self.send(), Exceeded)
                self.assertIsInstance(await self.quota.mail(ANN), Exceeded)
            self.clock.advance(600)
        held = await self.quota.holds.held(ANN)
        assert held is not None
        self.assertEqual("it asked for too much 3 times in 24 hours", held.reason)
        await self.quota.mail(ANN)
        self.assertEqual(held, await self.quota.holds.held(ANN))

    async def test_alarm(self) -> None:
        """Who reaches a limit is named once in the log, and for a day elsewhere."""
        await self.build(messages=1)
        with capturedLogs() as events:
            for _ in range(5):
                await self.send()
        said = [formatEvent(event) for event in events]
        alarms = [one for one in said if one.startswith("ALARM")]
        self.assertEqual(1, len(alarms), said)
        self.assertIn("1 messages in 24 hours", alarms[0])
        now = self.clock.seconds()
        self.assertEqual([ANN], self.quota.breaches.of_late(now))
        self.assertEqual([], self.quota.breaches.of_late(now + 86400))

    async def test_logins(self) -> None:
        """Too many logins are too much, too."""
        await self.build(connections=1, hold_breaches=1)
        self.assertIsNone(await self.quota.login(ANN))
        self.assertIsNone(await self.quota.holds.held(ANN))
        self.assertIsNotNone(await self.quota.login(ANN))
        self.assertIsNotNone(await self.quota.holds.held(ANN))

    async def test_gone(self) -> None:
        """An account that is removed is held no more, nor are its limits kept."""
        await self.build(hold_new_recipients=1)
        await self.send()
        await self.quota.allowances.set_limits(ANN, {"rate": 7}, **BY)
        self.assertIsNotNone(await self.quota.holds.held(ANN))
        await self.directory.remove_account(ANN, **BY)
        self.assertIsNone(await self.quota.holds.held(ANN))
        await self.directory.add_account(ANN, **BY)
        self.assertEqual((ANN, {}), await self.quota.allowances.said(ANN))
        await self.directory.remove_account(ANN, **BY)
        found = await self.send("new@x.example")
        assert isinstance(found, Granted)
        self.assertEqual("", found.held)
