"""Mail that is forwarded to the world: a real Postfix takes it, or does not."""

import re
from smtplib import SMTP

import dkim
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.specimen import test_virus
from tests.system.house import ONWARD, House
from tests.system.peers import Postfix

ANN, BOB, FAR = "ann@example.test", "bob@example.test", "user@far.test"
STRANGER = "alice@sender.test"
LETTER = f"From: <{STRANGER}>\r\nTo: <{ANN}>\r\nSubject: Hello\r\n\r\nHi.\r\n".encode()
_PATH = re.compile(rb"^Return-Path: <(.*)>", re.MULTILINE)


class ForwardsTests(SynchronousTestCase):
    """Ann reads her mail elsewhere."""

    def setUp(self) -> None:
        """One server behind us takes it for user@far.test, and for nobody else."""
        self.last = Postfix()
        self.addCleanup(self.last.remove)
        self.last.start()
        house = House((ANN, BOB), ONWARD.format(port=self.last.port))
        self.house = house
        self.addCleanup(house.remove)
        house.start()

    def key(self, name: bytes, timeout: float = 5) -> bytes:
        """A DNS that has our keys."""
        keys = self.house.ctl("dkim", "show", "example.test")["keys"]
        record: str = {key["name"]: key["record"] for key in keys}[name.decode()[:-1]]
        return record.encode()

    def arrived(self, count: int = 1) -> list[bytes]:
        """What is in the mailbox elsewhere, once there is so much."""
        self.house.until(lambda: len(self.last.messages()) >= count)
        return self.last.messages()

    def test_forwarded(self) -> None:
        """It arrives under a sender of ours; an answer to that finds the way back."""
        self.house.ctl("forward", "add", ANN, FAR, "--keep")
        self.assertEqual(250, self.house.send(LETTER, (ANN,), STRANGER)[0])
        (found,) = self.arrived()
        path = self.assert_forwarded(found)
        self.house.until(lambda: len(self.house.mailbox(ANN)) == 1)
        # A bounce: Postfix does not know whom it goes on to, and says so.
        bounce = b"From: <>\r\nSubject: Undelivered\r\n\r\nNo.\r\n"
        with SMTP("127.0.0.1", self.house.port) as client:
            client.ehlo("mail.far.test")
            client.mail("")
            code, text = client.rcpt(path.decode())
            self.assertEqual(250, code, text)
            self.assertEqual(250, client.data(bounce)[0])
        self.house.until(lambda: f"to=<{STRANGER}>" in self.last.said())
        self.assertIn(f"from=<> to=<{STRANGER}>", self.last.said())

    def assert_forwarded(self, found: bytes) -> bytes:
        """It says what a forward has to say; the sender under which it came."""
        (path,) = _PATH.findall(found)
        self.assertRegex(path, rb"^SRS0=.*=sender\.test=alice@example\.test$")
        self.assertEqual(1, found.count(f"\r\nDelivered-To: {ANN}\r\n".encode()))
        self.assertTrue(found.endswith(LETTER), found)
        # RFC 8617: what we found of the sender is sealed for them.
        said, _, reason = dkim.ARC(found[found.index(b"ARC-Seal:") :]).verify(self.key)
        self.assertEqual(b"pass", said, reason)
        self.assertIn(b"ARC-Authentication-Results: i=1; mx.example.test;", found)
        return bytes(path)

    def test_refused(self) -> None:
        """What nobody takes is held for its owner, and no stranger hears of it."""
        self.house.ctl("forward", "add", ANN, "nobody@far.test")
        for sender in (STRANGER, ""):
            self.assertEqual(250, self.house.send(LETTER, (ANN,), sender)[0])
        self.house.until(lambda: len(self.house.held()) == 2)
        self.house.until(lambda: self.house.ctl("status")["queue"] == 0)
        found = self.house.ctl("quarantine", "list", "--domain", "example.test")
        self.assertEqual(
            [("nobody@far.test", "undeliverable")] * 2,
            [(item["recipient"], item["class"]) for item in found["items"]],
        )
        self.assertEqual([], self.house.mailbox(ANN))

    def test_only_clean(self) -> None:
        """What is held here goes nowhere."""
        self.house.ctl("forward", "add", ANN, FAR)
        self.assertEqual(
            250, self.house.send(LETTER + test_virus(), (ANN,), STRANGER)[0]
        )
        self.house.until(lambda: len(self.house.held()) == 1)
        self.assertEqual(250, self.house.send(LETTER, (ANN,), STRANGER)[0])
        self.assertEqual(1, len(self.arrived()))

    def test_released(self) -> None:
        """What is let go leaves as if it had never been held."""
        self.house.ctl("forward", "add", ANN, FAR)
        rule = ("--from", STRANGER, "--action", "quarantine")
        self.house.ctl("policy", "add", "wait", *rule)
        self.assertEqual(250, self.house.send(LETTER, (ANN,), STRANGER)[0])
        # Its file is there before the ledger says so.
        self.house.until(lambda: self.house.ctl("status")["held"] == 1)
        (item,) = self.house.ctl("quarantine", "list")["items"]
        self.house.ctl("quarantine", "release", item["id"])
        (found,) = self.arrived()
        self.assert_forwarded(found)
        for name in b"x-smfd", b"x-spam":
            self.assertNotIn(name, found.lower())

    def test_loop(self) -> None:
        """Two who forward to each other across servers have it once."""
        self.house.ctl("forward", "add", ANN, FAR)
        self.assertEqual(250, self.house.send(LETTER, (ANN,), STRANGER)[0])
        (found,) = self.arrived()
        sent = found[found.index(b"Delivered-To: ann") :]
        code, text = self.house.send(sent, (ANN,), STRANGER)
        self.assertEqual((554, True), (code, "5.4.6" in text))
