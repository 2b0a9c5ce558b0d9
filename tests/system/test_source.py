"""The source is judged before it brings mail: a daemon, real clients, a real DNS."""

import socket
import time
from smtplib import SMTP
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.dns_stub import NameServer
from tests.system.house import PATIENCE, House, id_of

reactor: Any = installed

#: Who comes: each from an address of its own.
GOOD, LISTED, SCORED, UNNAMED = (f"127.0.1.{n}" for n in range(1, 5))

LETTER = b"From: alice@sender.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"

ZONE: dict[str, Any] = {
    "1.1.0.127.in-addr.arpa": {"PTR": ["mail.sender.test"]},
    "mail.sender.test": {"A": [GOOD]},
    "sender.test": {"MX": ["10 mail.sender.test"], "TXT": ["v=spf1 +all"]},
    "null.test": {"MX": ["0 ."]},
    "mx.example.test": {"A": ["127.0.9.9"]},
    "2.1.0.127.bl.test": {"A": ["127.0.0.2"], "TXT": ["you know why"]},
    "3.1.0.127.grey.test": {"A": ["127.0.0.3"]},
}

SETTINGS = """
[source]
exempt = []
budget = 2.0
[source.early]
delay = 0.4
[[source.list]]
zone = "bl.test"
tier = 1
[[source.list]]
zone = "grey.test"
score = 1.5
"""


class SourceTestCase(TestCase):
    """A name server of ours, and a house that asks it."""

    zone = ZONE
    settings = SETTINGS

    def setUp(self) -> "Deferred[None]":  # type: ignore[override]
        """Start both."""
        self.server = NameServer(self.zone)
        self.server.start(reactor)
        self.addCleanup(self.server.stop)
        dns = f'[dns]\nservers = ["127.0.0.1:{self.server.port}"]\n'
        dns += "timeout = 0.5\nlifetime = 1.0\n"

        def start() -> None:
            self.house = House(settings=dns + self.settings)
            self.addCleanup(deferToThread, self.house.remove)
            self.house.start()

        return deferToThread(start)

    def come(
        self,
        client: str,
        helo: str = "mail.sender.test",
        sender: str = "alice@sender.test",
    ) -> tuple[int, str]:
        """A whole message from an address; the last reply."""
        with SMTP(
            "127.0.0.1", self.house.port, timeout=PATIENCE, source_address=(client, 0)
        ) as smtp:
            smtp.ehlo(helo)
            smtp.mail(sender)
            code, text = smtp.rcpt("user@example.test")
            if code == 250:
                code, text = smtp.data(LETTER)
            return code, text.decode()

    def shown(self, text: str) -> dict[str, Any]:
        """The record that a reply names."""
        record: dict[str, Any] = self.house.ctl("trace", "show", id_of(text))["record"]
        return record

    def found(self, text: str) -> dict[str, float | None]:
        """What its record says of the source."""
        findings = self.shown(text)["findings"]
        return {f["symbol"]: f["score"] for f in findings if f["stage"] == "source"}


class JudgedTests(SourceTestCase):
    """Every kind of source, one after the other."""

    def test_sources(self) -> "Deferred[None]":
        """Good ones come in, bad ones are refused, and all are found again."""
        return deferToThread(self._sources)

    def _sources(self) -> None:
        code, text = self.come(GOOD)
        self.assertEqual((250, {"RDNS_PASS": 0.0}), (code, self.found(text)))

        code, text = self.come(LISTED)
        self.assertEqual(550, code)
        self.assertIn("bl.test lists 127.0.1.2", text)
        self.assertIn("LIST_BL_TEST", self.found(text))
        for wanted in (("--client", LISTED), ("--sender", "alice@sender.test")):
            page = self.house.until(lambda w=wanted: self._search(id_of(text), *w))
            self.assertEqual("refused", page["verdict"])

        code, text = self.come(SCORED)
        self.assertEqual((250, 1.5), (code, self.found(text)["LIST_GREY_TEST"]))

        code, text = self.come(UNNAMED, helo="mx.example.test")
        self.assertEqual(550, code)
        self.assertIn("our own name", text)
        code, text = self.come(UNNAMED, helo="[127.0.9.9]")
        self.assertEqual(550, code)
        code, text = self.come(UNNAMED, sender="x@null.test")
        self.assertEqual((550, "5.7.27"), (code, text.split()[0]))
        code, text = self.come(UNNAMED, helo="[127.0.1.4]")
        self.assertEqual((250, 0.0), (code, self.found(text)["RDNS_NONE"]))
        self._asked()

    def _search(self, name: str, *words: str) -> Any:
        items = self.house.ctl("trace", "search", *words)["items"]
        return next((item for item in items if item["id"] == name), None)

    def _asked(self) -> None:
        """C{smfdctl source}: shown, kept over a restart, forgotten."""
        before = self.house.ctl("source", "show", UNNAMED)
        self.assertEqual("127.0.1.0/24", before["network"])
        self.assertGreater(before["history"]["refusals"], 2.9)
        self.assertGreater(before["history"]["good"], 0.9)
        listed = self.house.ctl("source", "show", LISTED)["findings"]
        self.assertIn(
            ("LIST_BL_TEST", True), [(f["symbol"], f["refuses"]) for f in listed]
        )
        self.house.stop()
        self.house.start()
        again = self.house.ctl("source", "show", UNNAMED)
        self.assertGreater(again["history"]["refusals"], 2.8)
        self.assertEqual(2, self.house.ctl("source", "forget", UNNAMED)["forgotten"])
        self.assertEqual(
            0, self.house.ctl("source", "show", UNNAMED)["history"]["points"]
        )
        self.house.ctl("source", "show", "a.example", code=1)

    def test_early(self) -> "Deferred[None]":
        """Who speaks before the greeting is heard, and has points for it."""
        return deferToThread(self._early)

    def _early(self) -> None:
        with socket.create_connection(
            ("127.0.0.1", self.house.port), PATIENCE, (UNNAMED, 0)
        ) as client:
            client.sendall(
                b"EHLO mail.sender.test\r\nMAIL FROM:<alice@sender.test>\r\n"
                b"RCPT TO:<user@example.test>\r\nDATA\r\n"
            )
            answers = client.makefile("rb")
            while not answers.readline().startswith(b"354"):
                pass
            client.sendall(LETTER + b".\r\n")
            text = answers.readline().decode()
        self.assertEqual("250", text[:3])
        self.assertEqual(2.0, self.found(text)["EARLY_GREETING"])


class DeadTests(SourceTestCase):
    """R27: the name server is there, and says nothing."""

    zone = {}
    settings = SETTINGS + "".join(
        f'[source.{name}]\nmode = "enforce"\naction = "refuse"\n'
        for name in ("reverse_dns", "hello", "sender_domain")
    )

    def test_silent(self) -> "Deferred[None]":
        """Good mail comes in all the same, and nobody hangs."""
        names = ("1.1.0.127.in-addr.arpa", "sender.test", "mail.sender.test")
        lists = ("1.1.0.127.bl.test", "1.1.0.127.grey.test")
        for name in (*names, *lists):
            self.server.zone[name] = "silent"
        return deferToThread(self._silent)

    def _silent(self) -> None:
        for _ in range(3):
            begun = time.monotonic()
            code, text = self.come(GOOD)
            self.assertEqual(250, code, text)
            # The budget is two seconds, the stages behind have theirs.
            self.assertLess(time.monotonic() - begun, 20)
        self.assertIn("RDNS_ERROR", self.found(text))
