"""
Corpus messages through a running server and on to another, and the account.

The test sends a thousand; C{python -m benchmarks.relay} as many as it is told.
"""

import re
from itertools import islice
from smtplib import SMTP, SMTPException
from typing import Protocol

from attrs import define, field

from tests.system.corpora import samples
from tests.system.house import House

#: Judged, but never held: what is compared is what arrives.
SETTINGS = """
[dns]
offline = true
[content]
threshold = 999
"""

MARK = b"X-Relay-Number: "

#: What we cut out, and what Postfix does (message_drop_headers).
_DROPPED = re.compile(
    rb"^(?:return-path|bcc|resent-bcc|content-length|x-smfd-[^:]*)[ \t]*:"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)


def plain(data: bytes) -> bytes:
    """A message without the fields that no server passes on."""
    header, empty, body = data.partition(b"\r\n\r\n")
    return _DROPPED.sub(b"", header + b"\r\n").removesuffix(b"\r\n") + empty + body


class Box(Protocol):
    """Whoever has the mailboxes."""

    def messages(self, user: str = "user") -> list[bytes]:
        """What is in somebody's mailbox, with CRLF."""


@define
class Account:
    """
    What became of the messages.

    @ivar accepted: by our number, what was sent.
    @ivar altered: numbers of those that arrived otherwise.
    @ivar refused: what the server between refused to one that had accepted it.
    """

    sent: int = 0
    accepted: dict[int, bytes] = field(factory=dict)
    arrived: int = 0
    altered: list[int] = field(factory=list)
    stray: int = 0
    held: int = 0
    refused: int = 0

    @property
    def difference(self) -> int:
        """What is missing and what is too much; 0 is the only good answer."""
        gone = self.arrived + self.held + self.refused
        return abs(len(self.accepted) - gone) + self.stray


def send(port: int, count: int, every: int, *addresses: str) -> Account:
    """Send so many, numbered in a header field on top."""
    account = Account()
    with SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo("mail.sender.test")
        for number, sample in enumerate(islice(samples(every), count)):
            data = MARK + str(number).encode() + b"\r\n" + plain(sample.data)
            if not data.endswith(b"\r\n"):
                data += b"\r\n"
            account.sent += 1
            try:
                client.mail("alice@sender.test")
                for address in addresses:
                    client.rcpt(address)
                code, _ = client.docmd("DATA")
                dotted = (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:]
                client.send(dotted + b".\r\n")
                code, _ = client.getreply()
            except SMTPException:
                code = 0
            if code == 250:
                account.accepted[number] = data
    return account


def compare(account: Account, house: House, box: Box) -> Account:
    """Wait until nothing is due, and look what arrived."""
    house.until(lambda: house.ctl("status")["queue"] == 0, 120)
    account.held = len(house.held())
    due = len(account.accepted) - account.held - account.refused
    house.until(lambda: len(box.messages()) >= due, 120)
    seen = set()
    for message in box.messages():
        start = message.find(MARK)
        number = int(message[start + len(MARK) :].split(b"\r\n")[0])
        account.stray += number in seen or number not in account.accepted
        seen.add(number)
        if message[start:] != account.accepted.get(number):
            account.altered.append(number)
    account.arrived = len(seen)
    return account
