"""The virus stage: clean, found, or nobody knows."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.authres import tags
from smfd.format.header import Header
from smfd.model.envelope import Envelope
from smfd.model.finding import Result
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.net.clamd import CouldNotScan
from smfd.scan import virus
from smfd.scan.virus import BuiltinScanner, Unscannable, VirusStage


class Saying:
    """A scanner that says what it is told, and notes what it was given."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.given: list[Body] = []

    def scan(self, body: Body) -> Deferred[str]:
        """Say the next thing; the last one for ever."""
        self.given.append(body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)

    def submit(self, job: str, body: Body, arguments: dict[str, Any]) -> Deferred[Any]:
        """A worker that does the same."""
        assert job == "virus" and arguments == {}
        return self.scan(body)


def message(size: int = 5) -> Transaction:
    """Some message."""
    return Transaction(
        "id",
        Flow.INBOUND,
        0.0,
        Session("s", "192.0.2.1", 25, 0.0),
        Envelope("id", None),
        Body(size, b"hello"),
        Header((), 0),
    )


class StageTests(SynchronousTestCase):
    """What is reported, and what is not."""

    def test_clean(self) -> None:
        """No virus is a pass, without a score."""
        (found,) = self.successResultOf(VirusStage(Saying("")).scan(message()))
        self.assertEqual("VIRUS_CLEAN", found.symbol)
        self.assertIs(Result.PASS, found.result)
        self.assertIs(None, found.score)

    def test_found(self) -> None:
        """A virus is a failure with its name in the evidence."""
        (found,) = self.successResultOf(VirusStage(Saying("Eicar-X")).scan(message()))
        self.assertEqual("VIRUS_FOUND", found.symbol)
        self.assertIs(Result.FAIL, found.result)
        self.assertEqual("Eicar-X", tags(found.evidence)["name"])

    def test_not_known(self) -> None:
        """A scanner that cannot is a failure of the stage, never a finding."""
        for error in (CouldNotScan("x"), OSError("x"), ValueError("x")):
            d = VirusStage(Saying(error)).scan(message())
            self.failureResultOf(d, type(error))

    def test_too_large(self) -> None:
        """What the scanner does not take is not sent, and never clean."""
        scanner = Saying("")
        stage = VirusStage(scanner, max_size=100)
        (found,) = self.successResultOf(stage.scan(message(101)))
        self.assertEqual("VIRUS_UNSCANNED", found.symbol)
        self.assertIs(Result.SUSPECT, found.result)
        self.assertEqual([], scanner.given)
        (found,) = self.successResultOf(stage.scan(message(100)))
        self.assertEqual("VIRUS_CLEAN", found.symbol)

    def test_never_scannable(self) -> None:
        """What nobody can look into is suspect, not an error."""
        (found,) = self.successResultOf(
            VirusStage(Saying(Unscannable("it is locked"))).scan(message())
        )
        self.assertEqual("VIRUS_UNSCANNED", found.symbol)
        self.assertEqual("it is locked", found.reason)


class BuiltinTests(SynchronousTestCase):
    """The engine of a box without clamd."""

    def test_answers(self) -> None:
        """Its three answers, and none that is made up."""
        for said, expected in (
            ({"answer": "clean"}, "VIRUS_CLEAN"),
            ({"answer": "found", "name": "EICAR"}, "VIRUS_FOUND"),
            ({"answer": "unknown", "why": "locked"}, "VIRUS_UNSCANNED"),
        ):
            stage = VirusStage(BuiltinScanner(Saying(said)))
            (found,) = self.successResultOf(stage.scan(message()))
            self.assertEqual(expected, found.symbol)
        for broken in ({}, {"answer": "found"}, {"answer": "OK"}, {"answer": None}):
            stage = VirusStage(BuiltinScanner(Saying(broken)))
            self.failureResultOf(stage.scan(message()), CouldNotScan)


class SelfTestTests(SynchronousTestCase):
    """A scanner that finds nothing is noticed before mail comes."""

    def test_self_test(self) -> None:
        """Good is: the test virus found, an innocent message clean."""
        for answers, good in (
            (("Eicar", ""), True),
            (("", ""), False),
            (("Eicar", "Eicar"), False),
            ((CouldNotScan("x"),), False),
            ((OSError("x"),), False),
        ):
            stage = VirusStage(Saying(*answers))
            self.assertIs(good, self.successResultOf(stage.self_test()))

    def test_its_virus(self) -> None:
        """The test virus is the 68 characters everybody looks for."""
        self.assertEqual(68, len(virus.test_virus()))
        scanner = Saying("x", "")
        self.successResultOf(VirusStage(scanner).self_test())
        self.assertIn(virus.test_virus(), scanner.given[0].data or b"")
        self.assertNotIn(virus.test_virus(), scanner.given[1].data or b"")
