"""Tests for L{smfd.model.grammar}."""

from twisted.trial.unittest import SynchronousTestCase

from smfd.model.grammar import counted


class CountedTests(SynchronousTestCase):
    """A number, and the word in its number."""

    def test_counted(self) -> None:
        """One is one; others get the ending that their word has."""
        for number, word, said in (
            (1, "recipient", "1 recipient"),
            (0, "recipient", "0 recipients"),
            (2, "address", "2 addresses"),
            (3, "try", "3 tries"),
            (4, "key", "4 keys"),
        ):
            self.assertEqual(said, counted(number, word))
