"""The road: what is looked at, and when it is enough."""

from twisted.trial.unittest import SynchronousTestCase

from smfd.model.finding import Finding, Result
from smfd.model.transaction import Flow
from smfd.policy.flow import ROADS
from tests import sample

ANN, BOB = "ann@example.test", "bob@example.test"


def road(*findings: Finding, flow: Flow = Flow.INBOUND) -> list[str]:
    """The stages that still have something to say after these findings."""
    transaction = sample.transaction(recipients=(ANN, BOB), findings=findings)
    return [
        stage for step in ROADS[flow] if step.when(transaction) for stage in step.stages
    ]


class InboundTests(SynchronousTestCase):
    """The seeds' order."""

    def test_order(self) -> None:
        """Virus, lists, authentication, content: in this order."""
        every = ["virus", "lists", "spf", "dkim", "arc", "dmarc", "identity", "content"]
        self.assertEqual([*every, "locks"], road())

    def test_virus_ends_it(self) -> None:
        """Infected or unscannable mail is not looked at any further (S4)."""
        for bad in (sample.VIRUS_FOUND, sample.VIRUS_ERROR, sample.VIRUS_UNSCANNED):
            self.assertEqual(["virus"], road(bad))

    def test_blocked_by_all(self) -> None:
        """Nobody wants it: no more checks (S8)."""
        blocked = [sample.listed(r, allow=False) for r in (ANN, BOB)]
        self.assertEqual(["virus", "lists", "locks"], road(*blocked))

    def test_allowed_by_all(self) -> None:
        """Who is trusted by all must prove himself, and no more (S7, C9)."""
        allowed = [sample.listed(r, allow=True) for r in (ANN, BOB)]
        self.assertEqual(
            ["virus", "lists", "spf", "dkim", "arc", "dmarc", "locks"],
            road(*allowed, sample.SPF_PASS),
        )

    def test_allowed_but_unproved(self) -> None:
        """A trusted sender who proves nothing is judged like anybody."""
        allowed = [sample.listed(r, allow=True) for r in (ANN, BOB)]
        self.assertIn("content", road(*allowed))

    def test_one_neutral(self) -> None:
        """One recipient who said nothing is enough to look on."""
        self.assertIn("content", road(sample.listed(ANN, allow=False)))


class LocksTests(SynchronousTestCase):
    """What is locked is looked for once, by whoever has the message open (R23)."""

    def test_judged(self) -> None:
        """Where the content was judged nobody looks again."""
        judged = Finding("content", "CONTENT", Result.PASS)
        self.assertNotIn("locks", road(judged))

    def test_not_judged(self) -> None:
        """A judgement that failed has not looked."""
        failed = Finding("content", "CONTENT_ERROR", Result.ERROR)
        self.assertIn("locks", road(failed))


class OwnPeopleTests(SynchronousTestCase):
    """Local and outbound mail is scanned for viruses only (S17, S22)."""

    def test_virus_only(self) -> None:
        """No lists, no spam scan."""
        self.assertEqual(["virus", "locks"], road(flow=Flow.LOCAL))
        self.assertEqual(["virus", "locks"], road(flow=Flow.OUTBOUND))
