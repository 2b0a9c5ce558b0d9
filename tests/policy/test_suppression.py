"""Tests for L{smfd.policy.suppression}."""

from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.causes import cause
from smfd.policy.suppression import again, is_hard
from smfd.proto.reply import Reply, reply

NOW = 1_800_000_000.0
DAY = 86_400.0
CLEAR = reply(550, "5.1.1", "User unknown")
WORDS = reply(550, "", "No such user here")


class HardTests(SynchronousTestCase):
    """Which refusals say that an address does not exist."""

    def hard(self, answer: Reply, recipient: str = "ann@example.net") -> bool:
        """Whether this one does."""
        return is_hard(cause(answer), recipient)

    def test_kinds(self) -> None:
        """An unknown user is; a full mailbox, a rule, a listing is not."""
        self.assertTrue(self.hard(CLEAR))
        self.assertTrue(self.hard(WORDS))
        for answer in (
            reply(450, "4.1.1", "User unknown"),
            reply(552, "5.2.2", "Mailbox full"),
            reply(550, "5.1.1", "rejected: blocked using zen.spamhaus.org"),
            reply(550, "5.7.1", "Access denied"),
        ):
            self.assertFalse(self.hard(answer), answer)

    def test_roles(self) -> None:
        """Who looks after a domain is always written to (RFC 2142)."""
        for name in ("postmaster", "Abuse", "hostmaster", "security"):
            self.assertFalse(self.hard(CLEAR, f"{name}@example.net"), name)


class AgainTests(SynchronousTestCase):
    """How long a word is believed."""

    def test_clear(self) -> None:
        """5.1.1 is believed for a day, and a month when it is said again."""
        once = again(None, CLEAR, "no", NOW)
        self.assertEqual((1, NOW + DAY), (once.times, once.ends))
        twice = again(once, CLEAR, "no", NOW + 2 * DAY)
        self.assertEqual((2, NOW + 32 * DAY), (twice.times, twice.ends))

    def test_words(self) -> None:
        """Mere words are believed when they are said twice in a month."""
        once = again(None, WORDS, "no", NOW)
        self.assertLess(once.ends, NOW)
        self.assertGreater(again(once, WORDS, "no", NOW + DAY).ends, NOW + 30 * DAY)
        late = again(once, WORDS, "no", NOW + 31 * DAY)
        self.assertEqual((1, 0.0), (late.times, late.ends))

    def test_at_once(self) -> None:
        """A hundred refusals within the hour are one: their server may be ill."""
        once = again(None, WORDS, "no", NOW)
        self.assertIs(once, again(once, WORDS, "no", NOW + 3599))

    def test_back(self) -> None:
        """A clock that was set back makes a first word of it, and no second."""
        once = again(None, CLEAR, "no", NOW)
        back = again(once, CLEAR, "no", NOW - 60)
        self.assertEqual((1, NOW - 60 + DAY), (back.times, back.ends))
