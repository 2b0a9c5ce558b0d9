"""Ten thousand guesses: refused at RCPT, and nothing is ever sent back (R53)."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import PATIENCE, House
from tests.system.talk import Talk
from tests.system.test_load import DOOR
from tests.system.test_road import plain

GUESSES = 10_000
BEGIN = b"EHLO mail.sender.test\r\nMAIL FROM:<alice@sender.test>\r\n"


def guesses(first: int, count: int) -> bytes:
    """RCPT for people who are not here."""
    return b"".join(
        b"RCPT TO:<guess%d@example.test>\r\n" % n for n in range(first, first + count)
    )


class HarvestTests(SynchronousTestCase):
    """Unknown recipients by the thousand."""

    def serve(self) -> House:
        """A house."""
        house = House(settings=DOOR)
        self.addCleanup(house.remove)
        house.start()
        return house

    def nothing_is_due(self, house: House) -> None:
        """No bounce waits, and nothing is held or lies anywhere."""
        status = house.ctl("status")
        self.assertEqual((0, 0), (status["queue"], status["held"]))
        self.assertEqual([], house.mailbox() + house.held())

    def test_ten_thousand(self) -> None:
        """Each is refused before a 250, from a source that has no limits."""
        each, house = 100, self.serve()
        codes: list[bytes] = []
        for first in range(0, GUESSES, each):
            with Talk(house.port, hello=False) as talk:
                talk.send(BEGIN + guesses(first, each))
                talk.replies_of(2)
                codes += [said[:9] for said in talk.replies_of(each)]
        self.assertEqual({b"550 5.1.1"}, set(codes))
        self.assertEqual(GUESSES, len(codes))
        self.nothing_is_due(house)
        self.assertEqual(250, house.send(plain(b"after"))[0])
        # A few stand for all of them, in the records and in the log.
        log = (house.home / "log" / "mail.log").read_text()
        self.assertLess(log.count("550 5.1.1"), 100)
        found = house.ctl(*("trace", "search", "--sender", "alice@sender.test"))
        self.assertGreater(len(found["items"]), 5)

    def test_limited(self) -> None:
        """As preset he is hung up on after a few dozen; others are served."""
        house = self.serve()
        text = house.config.read_text()
        house.stop()
        exempt = '[mx]\nexempt = ["127.0.0.1/32"]\n'
        house.config.write_text(text.replace("[mx]\n", exempt, 1))
        house.start()
        refused = tried = 0
        while tried < GUESSES:
            replies = self.guess(house, tried)
            if not replies:
                break
            tried += 5
            refused += sum(said.startswith(b"550 5.1.1") for said in replies)
        self.assertTrue(40 <= refused <= 60, refused)
        self.nothing_is_due(house)
        self.assertEqual(250, house.send(plain(b"other"))[0])

    def guess(self, house: House, first: int) -> list[bytes]:
        """Five guesses from one address, a new connection each; none when barred."""
        with socket.socket() as one:
            one.settimeout(PATIENCE)
            one.bind(("127.0.7.7", 0))
            one.connect(("127.0.0.1", house.port))
            talk = Talk.over(one, hello=False)
            if not talk.greeting.startswith(b"220"):
                self.assertIn(b"unknown recipients from your address", talk.greeting)
                return []
            talk.send(BEGIN + guesses(first, 5) + b"QUIT\r\n")
            return talk.replies()
