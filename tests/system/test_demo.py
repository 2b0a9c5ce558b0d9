"""What a newcomer sees in the first two minutes."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smfd.ctl.sample import ALICE, BOB, CAROL
from tests.system.house import House

HELD, IN = "held", "delivered"


class DemoTests(SynchronousTestCase):
    """The demonstration keeps what it promises."""

    def test_every_outcome(self) -> None:
        """Each sample ends where its story says, and trace says why."""
        house = House((), init=("--demo",))
        self.addCleanup(house.remove)
        house.start()
        sent = house.ctl("demo", "send")["sent"]
        ends = [
            {one["address"]: (one["state"], one["category"]) for one in letter["ends"]}
            for letter in sent
        ]
        self.assertEqual(
            [
                {ALICE: (IN, "clean")},
                {BOB: (HELD, "spam")},
                {ALICE: (HELD, "virus")},
                {BOB: (HELD, "spam")},
                {ALICE: (IN, "allowed"), BOB: (HELD, "blocked"), CAROL: (HELD, "spam")},
                {},
            ],
            ends,
        )
        self.assertEqual([250] * 5 + [550], [letter["code"] for letter in sent])
        self.explained(house, sent)
        self.kept(house)
        checks = house.ctl("check")
        self.assertEqual(0, checks["errors"], checks)
        # A trial's warnings: no antivirus, no DNS, so no way to the world.
        warned = {c["name"] for c in checks["checks"] if c["state"] == "warning"}
        self.assertEqual({"virus", "dns", "relay"}, warned)
        house.stop()
        self.assertNotIn("Traceback", house.log.read_text(errors="replace"))

    def explained(self, house: House, sent: list[dict[str, Any]]) -> None:
        """Every one has a record, and the record a reason for every fate."""
        for letter in sent:
            record = house.ctl("trace", "show", letter["id"])["record"]
            self.assertEqual(letter["sender"], record["sender"])
            for fate in record.get("fates", []):
                self.assertTrue(fate["reason"], fate)
        forged = str(house.ctl("trace", "show", sent[3]["id"]))
        self.assertIn("HOSTED_SENDER", forged)
        found = house.ctl("trace", "search", "--limit", "50")["items"]
        self.assertLessEqual({s["id"] for s in sent}, {item["id"] for item in found})

    def kept(self, house: House) -> None:
        """What is on the disk is what was said."""
        subjects = [m.partition(b"\r\nSubject: ")[2] for m in house.mailbox(ALICE)]
        self.assertEqual(
            {b"Lunch", b"Sale"}, {s.split()[0] for s in subjects}, subjects
        )
        self.assertEqual([], house.mailbox(BOB) + house.mailbox(CAROL))
        held = house.ctl("quarantine", "list")["items"]
        self.assertEqual(5, len(held))
        # Bob and Carol share the file of the shop's message.
        self.assertEqual(4, len(house.held()))
