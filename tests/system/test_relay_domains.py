"""Hosted domains whose mailboxes are at a real Postfix, or a real Dovecot."""

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import House, id_of
from tests.system.peers import Dovecot, Peer, Postfix
from tests.system.relayed import SETTINGS

MESSAGE = (
    b"From: alice@sender.test\r\nTo: user@far.test\r\nSubject: far\r\n"
    b"Message-ID: <1@sender.test>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n"
    b"X-Spam-Status: forged\r\nReturn-Path: <forged@sender.test>\r\n"
    b"\r\nbody\r\n.\r\n..\r\n.dot\r\nend\r\n"
)


class FarTestCase(SynchronousTestCase):
    """smfd before another mail server."""

    def begin(self, peer: Peer) -> House:
        """Start the other server, and ours."""
        self.addCleanup(peer.remove)
        peer.start()  # type: ignore[attr-defined]
        house = House((), SETTINGS)
        self.addCleanup(house.remove)
        house.start()
        return house

    def far(self, house: House, kind: str, hop: str, verify: str = "none") -> None:
        """The domain far.test is there."""
        words = ("domain", "add", "far.test", "--kind", kind, "--next-hop", hop)
        house.ctl(*words, "--verify", verify)


class PostfixTests(FarTestCase):
    """The next hop is Postfix."""

    def test_one(self) -> None:
        """Our lines are on top, forged ones are gone, final delivery is theirs."""
        postfix = Postfix()
        house = self.begin(postfix)
        self.far(house, "relay", f"smtp://127.0.0.1:{postfix.port}")
        self.assertEqual(250, house.send(MESSAGE, ["user@far.test"])[0])
        (message,) = house.until(postfix.messages)
        self.assertNotIn(b"forged", message)
        self.assertEqual(
            1, message.count(b"\r\nReturn-Path:") + message.startswith(b"Return-Path:")
        )
        self.assertIn(b"X-Spam-Status: No, clean", message)
        self.assertTrue(message.endswith(MESSAGE.partition(b"\r\n\r\n")[2]))

    def test_refused_after_all(self) -> None:
        """Whom Postfix does not know is told at the door, or held with its words."""
        postfix = Postfix()
        house = self.begin(postfix)
        hop = f"smtp://127.0.0.1:{postfix.port}"
        self.far(house, "relay", hop)
        code, text = house.send(MESSAGE, ["nobody@far.test"])
        self.assertEqual(250, code)
        (item,) = house.until(lambda: house.ctl("quarantine", "list")["items"])
        self.assertEqual("undeliverable", item["class"])
        self.assertIn("550 5.1.1", item["reason"])
        self.assertEqual([], postfix.messages("nobody"))
        story = house.ctl("trace", "show", id_of(text))
        self.assertIn("550 5.1.1", str(story))

    def test_down_for_a_while(self) -> None:
        """While Postfix is down mail waits; when it is back it arrives once."""
        postfix = Postfix()
        house = self.begin(postfix)
        self.far(house, "relay", f"smtp://127.0.0.1:{postfix.port}")
        postfix.stop()
        self.assertEqual(250, house.send(MESSAGE, ["user@far.test"])[0])
        house.until(lambda: b"not delivered yet" in house.log.read_bytes())
        house.kill()
        house.start()
        self.assertEqual(1, house.ctl("status")["queue"])
        postfix.start()
        house.until(postfix.messages)
        house.until(lambda: house.ctl("status")["queue"] == 0)
        self.assertEqual(1, len(postfix.messages()))

    def test_killed(self) -> None:
        """
        Killed while mail goes on: nothing is lost, and every copy is whole.

        What was on its way may be there twice: SMTP cannot ask.
        """
        postfix = Postfix()
        house = self.begin(postfix)
        self.far(house, "relay", f"smtp://127.0.0.1:{postfix.port}")
        sent = []
        for turn in range(3):
            for number in range(10):
                message = MESSAGE + b"end of %d-%d\r\n" % (turn, number)
                self.assertEqual(250, house.send(message, ["user@far.test"])[0])
                sent.append(message.partition(b"\r\n\r\n")[2])
            house.kill()
            house.start()
        house.until(lambda: house.ctl("status")["queue"] == 0)
        house.until(lambda: len(set(bodies(postfix))) >= len(sent))
        self.assertEqual(set(sent), set(bodies(postfix)))
        self.assertLessEqual(len(bodies(postfix)), len(sent) + 3 * 16)


def bodies(peer: Peer) -> list[bytes]:
    """What follows the headers of all that arrived."""
    return [message.partition(b"\r\n\r\n")[2] for message in peer.messages()]


class DovecotTests(FarTestCase):
    """The mailboxes are Dovecot's."""

    def test_both_ways(self) -> None:
        """By TCP and by its UNIX socket, to two people, one copy each."""
        dovecot = Dovecot()
        house = self.begin(dovecot)
        self.far(house, "lmtp", f"lmtp://127.0.0.1:{dovecot.port}")
        people = ["user@far.test", "ann@far.test"]
        self.assertEqual(250, house.send(MESSAGE, people)[0])
        for name in ("user", "ann"):
            (message,) = house.until(lambda name=name: dovecot.messages(name))
            self.assertNotIn(b"forged", message)
            self.assertTrue(message.endswith(MESSAGE.partition(b"\r\n\r\n")[2]))
        house.ctl(
            "domain", "set", "far.test", "--next-hop", f"lmtp:unix:{dovecot.socket}"
        )
        self.assertEqual(250, house.send(MESSAGE, people)[0])
        house.until(lambda: len(dovecot.messages()) == 2)

    def test_one_unknown(self) -> None:
        """Of two recipients Dovecot knows one: he has it, the other's is held."""
        dovecot = Dovecot()
        house = self.begin(dovecot)
        self.far(house, "lmtp", f"lmtp://127.0.0.1:{dovecot.port}")
        people = ["user@far.test", "nobody@far.test"]
        self.assertEqual(250, house.send(MESSAGE, people)[0])
        house.until(dovecot.messages)
        (item,) = house.until(lambda: house.ctl("quarantine", "list")["items"])
        self.assertEqual(
            ("undeliverable", "nobody@far.test"), (item["class"], item["recipient"])
        )
