"""The first road, end to end: a real daemon, real sockets, real files."""

import atexit
import hashlib
import random
from functools import cache
from smtplib import SMTP

from twisted.trial.unittest import SynchronousTestCase

from smfd.content.specimen import test_virus as eicar
from tests.system.house import House, id_of

ANN, BOB, CAT = "ann@example.test", "bob@example.test", "cat@example.test"

#: Answers without any DNS: the sender's domain proves its mail by SPF.
OFFLINE = """
[dns]
offline = true
[[dns.record]]
name = "sender.test"
type = "TXT"
value = "v=spf1 ip4:127.0.0.0/8 -all"
"""

PLAIN = (
    b"From: Alice <alice@sender.test>\r\nTo: user@example.test\r\n"
    b"Subject: lunch on %s\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
    b"Message-ID: <%s@sender.test>\r\n\r\nSee you at noon, Alice\r\n"
)

#: The test string that every spam filter knows, in two pieces.
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*" + b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def plain(word: bytes = b"Friday") -> bytes:
    """A letter nobody minds."""
    return PLAIN % (word, word)


@cache
def running() -> House:
    """A daemon for all tests that only send and look; it ends with us."""
    house = House(("user@example.test", ANN, BOB, CAT), OFFLINE)
    atexit.register(house.remove)
    house.start()
    return house


