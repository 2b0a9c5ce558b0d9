"""A report on TLS on its way out, with a real house."""

from typing import Any

from smfd.format.tlsrpt import Outcome, TLSReport
from smfd.format.tlsrpt_letter import TLSLetter
from smfd.model.entry import REMOTE
from smfd.smtpd.reports import Post
from smfd.smtpd.tls_reports import Sending
from tests.smtpd.fronts import ANN, FrontTestCase

DAY = 1_800_057_600.0
REPORT = TLSReport(
    "us.test",
    ANN,
    "id1@home.example",
    DAY,
    DAY + 86399,
    (Outcome("no-policy-found", "far.example", good=1),),
)


class SendingTests(FrontTestCase):
    """Like any other mail of ours."""

    async def report(self, recipient: str) -> None:
        """Have a letter sent."""
        acceptance = self.door.acceptance
        custody, directory = acceptance.custody, self.directory
        sending = Sending(Post(custody, acceptance.recipients, directory), self.name)
        domain, home = "far.example", "home.example"
        letter = TLSLetter(ANN, recipient, home, domain, REPORT, DAY)
        await sending.send(letter, letter.written())

    async def test_far(self) -> None:
        """It is in the ledger for the world, and nobody hears when it fails."""
        kept: list[Any] = []
        await self.build()
        self.patch(type(self.door.acceptance.custody), "signed", _signing(kept))
        await self.report("tls@far.example")
        (entry,) = kept
        (recipient,) = entry.recipients
        self.assertEqual((REMOTE, "NEVER"), (recipient.destination, recipient.notify))
        self.assertTrue(entry.asked.despite_tls)
        self.assertEqual((ANN, "outbound"), (entry.sender, entry.record.flow))
        self.assertIn(b"TLS-Report-Domain: far.example\r\n", entry.body.data)
        self.assertIn("to=<tls@far.example>=clean", self.logged())

    async def test_ours(self) -> None:
        """It is in the mailbox, when who wants it is one of ours."""
        await self.build()
        await self.report(ANN)
        await self.until(self.house.messages)
        (message,) = self.house.messages()
        self.assertIn(b"Delivered-To: ann@home.example\r\n", message)

    async def test_nobody(self) -> None:
        """Who is not there gets nothing, and that is all."""
        await self.build()
        await self.report("gone@home.example")
        self.assertEqual([], self.house.messages())


def _signing(kept: list[Any]) -> Any:
    async def signed(self: Any, entry: Any, header: Any = None) -> Any:
        kept.append(entry)
        return entry

    return signed
