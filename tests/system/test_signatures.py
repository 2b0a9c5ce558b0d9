"""What we sign is checked by others: OpenDKIM behind Postfix, and dkimpy (R84)."""

import re
from smtplib import SMTP

import dkim

from tests.system.house import UNLIMITED
from tests.system.oddities import oddities
from tests.system.verifying import ANN, FAR, GOOD, VerifiedTestCase, verdicts

COUNT = 1000
_NUMBER = re.compile(rb"^X-Number: (\d+)", re.MULTILINE)


class SignaturesTests(VerifiedTestCase):
    """A thousand odd messages, as our users would send them."""

    settings = UNLIMITED

    def send(self) -> dict[int, bytes]:
        """Hand them in; half of them with BDAT, which needs no dots."""
        sent: dict[int, bytes] = {}
        with self.house.login(ANN) as client:
            for number, message in enumerate(oddities(COUNT, ANN, FAR)):
                client.mail(ANN, ("BODY=8BITMIME",))
                client.rcpt(FAR)
                if number % 2:
                    message += b"" if message.endswith(b"\r\n") else b"\r\n"
                    client.send(b"BDAT %d LAST\r\n" % len(message) + message)
                    code, text = client.getreply()
                else:
                    code, text = client.data(message)
                self.assertEqual(250, code, (text, message[:2000]))
                sent[number] = message
        return sent

    def arrived(self, count: int) -> list[bytes]:
        """What is in the mailbox, once it is all there."""
        self.house.until(lambda: len(self.last.files()) >= count, 120)
        return self.last.messages()

    def test_thousand(self) -> None:
        """
        Both signatures of all of them pass at both; another From, Subject or
        the like makes both fail.
        """
        sent = self.send()
        found = self.arrived(len(sent))
        numbers = {int(_NUMBER.findall(message)[0]) for message in found}
        self.assertEqual(set(sent), numbers)
        wrong = [one for one in found if verdicts(one) != GOOD]
        self.assertEqual([], [one[:3000] for one in wrong[:3]], len(wrong))
        wrong = [one for one in found if not self.is_good(one)]
        self.assertEqual([], [one[:3000] for one in wrong[:3]], len(wrong))
        self.last_word(found[:: COUNT // 50])

    def is_good(self, message: bytes) -> bool:
        """Whether dkimpy takes both of our signatures, the first two."""
        signed = message[message.index(b"DKIM-Signature:") :]
        found = dkim.DKIM(signed)
        return all(found.verify(number, dnsfunc=self.record) for number in (0, 1))

    def record(self, name: bytes, timeout: float = 5) -> bytes:
        """A DNS for dkimpy."""
        found: str = self.records[name.decode().rstrip(".")]
        return found.encode()

    def last_word(self, some: list[bytes]) -> None:
        """The same with one more field, straight to OpenDKIM."""
        names = ("From", "To", "Cc", "Subject", "Date", "Reply-To", "Sender")
        before = len(self.last.files())
        with SMTP("127.0.0.1", self.last.port) as client:
            for number, message in enumerate(some):
                line = f"{names[number % len(names)]}: <eve@evil.test>\r\n".encode()
                changed = b"X-Changed: 1\r\n" + _with(message, line, number % 2 == 0)
                client.sendmail("ann@example.test", [FAR], changed)
        found = self.arrived(before + len(some))
        after = [one for one in found if b"X-Changed: 1" in one]
        self.assertEqual(len(some), len(after))
        for message in after:
            self.assertNotIn(b"pass", verdicts(message).values(), message[:2000])


def _with(message: bytes, line: bytes, below: bool) -> bytes:
    """What we sent, with a line more above or below all others."""
    signed = message[message.index(b"DKIM-Signature:") :]
    if not below:
        return line + signed
    header, _, body = signed.partition(b"\r\n\r\n")
    return header + b"\r\n" + line + b"\r\n" + body
