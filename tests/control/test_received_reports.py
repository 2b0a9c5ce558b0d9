"""Tests for L{smfd.control.received_reports}: those on TLS."""

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed

import smfd
from smfd.content.reports import read_reports
from smfd.control.received_reports import ReceivedReports
from smfd.format.tlsrpt import Failure, Outcome, TLSReport
from smfd.format.tlsrpt_letter import TLSLetter
from smfd.store.dmarc_reports import DMARCReports
from smfd.store.threads import Closed, Threads
from smfd.store.tls_received import TLSReceived
from tests.content.test_reports import OURS, PROVEN, mail
from tests.store.test_deliveries import FileTestCase, reactor

VECTORS = Path(smfd.__file__).parents[1].parent / "shared/conformance/reports/tlsrpt"
OUTCOMES = (
    Outcome("sts", "Example.org", failures=(Failure("certificate-expired", 3),)),
    Outcome("no-policy-found", "other.test", good=1),
    Outcome("no-policy-found", "", good=1),
)
REPORT = TLSReport("Them", "x@them.example", "n1", 100.0, 200.0, OUTCOMES)


def letter() -> bytes:
    """One as we would send it."""
    made = TLSLetter(
        "x@them.example", "r@example.org", "them.example", "example.org", REPORT, 0.0
    )
    return PROVEN + made.written()


class ReceivedTests(FileTestCase):
    """From the letter to the page."""

    def setUp(self) -> None:
        super().setUp()
        self.received = TLSReceived(self.file)
        self.hands = Threads(reactor, "test")
        self.hands.start()
        self.addCleanup(self.hands.stop)

    def is_hosted(self, name: str) -> Deferred[bool]:
        """One domain is."""
        return succeed(name == "example.org")

    async def take(self, said: Any) -> None:
        """Take what a worker said; it goes through JSON."""
        words = json.loads(json.dumps(said))
        kept = DMARCReports(self.file), self.received
        take = ReceivedReports(*kept, self.is_hosted, reactor, self.hands).take
        await take(words)

    async def test_letter(self) -> None:
        """A letter of our own making is read, and kept once, and only what is ours."""
        said = read_reports(letter(), OURS)
        self.assertEqual(([], []), (said["reports"], said["wrong"]))
        await self.take(said)
        await self.take(said)
        found = await self.received.summary("example.org", 0)
        self.assertEqual((0, 3, 1), (found.good, found.bad, found.total))
        (one,) = found.reports
        self.assertEqual(
            ("Them", "them.example", "sts"), (one.reporter, one.sender, one.kind)
        )
        (fault,) = found.faults
        self.assertEqual(("certificate-expired", 3), (fault.result, fault.number))
        self.assertEqual(0, (await self.received.summary("other.test", 0)).total)
        self.assertEqual(0, (await self.received.summary("example.org", 201)).total)

    def test_vectors(self) -> None:
        """Letters of others are read, packed or not."""
        for path in sorted(VECTORS.glob("*.eml")):
            said = read_reports(path.read_bytes(), OURS)
            self.assertEqual((1, []), (len(said["tls"]), said["wrong"]), path.name)

    def test_plain_file(self) -> None:
        """A file whose name says it is enough."""
        said = read_reports(
            mail(REPORT.packed(), "application/gzip", "a!b!1!2.json.gz"), OURS
        )
        self.assertEqual(1, len(said["tls"]))

    def test_wrong(self) -> None:
        """What is none is said to be wrong, and nothing is kept of it."""
        for data in (b"nothing", b"{}", REPORT.packed()[:-9]):
            said = read_reports(mail(data, "application/tlsrpt+gzip", "x"), OURS)
            self.assertEqual([], said["tls"])
            self.assertEqual(1, len(said["wrong"]))

    def test_long(self) -> None:
        """What is too long for a page is too long."""
        many = tuple(Outcome("sts", f"{n}" * 900) for n in range(900))
        long = TLSReport("Them", "", "n", 0.0, 0.0, many).packed()
        said = read_reports(mail(long, "application/tlsrpt+gzip", "x"), OURS)
        self.assertEqual(
            ([], ["The report is too long."]), (said["tls"], said["wrong"])
        )

    async def test_huge(self) -> None:
        """Numbers that nobody can count spoil no sum."""
        huge = tuple(Failure("x", 2**53 - 1) for _ in range(1000))
        outcome = Outcome("sts", "example.org", good=2**53 - 1, failures=huge)
        for n in range(3):
            report = TLSReport("Them", "", f"{n}", 0.0, 0.0, (outcome,))
            await self.take({"tls": [report.written().decode()]})
        found = await self.received.summary("example.org", 0)
        self.assertEqual(3, found.total)

    async def test_one_is_wrong(self) -> None:
        """What is none keeps back no other of the same letter."""
        with self.assertRaises(ValueError):
            await self.take({"tls": ["nonsense", REPORT.written().decode()]})
        self.assertEqual(1, (await self.received.summary("example.org", 0)).total)

    async def test_hands(self) -> None:
        """Many words are read where that holds up nobody."""
        self.hands.stop()
        with self.assertRaises(Closed):
            await self.take({"tls": []})

    async def test_nonsense(self) -> None:
        """A worker that was taken over has nothing kept that is no report."""
        words: tuple[Any, ...] = (None, [], {"tls": 1}, {"tls": [1, "x" * 300_000]})
        for said in (*words, {"tls": ["nonsense"]}):
            with self.assertRaises(ValueError):
                await self.take(said)
        self.assertEqual(0, (await self.received.summary("example.org", 0)).total)
