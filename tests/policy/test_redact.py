"""Tests for L{smfd.policy.redact}."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.redact import for_administrator, for_sender, for_user, sentence


def trace() -> dict[str, Any]:
    """A message to two users, as it is stored."""
    return {
        "record": {
            "id": "abc",
            "time": 1.0,
            "flow": "inbound",
            "sender": "x@a.example",
            "header_from": "x@a.example",
            "subject": "Pills",
            "size": 10,
            "client": "192.0.2.1",
            "ms": 3.0,
            "score": 7.5,
            "recipients": ["u@home.example", "v@home.example"],
            "findings": [
                {
                    "stage": "content",
                    "symbol": "PILLS",
                    "score": 7.5,
                    "reason": "sells pills",
                    "evidence": "secret pattern",
                    "ms": 1.0,
                }
            ],
        },
        "recipients": [
            {
                "address": "u@home.example",
                "category": "spam",
                "reason": "score 7.5: PILLS",
                "score": 7.5,
                "state": "held",
                "decided": None,
            },
            {
                "address": "v@home.example",
                "category": "allowed",
                "reason": "his own list",
                "score": None,
                "state": "delivered",
                "decided": None,
            },
        ],
        "acts": [{"actor": "uid:root"}],
    }


class RedactTests(SynchronousTestCase):
    """Who may see what of a record (C12)."""

    def test_administrator(self) -> None:
        """An administrator sees rules and scores, not what they look for."""
        seen = for_administrator(trace())
        self.assertIn("PILLS", repr(seen))
        self.assertIn("7.5", repr(seen))
        self.assertNotIn("secret pattern", repr(seen))
        self.assertNotIn("'ms'", repr(seen))

    def test_original_is_kept(self) -> None:
        """Redacting makes a new document."""
        whole = trace()
        for_administrator(whole)
        for_user(whole, "u@home.example")
        self.assertEqual(trace(), whole)

    def test_user(self) -> None:
        """A user sees his own copy and a plain sentence, nothing more."""
        seen = for_user(trace(), "U@home.example")
        (own,) = seen["recipients"]
        self.assertEqual(sentence("spam"), own["reason"])
        for hidden in "PILLS", "7.5", "v@home.example", "192.0.2.1", "uid:root":
            self.assertNotIn(hidden, repr(seen))

    def test_stranger(self) -> None:
        """Somebody else's message has no recipients to show."""
        self.assertEqual([], for_user(trace(), "w@home.example")["recipients"])

    def test_sender(self) -> None:
        """The sender learns the id and no reason."""
        self.assertIn("abc", for_sender("abc"))
        self.assertNotIn("spam", for_sender("abc").lower())

    def test_unknown_category(self) -> None:
        """A category of tomorrow has a sentence too."""
        self.assertTrue(sentence("novelty").endswith("."))