class RoadTests(SynchronousTestCase):
    """What a postmaster sees of a message's way."""

    def setUp(self) -> None:
        """One daemon for all of them."""
        self.house = running()

    def record(self, reply: str) -> dict[str, object]:
        """The decision record that a reply names."""
        found: dict[str, object] = self.house.ctl("trace", "show", id_of(reply))
        return found

    def delivered(self, word: bytes, user: str = "user@example.test") -> bytes:
        """The one message in a mailbox that has a word in it, once it is there."""
        found = self.house.until(
            lambda: [m for m in self.house.mailbox(user) if word in m]
        )
        self.assertEqual(1, len(found))
        return bytes(found[0])

    def test_clean(self) -> None:
        """A clean message lands in the mailbox, our fields on top, no byte lost."""
        code, text = self.house.send(plain(b"Monday"))
        self.assertEqual(250, code, text)
        message = self.delivered(b"Monday")
        top, _, rest = message.partition(b"From: Alice")
        self.assertEqual(plain(b"Monday"), b"From: Alice" + rest)
        for field in (b"Return-Path: <alice@sender.test>", b"Delivered-To: user@"):
            self.assertIn(field, top)
        self.assertIn(b"Authentication-Results: mx.example.test", top)
        self.assertIn(b"spf=pass", top)
        self.assertIn(f"id {id_of(text)}".encode(), top)
        self.assertIn(b"X-Spam-Status: No, clean", top)

    def test_record(self) -> None:
        """The record says who, what, how it was judged, and where it is."""
        _, text = self.house.send(plain(b"Tuesday"))
        self.delivered(b"Tuesday")
        found = self.record(text)
        record = found["record"]
        assert isinstance(record, dict)
        self.assertEqual("clean", record["verdict"])
        self.assertEqual("lunch on Tuesday", record["subject"])
        self.assertEqual("127.0.0.1", record["client"])
        stages = [finding["stage"] for finding in record["findings"]]
        order = ["virus", "spf", "dkim", "dmarc", "content"]
        self.assertEqual(order, [s for s in dict.fromkeys(stages) if s in order])

        def fate() -> object:
            (recipient,) = self.house.ctl("trace", "show", id_of(text))["recipients"]
            return recipient if recipient["state"] == "delivered" else None

        settled = self.house.until(fate)
        self.assertIn("mail/example.test/user/new/", settled["detail"])

    def test_virus(self) -> None:
        """An infected message is taken, and held away from everybody."""
        before = len(self.house.held())
        code, text = self.house.send(
            plain(b"virus") + eicar() + b"\r\n", (ANN, BOB, CAT)
        )
        self.assertEqual(250, code)
        self.house.until(lambda: len(self.house.held()) > before)
        record = self.record(text)["record"]
        assert isinstance(record, dict)
        self.assertEqual("virus", record["verdict"])
        # S4: nothing else was looked at.
        self.assertEqual({"virus"}, {f["stage"] for f in record["findings"]})
        self.assertNotIn(b"lunch on virus", b"".join(self.house.mailbox(ANN)))

    def test_spam(self) -> None:
        """Spam waits in the quarantine, and a release brings it to the mailbox."""
        code, text = self.house.send(plain(b"spam") + GTUBE + b"\r\n")
        self.assertEqual(250, code)
        held = self.house.until(
            lambda: self.house.ctl(
                "quarantine", "list", "--search", "spam", "--class", "spam"
            )["items"]
        )
        item = held[0]
        self.assertEqual("user@example.test", item["recipient"])
        self.assertEqual("lunch on spam", item["subject"])
        self.assertGreaterEqual(item["score"], 5.0)
        self.house.ctl("quarantine", "release", item["id"])
        self.assertIn(GTUBE, self.delivered(b"lunch on spam"))
        # Once is enough, whoever clicks again.
        self.house.ctl("quarantine", "release", item["id"], code=1)

    def test_virus_is_not_released(self) -> None:
        """Nobody gets a virus out by asking."""
        self.house.send(plain(b"caught") + eicar() + b"\r\n")
        items = self.house.until(
            lambda: self.house.ctl("quarantine", "list", "--search", "caught")["items"]
        )
        self.house.ctl("quarantine", "release", items[0]["id"], code=1)
        self.house.ctl("quarantine", "delete", items[0]["id"])
        left = self.house.ctl("quarantine", "list", "--search", "caught")["items"]
        self.assertEqual([], left)

    def test_three_places(self) -> None:
        """One allows the sender, one blocks him, one is neutral (S6 to S8)."""
        self.house.ctl("list", "add", "--scope", ANN, "--allow", "alice@sender.test")
        self.house.ctl("list", "add", "--scope", BOB, "--block", "sender.test")
        code, text = self.house.send(plain(b"three") + GTUBE + b"\r\n", (ANN, BOB, CAT))
        self.assertEqual(250, code)
        self.delivered(b"lunch on three", ANN)
        found = self.house.until(
            lambda: {
                item["recipient"]: item["class"]
                for item in self.house.ctl("quarantine", "list", "--search", "three")[
                    "items"
                ]
            }
        )
        self.assertEqual({BOB: "blocked", CAT: "spam"}, found)
        record = self.record(text)["record"]
        assert isinstance(record, dict)
        self.assertEqual("mixed", record["verdict"])
        for entry in self.house.ctl("list", "list")["items"]:
            self.house.ctl("list", "remove", entry["id"])

    def test_hosted_sender(self) -> None:
        """One of us does not come in from outside (S13)."""
        forged = plain(b"forged").replace(b"alice@sender.test", b"boss@example.test")
        _, text = self.house.send(forged, sender="boss@example.test")
        self.house.until(
            lambda: self.house.ctl("quarantine", "list", "--search", "forged")["items"]
        )
        symbols = str(self.record(text))
        self.assertIn("HOSTED_SENDER", symbols)

    def test_unknown(self) -> None:
        """A mailbox that is not here is refused at RCPT, and can be found."""
        with SMTP("127.0.0.1", self.house.port) as client:
            client.ehlo("mail.sender.test")
            client.mail("alice@sender.test")
            code, text = client.rcpt("nobody@example.test")
            self.assertEqual(550, code)
            self.assertTrue(text.startswith(b"5.1.1"), text)
            refused = id_of(text.decode())
            code, text = client.rcpt("someone@elsewhere.test")
            self.assertEqual(550, code)
            self.assertTrue(text.startswith(b"5.7.1"), text)
        found = self.house.ctl("trace", "show", refused)
        self.assertEqual("refused", found["record"]["verdict"])
        items = self.house.ctl("trace", "search", "--recipient", "nobody@example.test")
        self.assertIn(refused, [item["id"] for item in items["items"]])

    def test_bare_line_ends(self) -> None:
        """A message refused for its octets can be found by the id in the reply."""
        with SMTP("127.0.0.1", self.house.port) as client:
            client.ehlo("mail.sender.test")
            client.mail("alice@sender.test")
            client.rcpt(ANN)
            client.putcmd("data")
            client.getreply()
            client.send(plain(b"bare") + b"\n\r\n.\r\n")
            code, text = client.getreply()
            self.assertEqual(550, code)
            code, size = client.docmd("MAIL", "FROM:<alice@sender.test> SIZE=99999999")
            self.assertEqual(552, code)
        found = self.house.ctl("trace", "show", id_of(text.decode()))["record"]
        self.assertEqual([ANN], found["recipients"])
        self.assertIn("Bare CR or bare LF", found["reply"])
        found = self.house.ctl("trace", "show", id_of(size.decode()))["record"]
        self.assertEqual("alice@sender.test", found["sender"])

    def test_forged_fields(self) -> None:
        """Fields only we may write are taken out; all others stay (R59)."""
        forged = (
            b"Authentication-Results: mx.example.test; spf=pass\r\n"
            b"X-Spam-Status: No, trust me\r\nReturn-Path: <boss@example.test>\r\n"
            b"Authentication-Results: other.test; dkim=pass\r\n"
            b"X-Other: kept\r\n"
        )
        self.house.send(forged + plain(b"Wednesday"))
        message = self.delivered(b"Wednesday")
        self.assertEqual(1, message.count(b"Return-Path:"))
        self.assertEqual(1, message.count(b"X-Spam-Status:"))
        self.assertNotIn(b"trust me", message)
        self.assertIn(
            b"Authentication-Results: other.test; dkim=pass\r\nX-Other: kept\r\n"
            + plain(b"Wednesday"),
            message,
        )

    def test_large(self) -> None:
        """A large message goes through the spool, whole, and leaves it."""
        draw = random.Random(1)
        body = b"".join(
            draw.randbytes(36).hex().encode() + b"\r\n" for _ in range(30_000)
        )
        self.house.send(plain(b"Thursday") + body)
        message = self.delivered(b"lunch on Thursday")
        self.assertEqual(
            hashlib.sha256(plain(b"Thursday") + body).hexdigest(),
            hashlib.sha256(message[message.index(b"From: Alice") :]).hexdigest(),
        )
        spool = self.house.home / "spool"
        self.house.until(lambda: not [p for p in spool.rglob("*") if p.is_file()])

    def test_accounts(self) -> None:
        """A mailbox made while we run takes mail at once; a removed one does not."""
        self.house.ctl("user", "add", "new@example.test")
        code, _ = self.house.send(plain(b"Saturday"), ("new@example.test",))
        self.assertEqual(250, code)
        self.delivered(b"Saturday", "new@example.test")
        self.house.ctl("user", "remove", "new@example.test")
        code, _ = self.house.send(plain(b"Sunday"), ("new@example.test",))
        self.assertEqual(503, code)

    def test_status(self) -> None:
        """Status says that no antivirus is installed."""
        status = self.house.ctl("status")
        self.assertEqual("builtin", status["virus_engine"])
        self.assertIn("No antivirus is installed", " ".join(status["warnings"]))

    def test_modes(self) -> None:
        """Nothing in the home is for everybody's eyes (R122)."""
        self.house.send(plain(b"secret"))
        self.delivered(b"lunch on secret")
        self.house.ctl("trace", "search")
        for path in self.house.home.rglob("*"):
            self.assertFalse(path.lstat().st_mode & 0o007, path)

    def test_no_traceback(self) -> None:
        """Nothing of all this was a fault of ours."""
        self.assertNotIn("Traceback", self.house.log.read_text(errors="replace"))


