"""What is wrong with rules among each other is said, and named."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.rule_faults import Fault, faults
from smfd.policy.rule_text import read_rule
from tests.policy.test_rule import BOARD, BOB, BOSS, DESK, GROUPS, HELP


def found(*documents: dict[str, Any], hosted: tuple[str, ...] = ()) -> list[Fault]:
    """The faults of rules; their names are a, b, c, they reject."""
    rules = [
        read_rule({"name": name, "action": "reject", **document})
        for name, document in zip("abcdef", documents, strict=False)
    ]
    groups = {**GROUPS, "none@home.example": frozenset()}
    return list(faults(rules, groups, hosted))


class FaultTests(SynchronousTestCase):
    """Four kinds of faults."""

    def kinds(self, *documents: dict[str, Any]) -> list[str]:
        """What is wrong with whom."""
        return [f"{fault.rule} {fault.kind}" for fault in found(*documents)]

    def test_unreachable(self) -> None:
        """A rule is named to which an earlier one leaves nothing."""
        wide = {"to": "home.example"}
        for first, second in (
            (wide, {"to": BOSS}),
            (wide, {"to": BOSS, "subject": "x"}),
            ({"to": "*.example"}, {"to": "*.home.example"}),
            ({"to": "*.example"}, wide),
            ({"network": "10.0.0.0/8"}, {"network": "10.1.0.0/16"}),
            ({"size_over": "1M"}, {"size_over": "2M"}),
            ({"not_size_over": "2M"}, {"not_size_over": "1M"}),
            (
                {"direction": ["local", "inbound"], **wide},
                {"direction": "local", **wide},
            ),
            ({"not_direction": "local", **wide}, {"direction": "inbound", **wide}),
            ({"not_to": [BOSS]}, {"not_to": [BOSS, BOB]}),
            ({"header": "X-A: *"}, {"header": "X-A: b"}),
            ({"from": HELP}, {"from": HELP, "to": BOSS, "action": "allow"}),
        ):
            self.assertEqual(["b unreachable"], self.kinds(first, second), first)
            self.assertEqual([], self.kinds(second, first), second)
        sentence = found(wide, {"to": BOSS})[0].sentence
        self.assertEqual(
            "The rule 'b' is never reached: 'a' before it decides all that it matches.",
            sentence,
        )

    def test_reachable(self) -> None:
        """What a name does not open may still be shut."""
        allowed = {"from": HELP, "action": "allow"}
        self.assertEqual([], self.kinds(allowed, {"from": HELP, "to": BOSS}))
        self.assertEqual([], self.kinds({"to": BOSS}, {"to": [BOSS, BOB]}))
        self.assertEqual([], self.kinds({"to": BOSS, "enabled": False}, {"to": BOSS}))
        self.assertEqual([], self.kinds({"network": "10.0.0.0/8"}, {"network": "::/8"}))
        self.assertEqual([], self.kinds({"to": BOSS}, {"from": BOSS}))

    def test_contradictory(self) -> None:
        """Two that say different things of the same, and one that never matches."""
        same = {"to": BOSS}
        self.assertEqual(
            ["b contradictory"], self.kinds(same, {**same, "action": "quarantine"})
        )
        for rule in (
            {"to": BOSS, "not_to": "home.example"},
            {"size_over": "10M", "not_size_over": "5M"},
            {"direction": "local", "authenticated": "no"},
            {"direction": "outbound", "verdict": "spam"},
            {"direction": "outbound", "to": f"group:{BOARD}"},
            {"from": HELP, "not_from": HELP, "action": "allow"},
        ):
            self.assertEqual(["a contradictory"], self.kinds(rule), rule)
        # Whoever says to be somebody, and did not prove it.
        self.assertEqual([], self.kinds({"from": HELP, "not_from": HELP}))
        self.assertEqual([], self.kinds({"size_over": "5M", "not_size_over": "10M"}))

    def test_idle(self) -> None:
        """What is misspelt, and a redirection to whom it is for, do nothing."""
        for word in "encripted", "docx":
            fault = found({"attachment_type": ["zip", word]})[0]
            self.assertIn(f"the type {word!r}, and none are: write", fault.sentence)
        for word in "encrypted", "application/msword", "*word*", "image/?if":
            self.assertEqual([], self.kinds({"attachment_type": word}), word)
        away = {"action": "redirect", "redirect": BOB}
        self.assertEqual(["a contradictory"], self.kinds({**away, "to": BOB}))
        self.assertEqual([], self.kinds({**away, "to": [BOB, BOSS]}))
        self.assertEqual([], self.kinds({**away, "not_to": BOB, "from": HELP}))

    def test_lock_out(self) -> None:
        """Nobody can keep everybody's mail back."""
        for rule in (
            {},
            {"action": "quarantine"},
            {"action": "hold", "approvers": HELP},
            {"direction": ["inbound"]},
            {"not_from": "group:none@home.example"},
        ):
            self.assertEqual(["a lock-out"], self.kinds(rule), rule)
        self.assertEqual([], self.kinds({"not_from": f"group:{DESK}"}))
        self.assertEqual([], self.kinds({"from": HELP, "action": "allow"}, {}))
        self.assertEqual([], self.kinds({"action": "allow"}))
        self.assertEqual([], self.kinds({"enabled": False}))

    def test_whole_house(self) -> None:
        """Nor by naming all that is hosted; what only says to be ours is another's."""
        hosted = ("home.example", "a.home.example")
        everybody = ["home.example", "*.home.example"]
        for rule in (
            {"to": everybody},
            {"from": everybody},
            {"from": everybody, "to": [*everybody, "x.example"]},
            {"direction": "inbound", "to": everybody, "action": "quarantine"},
            {"not_direction": "inbound", "from": everybody},
        ):
            (fault,) = found(rule, hosted=hosted)
            self.assertEqual("lock-out", fault.kind, rule)
        for open_ in (
            {"to": "home.example"},
            {"from": everybody, "direction": "inbound"},
            {"from": everybody, "not_direction": ["local", "outbound"]},
            {"from": everybody, "authenticated": "no"},
            {"to": everybody, "not_from": BOB},
            {"to": everybody, "subject": "x"},
        ):
            self.assertEqual([], found(open_, hosted=hosted), open_)
        allowed = {"from": HELP, "action": "allow"}
        self.assertEqual([], found(allowed, {"to": everybody}, hosted=hosted))

    def test_loop(self) -> None:
        """Redirections that lead back are named, all of them."""

        def lead(to: str, away: str) -> dict[str, Any]:
            return {"to": to, "action": "redirect", "redirect": away}

        self.assertEqual(
            ["a loop", "b loop", "c loop"],
            self.kinds(lead(f"group:{BOARD}", BOB), lead(BOB, HELP), lead(HELP, BOSS)),
        )
        self.assertEqual([], self.kinds(lead(BOSS, BOB), lead(BOB, HELP)))
        # One that leads into a circle is not part of it.
        self.assertEqual(
            ["b loop", "c loop"],
            self.kinds(lead(BOSS, BOB), lead(BOB, HELP), lead(HELP, BOB)),
        )
        self.assertEqual([], self.kinds(lead("home.example", BOB)))
