"""The content stage, with real workers, our own rules and the real jobs."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

import smfd
from smfd.content.specimen import test_virus as eicar
from smfd.format.header import read_header
from smfd.interfaces import IStage
from smfd.model.envelope import Envelope
from smfd.model.finding import Finding, Result
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.proto.address import Address
from smfd.scan.content import ContentStage
from smfd.scan.workers import JobFailed, Workers, command
from tests.content.test_eicar import HEAD, coded
from tests.content.test_encryption import LOCKED

OURS = Path(smfd.__file__).parents[1] / "etc" / "rules.d"

SPAM = (
    b"From: Mr Big <big@example.org>\r\nReply-To: big@gmail.com\r\n"
    b"Subject: YOU HAVE WON $1,000,000 NOW!!!\r\n"
    b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\n"
    b"Dear friend, you have won the lottery. Kindly send your bank account\r\n"
    b"details to claim your prize of USD 1,000,000.00 from Western Union.\r\n"
)


def transaction(body: Body, *findings: Finding) -> Transaction:
    """A transaction around a body."""
    return Transaction(
        "T1",
        Flow.INBOUND,
        1704103200.0,
        Session("S1", "192.0.2.1", 25, 0.0, helo="host.example"),
        Envelope("T1", Address("a", "example.org")),
        body,
        read_header(body.data or b""),
        findings,
    )


class _Pool:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Body, dict[str, Any]]] = []

    def submit(self, job: str, body: Body, arguments: dict[str, Any]) -> Deferred[Any]:
        self.asked.append((job, body, arguments))
        return succeed(self.answer)


class FindingTests(SynchronousTestCase):
    """A worker's answer becomes findings."""

    def test_findings(self) -> None:
        """One for each hit, good ones pass, and one with the version."""
        hits = [
            {"symbol": "BAD", "score": 2.5, "describe": "Bad", "evidence": "x" * 500},
            {"symbol": "GOOD", "score": -1, "describe": "Good", "evidence": ""},
        ]
        pool = _Pool({"hits": hits, "rules": "abc", "ms": 1.5, "aside": ["SLOW"]})
        stage = ContentStage(pool)
        verifyObject(IStage, stage)
        before = Finding("spf", "SPF_PASS", Result.PASS)
        body = Body(1, b"x")
        found = self.successResultOf(stage.scan(transaction(body, before)))
        bad, good, summary = found
        self.assertEqual((bad.result, bad.score), (Result.SUSPECT, 2.5))
        self.assertEqual(len(bad.evidence), 200)
        self.assertEqual((good.result, good.score), (Result.PASS, -1.0))
        self.assertEqual((summary.symbol, summary.score), ("CONTENT", None))
        self.assertEqual(summary.evidence, "rules=abc too slow: SLOW")
        self.assertEqual(summary.ms, 1.5)
        job, sent, arguments = pool.asked[0]
        self.assertEqual((job, sent), ("content", body))
        self.assertEqual(arguments["symbols"], ["SPF_PASS"])
        self.assertEqual(arguments["sender"], "a@example.org")
        self.assertEqual(arguments["received"], 1704103200.0)


class RealTests(TestCase):
    """The jobs of the shipped workers."""

    def setUp(self) -> None:
        """Start real workers with our own rules."""
        self.spool = Path(self.mktemp()).absolute()
        self.spool.mkdir()
        line = command([str(OURS)], str(self.spool))
        self.workers = Workers(reactor, line, size=1, deadline=60)
        self.workers.startService()
        self.addCleanup(self.workers.stopService)

    async def test_jobs(self) -> None:
        """Spam is called spam, ham is not, and viruses are known by name."""
        stage = ContentStage(self.workers)
        found = await stage.scan(transaction(Body(len(SPAM), SPAM)))
        self.assertGreater(sum(f.score or 0 for f in found), 5)
        ham = SPAM.partition(b"Reply-To")[0] + (
            b"Subject: lunch\r\nMessage-ID: <1@example.org>\r\nTo: c@d.example\r\n"
            b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nAt noon?\r\n"
        )
        found = await stage.scan(transaction(Body(len(ham), ham)))
        self.assertLess(sum(f.score or 0 for f in found), 2)
        virus = ham + eicar()
        said = await self.workers.submit("virus", Body(len(virus), virus), {})
        self.assertEqual(said["answer"], "found")
        said = await self.workers.submit("virus", Body(len(ham), ham), {})
        self.assertEqual(said["answer"], "clean")
        said = await self.workers.submit(
            "content", Body(len(virus), virus), {"locks": True}
        )
        self.assertEqual(said["virus"]["answer"], "found")
        locked = HEAD + b"Content-Type: a/b\r\n" + coded(LOCKED["zip"])
        body = Body(len(locked), locked)
        *_, last = await ContentStage(self.workers, True).scan(transaction(body))
        self.assertEqual(last.symbol, "VIRUS_ENCRYPTED")
        said = await self.workers.submit("inside", body, {})
        self.assertEqual(
            said,
            {
                "files": ["a.com"],
                "types": ["a/b", "zip", "encrypted", "program-inside"],
            },
        )
        unknown = self.workers.submit("no such job", Body(1, b"x"), {})
        await self.assertFailure(unknown, JobFailed)

    async def test_every_charset(self) -> None:
        """Confined workers can still decode what they have not met before."""
        for charset in ("koi8-r", "iso-2022-jp", "gb2312", "utf-7", "tis-620"):
            head = f"Content-Type: text/plain; charset={charset}\r\n\r\n"
            data = head.encode() + b"\xc1\xc2 text"
            said = await self.workers.submit("content", Body(len(data), data), {})
            self.assertIn("score", said, charset)

    async def test_large(self) -> None:
        """A large message is read from the spool."""
        path = self.spool / "large"
        data = SPAM + b"x\r\n" * 500_000
        path.write_bytes(data)
        body = Body(len(data), None, str(path))
        found = await ContentStage(self.workers).scan(transaction(body))
        self.assertGreater(sum(f.score or 0 for f in found), 5)
