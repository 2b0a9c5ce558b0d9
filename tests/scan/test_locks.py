"""Tests for L{smfd.scan.locks}: what a scanner passes since it could not look."""

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smfd.format.header import read_header
from smfd.interfaces import IStage
from smfd.model.finding import Finding
from smfd.model.transaction import Body, Transaction
from smfd.net.clamd import CouldNotScan
from smfd.policy.decide import Policy
from smfd.scan.chain import Chain
from smfd.scan.content import ContentStage
from smfd.scan.locks import LocksStage, Thorough
from smfd.scan.virus import VirusStage
from tests import sample
from tests.scan.test_virus import Saying, message

LOCKED = {"answer": "unknown", "encrypted": "an encrypted zip archive"}
EICAR = {"answer": "found", "name": "EICAR"}
MIXED = b"Content-Type: multipart/mixed; boundary=b"
CODED = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64"
CONTENT = {"hits": [], "rules": "abc"}


def holding(header: bytes) -> Transaction:
    """A message with this header."""
    return evolve(message(), header=read_header(header + b"\r\n\r\n"))


class LocksTests(SynchronousTestCase):
    """A look of its own, where nobody judges the content (R23)."""

    def found(self, name: str, said: Any, header: bytes = MIXED) -> Finding:
        """What is reported; C{said} is the worker's answer."""
        self.workers = Saying(said)
        virus = VirusStage(Saying(name), proven=True)
        stage = Thorough(virus, LocksStage(self.workers, virus))
        (finding,) = self.successResultOf(stage.scan(holding(header)))
        return finding

    def test_stage(self) -> None:
        """Both are stages, and what they find is of the virus stage."""
        virus = VirusStage(Saying(""))
        locks = LocksStage(Saying({}), virus)
        for stage in locks, Thorough(virus, locks):
            self.assertTrue(verifyObject(IStage, stage))
            self.assertEqual("virus", stage.name)

    def test_locked(self) -> None:
        """Clean to the scanner and locked is not known; found is found."""
        finding = self.found("", LOCKED)
        self.assertEqual("VIRUS_ENCRYPTED", finding.symbol)
        self.assertIn("not known: encrypted", finding.reason)
        self.assertEqual("VIRUS_FOUND", self.found("Eicar", LOCKED).symbol)
        self.assertEqual([], self.workers.given)

    def test_not_locked(self) -> None:
        """What only we cannot open is the scanner's to judge."""
        for said in {"answer": "clean"}, {"answer": "unknown", "why": "a rar archive"}:
            self.assertEqual("VIRUS_CLEAN", self.found("", said).symbol)
        self.assertEqual("VIRUS_FOUND", self.found("", EICAR, CODED).symbol)

    def test_plain_text(self) -> None:
        """A plain text holds no files: nobody is asked."""
        finding = self.found("", {}, b"Content-Type: text/plain; charset=utf-8")
        self.assertEqual(("VIRUS_CLEAN", []), (finding.symbol, self.workers.given))

    def test_cannot_tell(self) -> None:
        """Without an answer it is not known either, for now."""
        answers: tuple[Any, ...] = (CouldNotScan("busy"), {})
        for said in answers:
            virus = VirusStage(Saying(""), proven=True)
            stage = LocksStage(Saying(said), virus)
            failed = self.failureResultOf(stage.scan(holding(b"Content-Type: a/b")))
            self.assertTrue(failed.check(CouldNotScan, KeyError))

    def test_poison(self) -> None:
        """What ends every look, while others end well, is not tried for ever."""
        virus = VirusStage(_Working(), proven=True)
        stage = LocksStage(Saying(CouldNotScan("it died")), virus)
        for _ in range(10):
            self.failureResultOf(stage.scan(holding(MIXED)), CouldNotScan)
        (finding,) = self.successResultOf(virus.scan(holding(MIXED)))
        self.assertEqual("VIRUS_UNSCANNED", finding.symbol)


class TogetherTests(SynchronousTestCase):
    """One job for the content and for the locks, where there is a judgement."""

    def run_chain(
        self, content: Any, locks: Any, header: bytes = MIXED
    ) -> Sequence[Finding]:
        """The findings of a chain; C{content} and C{locks} are the answers."""
        self.judge, self.workers = _Judge(content), Saying(locks)
        virus = VirusStage(Saying(""), proven=True)
        stages = {
            "virus": virus,
            "content": ContentStage(self.judge, True),
            "locks": LocksStage(self.workers, virus),
        }
        given = evolve(sample.transaction(), header=holding(header).header)
        self.done = self.successResultOf(Chain(stages, 30.0, Clock()).run(given))
        return self.done.findings

    def symbols(self, *given: Any) -> list[str]:
        """Their symbols."""
        return [finding.symbol for finding in self.run_chain(*given)]

    def test_one_job(self) -> None:
        """The answer about the content says what is locked."""
        for said, more in (
            ({"answer": "clean"}, []),
            (LOCKED, ["VIRUS_ENCRYPTED"]),
            (EICAR, ["VIRUS_FOUND"]),
        ):
            symbols = self.symbols({**CONTENT, "virus": said}, {})
            self.assertEqual(["VIRUS_CLEAN", "CONTENT", *more], symbols)
            self.assertEqual([True], [asked.get("locks") for asked in self.judge.asked])
            self.assertEqual([], self.workers.given)

    def test_held(self) -> None:
        """It is held as it would be by a look of its own."""
        for said, category in (LOCKED, "unscanned"), (EICAR, "virus"):
            self.symbols({**CONTENT, "virus": said}, {})
            verdict = Policy().decide(self.done, {})
            self.assertEqual(category, verdict.category)

    def test_plain_text(self) -> None:
        """A plain text is judged, and that is all."""
        symbols = self.symbols(CONTENT, {}, b"Content-Type: text/plain")
        self.assertEqual(["VIRUS_CLEAN", "CONTENT"], symbols)
        self.assertEqual([None], [asked.get("locks") for asked in self.judge.asked])

    def test_judgement_fails(self) -> None:
        """The locks are looked for all the same, and that may fail too."""
        for broken in CouldNotScan("died"), CONTENT:
            symbols = self.symbols(broken, LOCKED)
            expected = ["VIRUS_CLEAN", "CONTENT_ERROR", "VIRUS_ENCRYPTED"]
            self.assertEqual(expected, symbols)
        symbols = self.symbols(CouldNotScan("died"), CouldNotScan("died"))
        self.assertEqual(["VIRUS_CLEAN", "CONTENT_ERROR", "VIRUS_ERROR"], symbols)
        verdict = Policy().decide(self.done, {})
        self.assertEqual("deferred", verdict.category)


class _Working:
    """A scanner that knows the test virus."""

    def scan(self, body: Body) -> Deferred[str]:
        """Its name, when it is there."""
        return succeed("Eicar" if b"X5O" in (body.data or b"") else "")


class _Judge:
    """A worker for content; notes what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def submit(self, job: str, body: Body, arguments: dict[str, Any]) -> Deferred[Any]:
        """The same answer for everybody."""
        self.asked.append(arguments)
        return Saying(self.answer).scan(body)