class RestartTests(SynchronousTestCase):
    """What is ours stays ours."""

    def test_killed_and_started(self) -> None:
        """After kill -9 everything acknowledged is there, once."""
        house = House(settings=OFFLINE)
        self.addCleanup(house.remove)
        house.start()
        for number in range(30):
            house.send(plain(b"number-%d" % number))
        house.kill()
        house.start()
        house.until(lambda: len(house.mailbox()) >= 30)
        house.stop()
        self.assertEqual(30, len(house.mailbox()))
        self.assertEqual(
            30, len({m.partition(b"Subject:")[2][:40] for m in house.mailbox()})
        )

    def test_second_instance(self) -> None:
        """A second daemon on the same home does not start, and says why."""
        house = House(settings=OFFLINE)
        self.addCleanup(house.remove)
        house.start()
        other = House(settings=OFFLINE)
        self.addCleanup(other.remove)
        other.home, other.config = house.home, house.home / "other.toml"
        text = house.config.read_text()
        for port in 25, 465, 587:
            text = text.replace(str(house.base + port), str(other.base + port))
        other.config.write_text(text)
        with self.assertRaises(RuntimeError) as caught:
            other.start()
        self.assertIn("another smfd serves", str(caught.exception))
        self.assertNotIn("Traceback", str(caught.exception))
        self.assertEqual(250, house.send(plain())[0])
