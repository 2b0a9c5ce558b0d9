"""Tests for L{smfd.ctl.story}: what trace show tells of a message."""

import io
import os
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smfd.ctl.face import Face, Faint
from smfd.ctl.story import story


def finding(stage: str, symbol: str, **more: Any) -> dict[str, Any]:
    """A finding as the API shows it."""
    plain = {"result": "pass", "score": None, "ms": 0.5, "evidence": ""}
    return {"stage": stage, "symbol": symbol, "reason": "so it is", **plain, **more}


FOUND: dict[str, Any] = {
    "record": {
        "id": "0a",
        "time": "2026-11-21T22:23:10Z",
        "flow": "inbound",
        "client": "192.0.2.1",
        "helo": "mx.a.example",
        "tls": "TLSv1.3",
        "sender": "",
        "recipients": ["ann@b.example", "bob@b.example"],
        "verdict": "mixed",
        "reply": "250 2.0.0 Accepted id=0a",
        "subject": "Hello",
        "score": 6.5,
        "ms": 2.0,
        "findings": [
            finding("virus", "VIRUS_CLEAN"),
            finding("lists", "LIST_ALLOW", recipient="a@b.c"),
            finding("content", "PILLS", score=7.0, result="suspect", evidence="Pills!"),
            finding("content", "KNOWN", score=-0.5),
        ],
        "fates": [
            {
                "recipient": "ann@b.example",
                "disposition": "deliver",
                "category": "allowed",
                "reason": "she said so",
            },
            {
                "recipient": "bob@b.example",
                "disposition": "quarantine",
                "category": "spam",
                "reason": "pills",
            },
        ],
    },
    "recipients": [
        {
            "number": 1,
            "address": "ann@b.example",
            "category": "allowed",
            "state": "delivered",
            "detail": "mail/b.example/ann/new/1",
        },
        {
            "number": 2,
            "address": "bob@b.example",
            "category": "spam",
            "state": "held",
            "detail": "quarantine/b.example/0a",
        },
    ],
    "acts": [{"time": "later", "actor": "uid:x", "act": "release", "detail": ""}],
}


class StoryTests(SynchronousTestCase):
    """Read by somebody who sees it for the first time."""

    def test_whole(self) -> None:
        """In order: who, what each stage saw, the sum, each fate, what people did."""
        self.assertEqual(
            [
                "0a  2026-11-21T22:23:10Z  inbound",
                "  client   192.0.2.1 (mx.a.example), TLSv1.3",
                "  sender   <>",
                "  subject  Hello",
                "  verdict  mixed, score 6.5, judged in 2 ms",
                "  reply    250 2.0.0 Accepted id=0a",
                "",
                "STAGE    SYMBOL       RESULT     SCORE       MS  FINDING",
                "virus    VIRUS_CLEAN  pass                 0.50  so it is",
                "lists    LIST_ALLOW   pass                 0.50  a@b.c: so it is",
                "content  PILLS        suspect       +7     0.50  so it is",
                "           Pills!",
                "         KNOWN        pass        -0.5     0.50  so it is",
                "                      sum          6.5",
                "",
                "ann@b.example: deliver, allowed",
                "  because she said so",
                "  now delivered, mail/b.example/ann/new/1",
                "",
                "bob@b.example: quarantine, spam",
                "  because pills",
                "  now held, quarantine/b.example/0a",
                "  let it in: smfdctl quarantine release 0a-2",
                "",
                "later  uid:x  release",
            ],
            list(story(FOUND, "smfdctl quarantine release")),
        )

    def test_refused(self) -> None:
        """A refusal says for whom it was; no stage, no sum, no place."""
        record = {
            **FOUND["record"],
            "findings": [],
            "fates": [],
            "score": None,
            "ms": 0,
            "subject": "",
            "verdict": "refused",
            "recipients": ["nobody@b.example"],
        }
        told = list(story({"record": record, "recipients": [], "acts": []}, ""))
        self.assertIn("  to       nobody@b.example", told)
        self.assertIn("  verdict  refused", told)
        self.assertEqual("No stage looked at it.", told[-1])

    def test_virus(self) -> None:
        """Nobody is shown how to let a virus in."""
        held = {**FOUND["recipients"][1], "category": "virus"}
        told = "\n".join(story({**FOUND, "recipients": [held]}, "release"))
        self.assertIn("now held", told)
        self.assertNotIn("let it in", told)


class _Terminal(io.StringIO):
    """Somebody looks."""

    def isatty(self) -> bool:
        """They do."""
        return True


class FaintTests(SynchronousTestCase):
    """Lines of less weight."""

    def shown(self, out: io.StringIO, *lines: str) -> str:
        """What stands there."""
        self.patch(sys, "stdout", out)
        Face(Path("smfd.toml")).show({}, lines)
        return out.getvalue()

    def test_terminal(self) -> None:
        """Dimmed for eyes; what strangers wrote still cannot steer the terminal."""
        self.patch(os, "environ", {})
        self.assertEqual(
            "plain\n\x1b[2mfaint \\x1b[31m\x1b[0m\n",
            self.shown(_Terminal(), "plain", Faint("faint \x1b[31m")),
        )

    def test_plain(self) -> None:
        """Not in a pipe, nor for who wants none of it."""
        self.assertEqual("faint\n", self.shown(io.StringIO(), Faint("faint")))
        self.patch(os, "environ", {"NO_COLOR": "1"})
        self.assertEqual("faint\n", self.shown(_Terminal(), Faint("faint")))
