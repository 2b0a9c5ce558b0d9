"""The chain that runs the stages."""

from collections.abc import Sequence

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smfd.interfaces import IStage
from smfd.model.finding import Finding, Listed, Result
from smfd.model.transaction import Transaction
from smfd.scan.chain import Chain
from tests import sample


@implementer(IStage)
@define
class ScriptedStage:
    """Answers what it was told to, when it is told to."""

    name: str
    answer: Sequence[Finding] | Exception | Deferred[Sequence[Finding]]
    asked: list[Transaction] = field(factory=list)

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Note the question."""
        self.asked.append(transaction)
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, Deferred):
            return self.answer
        return succeed(self.answer)


class ChainTests(SynchronousTestCase):
    """It always reaches its end."""

    def setUp(self) -> None:
        """A clock of our own."""
        self.clock = Clock()

    def run_chain(self, *stages: ScriptedStage) -> Deferred[Transaction]:
        """Run these stages over a clean message."""
        chain = Chain({s.name: s for s in stages}, 30.0, self.clock)
        return chain.run(sample.transaction())

    def symbols(self, d: Deferred[Transaction]) -> list[str]:
        """What was found in the end."""
        return [f.symbol for f in self.successResultOf(d).findings]

    def test_collects_in_order(self) -> None:
        """Findings stand in the order of the road, whatever the settings' order."""
        spf = ScriptedStage("spf", (sample.SPF_PASS,))
        virus = ScriptedStage("virus", (sample.VIRUS_CLEAN,))
        d = self.run_chain(spf, virus)
        self.assertEqual(["VIRUS_CLEAN", "SPF_PASS"], self.symbols(d))
        self.assertEqual((), virus.asked[0].findings)
        self.assertEqual("VIRUS_CLEAN", spf.asked[0].findings[0].symbol)

    def test_virus_ends_it(self) -> None:
        """After a virus no other stage is asked."""
        content = ScriptedStage("content", (sample.scored(1),))
        d = self.run_chain(ScriptedStage("virus", (sample.VIRUS_FOUND,)), content)
        self.assertEqual(["VIRUS_FOUND"], self.symbols(d))
        self.assertEqual([], content.asked)

    def test_failure_is_a_finding(self) -> None:
        """A stage that raises is an ERROR, and the next one is asked."""
        broken = ScriptedStage("spf", ValueError("secret path"))
        dmarc = ScriptedStage("dmarc", ())
        transaction = self.successResultOf(self.run_chain(broken, dmarc))
        (error,) = transaction.findings
        self.assertEqual(("SPF_ERROR", Result.ERROR), (error.symbol, error.result))
        self.assertNotIn("secret", error.reason)
        self.assertEqual(1, len(dmarc.asked))

    def test_deadline(self) -> None:
        """A stage that never answers is given up after its deadline."""
        silent = ScriptedStage("content", Deferred())
        d = self.run_chain(silent)
        self.clock.advance(29.9)
        self.assertNoResult(d)
        self.clock.advance(0.2)
        self.assertEqual(["CONTENT_ERROR"], self.symbols(d))

    def test_total(self) -> None:
        """R12: all of them, one after the other, are given up after the total."""
        given = evolve(sample.transaction(), received=self.clock.seconds())
        names = ("virus", "lists", "spf", "dmarc", "content")
        stages = {name: ScriptedStage(name, Deferred()) for name in names}
        chain = Chain(stages, 30.0, self.clock, {"lists": 30.0}, None, 60.0)
        virus = stages["virus"].answer
        assert isinstance(virus, Deferred)
        d = chain.run(given)
        self.clock.advance(25.0)
        virus.callback((sample.VIRUS_CLEAN,))
        for seconds in (29.9, 5.0):
            self.clock.advance(seconds)
            self.assertNoResult(d)
        self.clock.advance(0.2)
        errors = [f"{name.upper()}_ERROR" for name in names[1:]]
        self.assertEqual(["VIRUS_CLEAN", *errors], self.symbols(d))

    def test_same_step_at_once(self) -> None:
        """Stages of one step look at the same time."""
        spf, dkim = ScriptedStage("spf", Deferred()), ScriptedStage("dkim", Deferred())
        d = self.run_chain(spf, dkim)
        self.assertEqual((1, 1), (len(spf.asked), len(dkim.asked)))
        assert isinstance(spf.answer, Deferred) and isinstance(dkim.answer, Deferred)
        dkim.answer.callback((Finding("dkim", "DKIM_NONE", Result.PASS),))
        spf.answer.callback((sample.SPF_PASS,))
        self.assertEqual(["SPF_PASS", "DKIM_NONE"], self.symbols(d))

    def test_milliseconds(self) -> None:
        """The first finding of a stage says how long the stage took."""
        block = Listed("lists", "LIST_BLOCK", Result.FAIL, recipient="a@b.example")
        d = self.run_chain(
            ScriptedStage("virus", (evolve(sample.VIRUS_CLEAN, ms=-1.0),)),
            ScriptedStage("lists", [evolve(block, ms=-1.0)] * 2),
        )
        clean, first, second = self.successResultOf(d).findings
        self.assertEqual(sample.VIRUS_CLEAN, evolve(clean, ms=sample.VIRUS_CLEAN.ms))
        self.assertEqual(block, evolve(first, ms=0.0))
        self.assertGreaterEqual(min(clean.ms, first.ms), 0.0)
        self.assertEqual(-1.0, second.ms)
