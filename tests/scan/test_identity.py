"""Our own people do not come in by the front door (S13, C10)."""

from collections.abc import Sequence

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.finding import Finding
from smfd.scan.identity import IdentityStage
from tests import sample

FROM = b"From: %s\r\nSubject: x\r\n\r\nx\r\n"


class IdentityTests(SynchronousTestCase):
    """A hosted sender from outside proves himself, or is suspected."""

    def look(
        self, author: str, sender: str | None, *earlier: Finding
    ) -> Sequence[Finding]:
        """What the stage finds."""
        stage = IdentityStage(lambda domain: succeed(domain == "example.test"))
        data = FROM % author.encode()
        return self.successResultOf(
            stage.scan(sample.transaction(data, sender, findings=earlier))
        )

    def test_strangers(self) -> None:
        """Others are none of its business."""
        self.assertEqual((), tuple(self.look("a@sender.test", "a@sender.test")))

    def test_forged_author(self) -> None:
        """One of us in From, from outside: enough to quarantine."""
        (finding,) = self.look("boss@example.test", "a@sender.test", sample.SPF_PASS)
        self.assertEqual(("HOSTED_SENDER", 10.0), (finding.symbol, finding.score))

    def test_forged_envelope(self) -> None:
        """One of us as the envelope's sender counts the same."""
        (finding,) = self.look("a@sender.test", "bob@example.test")
        self.assertEqual("HOSTED_SENDER", finding.symbol)

    def test_other_forms(self) -> None:
        """An alias or a +tag of ours is no other domain: it counts the same."""
        for claim in (
            "boss+x@example.test",
            "Sales@EXAMPLE.test",
            "SRS0=a=b=c@example.test",
        ):
            (finding,) = self.look(claim, "a@sender.test")
            self.assertEqual("HOSTED_SENDER", finding.symbol)
            (finding,) = self.look("a@sender.test", claim.lower())
            self.assertEqual("HOSTED_SENDER", finding.symbol)

    def test_proved(self) -> None:
        """With an aligned pass it is one of us after all."""
        (finding,) = self.look(
            "boss@example.test", "boss@example.test", sample.AUTHENTICATED
        )
        self.assertEqual("HOSTED_SENDER_PROVED", finding.symbol)

    def test_handed_over(self) -> None:
        """From a host of ours it is the same, unless it answers for its senders."""
        for earlier, vouched, lmtp, symbol in (
            ((), False, True, "HOSTED_SENDER"),
            ((sample.AUTHENTICATED,), False, True, "HOSTED_SENDER_PROVED"),
            ((), True, True, "HOSTED_SENDER_VOUCHED"),
            ((), True, False, "HOSTED_SENDER"),
        ):
            given = sample.transaction(FROM % b"boss@example.test", findings=earlier)
            given = evolve(given, session=evolve(given.session, lmtp=lmtp))
            stage = IdentityStage(lambda domain: succeed(True), vouched=vouched)
            (finding,) = self.successResultOf(stage.scan(given))
            self.assertEqual(symbol, finding.symbol)

    def test_asked_later(self) -> None:
        """It waits for what the directory has to look up, and asks once a domain."""
        asked: list[tuple[str, Deferred[bool]]] = []

        def is_hosted(domain: str) -> Deferred[bool]:
            asked.append((domain, Deferred()))
            return asked[-1][1]

        for author, domains in (
            ("boss@example.test", ["example.test", "sender.test"]),
            ("a@sender.test", ["sender.test"]),
        ):
            asked.clear()
            data = FROM % author.encode()
            d = IdentityStage(is_hosted).scan(sample.transaction(data, "a@sender.test"))
            self.assertNoResult(d)
            self.assertEqual(domains, [domain for domain, _ in asked])
            for domain, answer in asked:
                answer.callback(domain == "example.test")
            self.assertEqual(len(domains) - 1, len(self.successResultOf(d)))

    def test_null_path(self) -> None:
        """A bounce has an author too."""
        (finding,) = self.look("boss@example.test", None)
        self.assertEqual("HOSTED_SENDER", finding.symbol)
