"""What was held and is let go is as good as what was never held."""

from collections.abc import Mapping
from typing import Any

from smfd.model.dkim import SPARE
from tests.system.verifying import ANN, FAR, GOOD, VerifiedTestCase, verdicts

#: What she asks for.
MAIL = ("SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=QQ314")
RCPT = ("NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;User@far.test")
LETTER = (
    f"From: <{ANN}>\r\nTo: <{FAR}>\r\nSubject: Gr\u00fc\u00dfe aus K\u00f6ln\r\n"
    "Date: Sun, 22 Nov 2026 07:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n"
    "\r\n\u00dcber den Rhein.\r\n"
).encode()


class ReleasedTests(VerifiedTestCase):
    """Ann is held, and it was a mistake."""

    watched = True

    def is_published(self, key: Mapping[str, Any]) -> bool:
        """The keys of the day on which she writes are gone when it leaves."""
        return bool(key["state"] == SPARE)

    def send(self) -> None:
        """A letter of hers, with all that she can ask for."""
        with self.house.login(ANN) as client:
            client.mail(ANN, MAIL)
            code, text = client.rcpt(FAR, RCPT)
            self.assertEqual(250, code, text)
            code, text = client.data(LETTER)
            self.assertEqual(250, code, text)

    def test_released(self) -> None:
        """
        The next server hears what Ann asked for, and finds her signature good.

        Meanwhile we were started anew, and her domain has other keys.
        """
        house = self.house
        house.ctl("user", "held", "add", ANN, "--reason", "a thief?")
        self.send()
        house.until(house.held)
        house.stop()
        house.start()
        house.ctl("dkim", "rotate", "example.test", "--force")
        done = house.ctl("user", "held", "release", ANN)
        self.assertEqual((1, 0), (done["done"], done["left"]))
        house.until(self.last.messages)
        (found,) = self.last.messages()
        self.assertEqual(GOOD, verdicts(found), found)
        self.assertTrue(found.endswith(LETTER), found)
        self.assertNotIn(b"x-smfd", found.lower())
        self.assertIn(b"with UTF8SMTP id ", found)
        self.assert_heard(
            "MAIL", "SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=QQ314"
        )
        self.assert_heard("RCPT", "NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;User@far.test")

    def assert_heard(self, verb: str, *wanted: str) -> None:
        """The server was told once, and told all of it."""
        (line,) = self.last.heard(verb)
        self.assertLessEqual(set(wanted), set(line.split()), line)
