"""Messages that wait for somebody's approval, and those who may decide."""

from smfd.control import audit, held, policies
from smfd.control.house import House
from smfd.control.release import release
from smfd.policy.ruled import waits_for
from tests.control.building import OPERATOR, HouseTestCase

ANN, BOB = "ann@home.example", "bob@home.example"
RULE = {"name": "ask", "to": ANN, "action": "hold", "approvers": [BOB]}
REASON = "waits for approval, says the policy ask"


class ApprovalTests(HouseTestCase):
    """Bob approves of what Ann gets."""

    async def waiting(self, account: str = "") -> tuple[House, str]:
        """A message that waits for Bob; C{account}: the user who sent it."""
        house = await self.build()
        await policies.add(house, OPERATOR, rule=RULE)
        name = await self.receive(category="approval", reason=REASON, account=account)
        return house, f"{name}-1"

    async def test_released(self) -> None:
        """He lets it go; it is delivered, and it is on record that he did."""
        house, item = await self.waiting()
        self.assertEqual([], self.inbox())
        shown = await held.show(house, OPERATOR, id=item)
        self.assertEqual([BOB], shown["approvers"])
        await release(house, OPERATOR, id=item, approver="BOB@home.example")
        await self.settled()
        self.assertEqual(1, len(self.inbox()))
        trace = await house.reader.record(item.partition("-")[0])
        assert trace is not None
        self.assertEqual(
            [f"{BOB} (uid:tester)"], [act["actor"] for act in trace["acts"]]
        )
        await self.assert_refused(
            "unknown", release(house, OPERATOR, id=item, approver=BOB)
        )

    async def test_thrown_away(self) -> None:
        """Or he throws it away; who is a stranger hears nothing of it."""
        house, item = await self.waiting()
        await held.delete(house, OPERATOR, id=item, approver=BOB)
        self.assertEqual([], self.written)
        self.assertEqual(
            ([], 0), (self.inbox(), (await held.page(house, OPERATOR))["total"])
        )

    async def test_told(self) -> None:
        """A user of ours, who was told to wait, is told that he waits in vain."""
        house, item = await self.waiting(account=BOB)
        await held.delete(house, OPERATOR, id=item)
        ((to, matter, subject, text),) = self.written
        self.assertEqual(((BOB,), f"declined {item}"), (to, matter))
        self.assertEqual("Your message was not approved", subject)
        self.assertIn(f"Your message to {ANN} was not approved of", text)
        self.assertIn("Subject: Pills\n", text)
        spam = await self.receive(account=BOB)
        shown = await held.show(house, OPERATOR, id=f"{spam}-1")
        self.assertEqual([], shown["approvers"])
        await held.delete(house, OPERATOR, id=f"{spam}-1")
        self.assertEqual(1, len(self.written))

    async def test_others(self) -> None:
        """Nobody else approves, of other messages at most; nor he by force."""
        house, item = await self.waiting()
        other = {"name": "other", "to": BOB, "action": "hold", "approvers": [ANN]}
        await policies.add(house, OPERATOR, rule=other)
        for kind, asked in (
            ("conflict", release(house, OPERATOR, id=item, approver=ANN)),
            ("conflict", held.delete(house, OPERATOR, id=item, approver=ANN)),
            ("invalid", release(house, OPERATOR, id=item, approver="bob")),
            (
                "conflict",
                release(house, OPERATOR, id=item, approver=BOB, force=True, reason="x"),
            ),
        ):
            await self.assert_refused(kind, asked)
        spam = await self.receive(category="spam", reason=REASON)
        asked = release(house, OPERATOR, id=f"{spam}-1", approver=BOB)
        await self.assert_refused("conflict", asked)
        self.assertEqual([], self.inbox())
        # Whoever approves is whoever the rule names today.
        await policies.change(house, OPERATOR, name="ask", rule={"approvers": ANN})
        await self.assert_refused(
            "conflict", release(house, OPERATOR, id=item, approver=BOB)
        )
        await policies.remove(house, OPERATOR, name="ask")
        await self.assert_refused(
            "conflict", release(house, OPERATOR, id=item, approver=ANN)
        )
        await release(house, OPERATOR, id=item)
        await self.settled()
        self.assertEqual(1, len(self.inbox()))
        acts = await audit.page(house, OPERATOR, subject="ask")
        self.assertEqual(
            ["policy remove", "policy edit", "policy add"],
            [act["act"] for act in acts["items"]],
        )

    def test_reason(self) -> None:
        """The rule is told by the reason, and by no other."""
        self.assertEqual("ask", waits_for(REASON))
        self.assertIsNone(waits_for("it is spam"))
