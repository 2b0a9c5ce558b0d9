"""Senders are told what a real Postfix refused: once, however often we die."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from tests.system.house import id_of
from tests.system.test_world import ANN, OTHERS, USER, WorldCase

NOBODY, NULL = "nobody@far.test", "u@null.none.test"

_ABOUT = re.compile(rb"Number: +([0-9a-z]{16})")


class ReportTests(WorldCase):
    """From the refusal to the mailbox of the sender (R11, R54)."""

    others = OTHERS + "dead A 127.0.0.77\n"
    more = "[bounce]\ngather = 0.5\n[queue]\nwarning_hours = 4\n"

    def hand_in(self, *recipients: str, notify: str = "FAILURE,DELAY") -> str:
        """Ann writes; the id of her message."""
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = ANN, "you: ;", "Hello"
        letter.set_content("Hello.")
        with self.house.login(ANN) as client:
            client.mail(ANN, ["RET=HDRS", "ENVID=QQ314"])
            for recipient in recipients:
                asked = [f"NOTIFY={notify}", f"ORCPT=rfc822;{recipient}"]
                self.assertEqual(250, client.rcpt(recipient, asked)[0])
            code, text = client.data(letter.as_bytes(policy=SMTP))
        self.assertEqual(250, code, text)
        return id_of(text.decode())

    def reports(self) -> dict[str, list[bytes]]:
        """What Ann was told, by the message that it is about."""
        found: dict[str, list[bytes]] = {}
        for message in self.house.mailbox(ANN):
            if b"multipart/report" not in message:
                continue
            about = _ABOUT.search(message)
            assert about is not None, message
            found.setdefault(about[1].decode(), []).append(message)
        return found

    def test_told(self) -> None:
        """One report names all who were refused and nobody else, with the words."""
        entry = self.hand_in(USER, NOBODY, NULL)
        self.house.until(self.reports)
        ((about, (report,)),) = self.reports().items()
        self.assertEqual(entry, about)
        made = message_from_bytes(report)
        self.assertEqual("<>", made["return-path"])
        (part,) = [
            part
            for part in made.walk()
            if part.get_content_type() == "message/delivery-status"
        ]
        groups: Any = part.get_payload()
        general, *each = groups
        self.assertEqual("QQ314", general["original-envelope-id"])
        self.assertEqual(
            [
                (f"rfc822; {NOBODY}", f"rfc822; {NOBODY}", "failed", "5.1.1"),
                (f"rfc822; {NULL}", f"rfc822; {NULL}", "failed", "5.1.10"),
            ],
            [
                (g["original-recipient"], g["final-recipient"], g["action"],
                 g["status"])
                for g in each
            ],
        )  # fmt: skip
        self.assertEqual("dns; live.far.test", each[0]["remote-mta"])
        self.assertTrue(each[0]["diagnostic-code"].startswith("smtp; 550 "))
        self.assertNotIn(USER.encode(), report)
        # Nor is anything left of it but the record.
        self.house.until(lambda: self.house.ctl("status")["queue"] == 0)

    def test_arrived(self) -> None:
        """Who asks hears that it is in the mailbox, and once; who does not, nothing."""
        self.hand_in(ANN)
        entry = self.hand_in(ANN, notify="SUCCESS")
        self.house.until(lambda: len(self.house.mailbox(ANN)) == 3)
        ((about, (report,)),) = self.house.until(self.reports).items()
        self.assertEqual(entry, about)
        self.assertIn(b"\r\nAction: delivered\r\nStatus: 2.0.0\r\n", report)
        self.assertNotIn(b"Diagnostic-Code", report)
        self.house.until(lambda: self.house.ctl("status")["queue"] == 0)

    def test_killed(self) -> None:
        """Killed at any moment, each message that failed is reported once."""
        sent = []
        for turn in range(3):
            sent += [self.hand_in(f"nobody{turn}.{n}@far.test") for n in range(3)]
            if turn % 2:
                # From the refusal to the report it takes half a second and more.
                self.house.until(self.refused)
            self.house.kill()
            self.house.start()
        self.house.until(lambda: len(self.reports()) == len(sent))
        self.house.until(lambda: self.house.ctl("status")["queue"] == 0)
        found = self.reports()
        self.assertEqual(set(sent), set(found))
        self.assertEqual({1}, {len(reports) for reports in found.values()})

    def test_waits(self) -> None:
        """A message that waits is told of once, with its time; at last it failed."""
        entry = self.hand_in("u@dead.none.test")
        self.house.until(self.tried)
        self.restart("warning_hours = 4", "warning_hours = 0.0001")
        (warning,) = self.house.until(self.reports)[entry]
        # It is not told again.
        self.restart("", "lifetime_days = 0.00001\n")
        self.house.until(lambda: len(self.reports()[entry]) == 2)
        (failed,) = (r for r in self.reports()[entry] if r != warning)
        for report, words in (
            (warning, b"not delivered to one recipient yet"),
            (warning, b"\r\nAction: delayed\r\nStatus: 4.4.1\r\n"),
            (warning, b"\r\nWill-Retry-Until: "),
            (failed, b"is not tried again"),
            (failed, b"\r\nAction: failed\r\nStatus: "),
        ):
            self.assertIn(words, report)
        self.house.until(lambda: self.house.ctl("status")["queue"] == 0)

    def tried(self) -> bool:
        """Whether something was tried in vain, by our log."""
        log = self.house.home / "log" / "mail.log"
        return log.exists() and "status=deferred" in log.read_text()

    def restart(self, old: str, new: str) -> None:
        """With other settings."""
        self.house.stop()
        text = self.house.config.read_text()
        self.house.config.write_text(text.replace(old, new) if old else text + new)
        self.house.start()

    def refused(self) -> bool:
        """Whether Postfix refused something, by our log."""
        log = self.house.home / "log" / "mail.log"
        return log.exists() and "status=bounced" in log.read_text()
