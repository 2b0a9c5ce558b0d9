"""The virus stage: clean, found, or nobody knows."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.specimen import test_virus
from smfd.format.authres import tags
from smfd.format.header import Header, read_header
from smfd.model.envelope import Envelope
from smfd.model.finding import Result
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.net.clamd import CouldNotScan
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
        (found,) = self.successResultOf(
            VirusStage(Saying(""), proven=True).scan(message())
        )
        self.assertEqual("VIRUS_CLEAN", found.symbol)
        self.assertIs(Result.PASS, found.result)
        self.assertIs(None, found.score)

    def test_found(self) -> None:
        """A virus is a failure with its name in the evidence."""
        (found,) = self.successResultOf(
            VirusStage(Saying("Eicar-X"), proven=True).scan(message())
        )
        self.assertEqual("VIRUS_FOUND", found.symbol)
        self.assertIs(Result.FAIL, found.result)
        self.assertEqual("Eicar-X", tags(found.evidence)["name"])

    def test_not_known(self) -> None:
        """A scanner that cannot is a failure of the stage, never a finding."""
        for error in (CouldNotScan("x"), OSError("x"), ValueError("x")):
            d = VirusStage(Saying(error), proven=True).scan(message())
            self.failureResultOf(d, type(error))

    def test_too_large(self) -> None:
        """What the scanner does not take is not sent, and never clean."""
        scanner = Saying("")
        stage = VirusStage(scanner, max_size=100, proven=True)
        (found,) = self.successResultOf(stage.scan(message(101)))
        self.assertEqual("VIRUS_UNSCANNED", found.symbol)
        self.assertIs(Result.SUSPECT, found.result)
        self.assertEqual([], scanner.given)
        (found,) = self.successResultOf(stage.scan(message(100)))
        self.assertEqual("VIRUS_CLEAN", found.symbol)

    def test_never_scannable(self) -> None:
        """What nobody can look into is suspect, not an error."""
        (found,) = self.successResultOf(
            VirusStage(Saying(Unscannable("it is locked")), proven=True).scan(message())
        )
        self.assertEqual("VIRUS_UNSCANNED", found.symbol)
        self.assertEqual("it is locked", found.reason)

    def test_pieces(self) -> None:
        """What a reader would put together or read otherwise is not called clean."""
        stage = VirusStage(Saying(""), proven=True)
        for header, symbol in (
            (b"Content-Type: Message/Partial; id=x; number=1", "VIRUS_UNSCANNED"),
            (b"Content-Type:\r\n message/external-body", "VIRUS_UNSCANNED"),
            (b"Content-Type: text/plain\r\nContent-Type: a/b", "VIRUS_UNSCANNED"),
            (b"Content-Type: a/b\r\nContent-type: A/B ", "VIRUS_CLEAN"),
            (b"Content-Type: message/rfc822", "VIRUS_CLEAN"),
            (b"Content-Type: text/plain; name=message/partial", "VIRUS_CLEAN"),
        ):
            given = evolve(message(), header=read_header(header + b"\r\n\r\n"))
            (found,) = self.successResultOf(stage.scan(given))
            self.assertEqual(symbol, found.symbol, header)
        (found,) = self.successResultOf(
            VirusStage(Saying("Eicar"), proven=True).scan(given)
        )
        self.assertEqual("VIRUS_FOUND", found.symbol)


class BuiltinTests(SynchronousTestCase):
    """The engine of a box without clamd."""

    def test_answers(self) -> None:
        """Its three answers, and none that is made up."""
        for said, expected in (
            ({"answer": "clean"}, "VIRUS_CLEAN"),
            ({"answer": "found", "name": "EICAR"}, "VIRUS_FOUND"),
            ({"answer": "unknown", "why": "locked"}, "VIRUS_UNSCANNED"),
            ({"answer": "encrypted", "why": "locked"}, "VIRUS_ENCRYPTED"),
        ):
            stage = VirusStage(BuiltinScanner(Saying(said)), proven=True)
            (found,) = self.successResultOf(stage.scan(message()))
            self.assertEqual(expected, found.symbol)
        for broken in ({}, {"answer": "found"}, {"answer": "OK"}, {"answer": None}):
            stage = VirusStage(BuiltinScanner(Saying(broken)), proven=True)
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

    def test_blind(self) -> None:
        """A scanner that does not find the test virus passes no message (R25)."""
        scanner = Saying("")
        stage = VirusStage(scanner)
        self.failureResultOf(stage.scan(message()), CouldNotScan)
        self.assertFalse(stage.proven)
        # As soon as it sees, it is believed; and tested no more for each message.
        scanner.answers = ["Eicar", "", ""]
        (found,) = self.successResultOf(stage.scan(message()))
        self.assertEqual("VIRUS_CLEAN", found.symbol)
        count = len(scanner.given)
        self.successResultOf(stage.scan(message()))
        self.assertEqual(count + 1, len(scanner.given))
        # When it goes blind, the next test notices.
        self.assertFalse(self.successResultOf(stage.self_test()))
        self.failureResultOf(stage.scan(message()), CouldNotScan)

    def test_broken_then_whole(self) -> None:
        """A scanner that cannot answer the test is not believed either."""
        scanner = Saying(CouldNotScan("x"), OSError("x"), ValueError("x"), "Eicar", "")
        stage = VirusStage(scanner)
        for _ in range(3):
            self.failureResultOf(stage.scan(message()), CouldNotScan)
        (found,) = self.successResultOf(stage.scan(message()))
        self.assertEqual("VIRUS_CLEAN", found.symbol)

    def test_one_test_for_all(self) -> None:
        """Messages that come before the first test share it."""
        first: Deferred[str] = Deferred()
        scanner = Saying("")
        scanner.scan = lambda body: first  # type: ignore[method-assign]
        stage = VirusStage(scanner)
        waiting = [stage.scan(message()) for _ in range(3)]
        waiting[0].addErrback(lambda _: None)
        waiting[0].cancel()
        del scanner.scan
        first.callback("Eicar")
        for d in waiting[1:]:
            (found,) = self.successResultOf(d)
            self.assertEqual("VIRUS_CLEAN", found.symbol)
        self.assertEqual(3, len(scanner.given))

    def test_its_virus(self) -> None:
        """The test virus is the 68 characters everybody looks for."""
        self.assertEqual(68, len(test_virus()))
        scanner = Saying("x", "")
        self.successResultOf(VirusStage(scanner).self_test())
        self.assertIn(test_virus(), scanner.given[0].data or b"")
        self.assertNotIn(test_virus(), scanner.given[1].data or b"")
