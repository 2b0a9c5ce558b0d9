"""Tests for L{smfd.policy.dmarc_answer}."""

from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.dmarc_answer import Seen, dmarc_answer

OURS, THEIRS = "192.0.2.25", "198.51.100.7"


def said(*seen: Seen) -> str:
    """The answer about these."""
    return " ".join(dmarc_answer("a.example", seen))


class AnswerTests(SynchronousTestCase):
    """What reports mean."""

    def test_none(self) -> None:
        """Where no reports come, the record wants an address."""
        self.assertIn("rua", said())

    def test_well(self) -> None:
        """Where all is well, only the share is told."""
        text = said(Seen(OURS, True, 200, 199, 199, 150))
        self.assertEqual("Of 200 messages in the name of a.example 99.5% passed.", text)

    def test_own(self) -> None:
        """What we sent ourselves and nobody could prove is ours to mend."""
        text = said(Seen(OURS, True, 200, 150, 150, 20))
        self.assertIn(f"{OURS} sent 50 messages that did not pass", text)
        text = said(Seen(OURS, True, 200, 200, 20, 200))
        self.assertIn("passes by SPF alone", text)

    def test_others(self) -> None:
        """Others who pass are told apart from those who do not."""
        text = said(Seen(OURS, True, 9, 9, 9, 9), Seen(THEIRS, False, 40, 30, 30, 0))
        self.assertIn(f"1 address, most of it from {THEIRS}", text)
        self.assertIn("10 messages from elsewhere did not pass", text)
        text = said(Seen(THEIRS, False, 9, 0, 0, 0), Seen("", False, 9, 0, 0, 0))
        self.assertIn("18 messages from elsewhere", text)
        self.assertNotIn("Others send", text)
