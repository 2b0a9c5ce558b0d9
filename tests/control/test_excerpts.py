"""Tests for L{smfd.control.excerpts}."""

import json
from typing import Any

from attrs import define, evolve
from twisted.internet.defer import Deferred, fail, succeed

from smfd.control import excerpts, policies, tracking
from smfd.control.house import House
from smfd.format.words import printable
from smfd.model.transaction import Body
from smfd.scan.workers import Busy, JobFailed, Overdue, WorkerDied, Workers, command
from tests.control.building import OPERATOR, HouseTestCase, reactor

NASTY = (
    b"From: \x1b]0;owned\x07 <x@a.example>\r\n"
    b"Subject: =?utf-8?q?=1B[2Jclear?=\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    b"\x1b[31mred\xc2\x9b2J <a href='https://www.evil.example/p?q=1'>www.bank.example</a>"
    b" \xe2\x80\xaefdp.exe http://10.0.0.1/x\r\n"
)


@define
class _Liar:
    """A worker that was taken over: it says what it wants."""

    says: Any

    def submit(self, job: str, body: Body, arguments: Any) -> "Deferred[Any]":
        """Say it."""
        if isinstance(self.says, Exception):
            return fail(self.says)
        return succeed(self.says)


class ExcerptTests(HouseTestCase):
    """An administrator reads what somebody sent, and nothing happens to him."""

    async def _with_workers(self) -> House:
        """A house with real workers."""
        house = await self.build()
        line = command((), str(self.home / "spool"))
        workers = Workers(reactor, line, size=1, deadline=60)
        workers.setServiceParent(self.services)
        return evolve(house, workers=workers)

    async def test_harmless(self) -> None:
        """Nothing steers the terminal, nothing can be clicked; it is noted."""
        house = await self._with_workers()
        name = await self.receive(data=NASTY)
        said = await excerpts.text(house, OPERATOR, id=f"{name}-1")
        told = json.dumps(said, ensure_ascii=False)
        self.assertEqual(told, printable(told))
        self.assertNotIn("://", told)
        self.assertNotIn("www.", told)
        self.assertEqual("clear", said["header"]["subject"][-5:])
        (link,) = [one for one in said["links"] if one["says"]]
        self.assertEqual("https[:]//www[.]evil[.]example/p?q=1", link["target"])
        self.assertEqual("www[.]bank[.]example", link["says"])
        text = "\n".join(said["texts"][0]["lines"])
        self.assertIn("\\x1b[31mred", text)
        self.assertIn("\\u202efdp.exe http[:]//10[.]0[.]0[.]1/x", text)
        self.assertTrue(said["whole"])
        acts = (await tracking.show(house, OPERATOR, id=name))["acts"]
        self.assertEqual(
            [("uid:tester", "read", f"{name}-1")],
            [(act["actor"], act["act"], act["subject"]) for act in acts],
        )

    async def test_large(self) -> None:
        """Of a large message the beginning is looked at, and it says so."""
        house = await self._with_workers()
        self.patch(excerpts, "LOOKED_AT", 1000)
        name = await self.receive(data=b"Subject: x\r\n\r\nHello\r\n" + b"y" * 200_000)
        said = await excerpts.text(house, OPERATOR, id=f"{name}-1")
        self.assertEqual("Hello", said["texts"][0]["lines"][0])
        self.assertFalse(said["whole"])

    async def test_unbelieved(self) -> None:
        """A worker that was taken over can say nothing that harms or is long."""
        house = await self.build()
        name = await self.receive()
        nasty = "\x1b[2J https://www.x.example/ " * 100
        one = {"target": nasty, "says": nasty, "name": nasty, "type": nasty}
        more = {"marks": [nasty] * 99, "files": [nasty] * 99, "size": -1}
        lists = ("links", "attachments", "texts")
        every: tuple[Any, ...] = (
            *(None, [], "x", {}, {"header": 3, "texts": {}, "links": [None, 3]}),
            {"header": {"from": nasty, "x": nasty}, "hidden": "x", "more": "x"},
            {key: [one | more | {"lines": [nasty, 3] * 999}] * 999 for key in lists},
        )
        for says in every:
            lying = evolve(house, workers=_Liar(says))
            said = await excerpts.text(lying, OPERATOR, id=f"{name}-1")
            told = json.dumps(said, ensure_ascii=False)
            self.assertEqual(told, printable(told))
            self.assertNotIn("://", told)
            self.assertLess(len(told), 400_000)
            self.assertEqual(
                {"from", "reply-to", "to", "cc", "subject", "date"}, set(said["header"])
            )

    async def test_unread(self) -> None:
        """Where no worker reads it, it says why, and nothing is noted."""
        house = await self.build()
        name = await self.receive()
        for trouble in Overdue(), JobFailed(), Busy(), WorkerDied():
            lame = evolve(house, workers=_Liar(trouble))
            asked = excerpts.text(lame, OPERATOR, id=f"{name}-1")
            await self.assert_refused("conflict", asked)
        asked = excerpts.text(house, OPERATOR, id=f"{name}-1")
        await self.assert_refused("conflict", asked)
        asked = excerpts.text(house, OPERATOR, id=f"{name}-2")
        await self.assert_refused("unknown", asked)
        self.assertEqual([], (await tracking.show(house, OPERATOR, id=name))["acts"])

    async def test_approver(self) -> None:
        """Who has to approve of a message may read it, and nobody else."""
        house = evolve(await self.build(), workers=_Liar({}))
        rule = {
            "name": "ask",
            "to": "bob@home.example",
            "action": "hold",
            "approvers": ["ann@home.example"],
        }
        await policies.add(house, OPERATOR, rule=rule)
        waits = "waits for approval, says the policy ask"
        name = await self.receive(category="approval", reason=waits)
        asked = excerpts.text
        await asked(house, OPERATOR, id=f"{name}-1", approver="ann@home.example")
        refused = asked(house, OPERATOR, id=f"{name}-1", approver="bob@home.example")
        await self.assert_refused("conflict", refused)
        acts = (await tracking.show(house, OPERATOR, id=name))["acts"]
        self.assertEqual(
            ["ann@home.example (uid:tester)"], [act["actor"] for act in acts]
        )
