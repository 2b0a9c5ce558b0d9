"""What is decided, and for whom."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.directory import Domain
from smfd.model.finding import Finding, Result
from smfd.model.verdict import Disposition, Verdict
from smfd.policy.decide import Policy
from tests import sample

ANN, BOB, CAT = "ann@example.test", "bob@example.test", "cat@example.test"
HERE = {"example.test": Domain("example.test", threshold=5.0)}


def decide(
    findings: Sequence[Finding],
    recipients: Sequence[str] = (ANN, BOB, CAT),
    policy: Policy | None = None,
    domain: Domain | None = None,
) -> Verdict:
    """The verdict on a message with these findings."""
    transaction = sample.transaction(recipients=recipients, findings=findings)
    domains = {domain.name: domain} if domain else HERE
    return (policy or Policy()).decide(transaction, domains)


def categories(verdict: Verdict) -> list[str]:
    """One word for each recipient."""
    return [fate.category for fate in verdict.fates]


class VirusTests(SynchronousTestCase):
    """A virus ends the matter, for everybody (S4 to S6)."""

    def test_overrules_every_list(self) -> None:
        """One who allows the sender gets the infected mail no more than others."""
        findings = (
            sample.VIRUS_FOUND,
            sample.SPF_PASS,
            sample.listed(ANN, allow=True),
            sample.listed(BOB, allow=True, scope="locked"),
        )
        verdict = decide(findings)
        self.assertEqual(["virus"] * 3, categories(verdict))
        self.assertEqual(
            {Disposition.QUARANTINE}, {f.disposition for f in verdict.fates}
        )
        self.assertEqual("virus", verdict.category)

    def test_cannot_scan_defers(self) -> None:
        """What the scanner could not judge comes again; it never passes."""
        verdict = decide((sample.VIRUS_ERROR, sample.listed(ANN, allow=True)))
        self.assertEqual({Disposition.DEFER}, {f.disposition for f in verdict.fates})

    def test_too_large_is_held(self) -> None:
        """What the scanner never takes is held: coming again would not help."""
        verdict = decide((sample.VIRUS_UNSCANNED,))
        self.assertEqual(["unscanned"] * 3, categories(verdict))

    @given(
        st.lists(
            st.sampled_from(
                [
                    sample.scored(-50.0),
                    sample.scored(9.0),
                    sample.SPF_PASS,
                    sample.AUTHENTICATED,
                    sample.listed(ANN, allow=True),
                    sample.listed(BOB, allow=False),
                    sample.listed(CAT, allow=True, scope="locked"),
                ]
            )
        )
    )
    def test_nothing_passes_a_virus(self, findings: list[Finding]) -> None:
        """Whatever else was found, an infected or unscanned message stays out."""
        for bad in (sample.VIRUS_FOUND, sample.VIRUS_ERROR, sample.VIRUS_UNSCANNED):
            verdict = decide((*findings, bad))
            self.assertNotIn(
                Disposition.DELIVER, {f.disposition for f in verdict.fates}
            )


class ListTests(SynchronousTestCase):
    """Each recipient's own lists (S7, S8)."""

    def test_three_places(self) -> None:
        """One allows, one blocks, one says nothing: three different ends."""
        verdict = decide(
            (
                sample.VIRUS_CLEAN,
                sample.listed(ANN, allow=True),
                sample.listed(BOB, allow=False),
                sample.SPF_PASS,
                sample.scored(7.5),
            )
        )
        self.assertEqual(["allowed", "blocked", "spam"], categories(verdict))
        self.assertEqual(
            [Disposition.DELIVER, Disposition.QUARANTINE, Disposition.QUARANTINE],
            [fate.disposition for fate in verdict.fates],
        )
        self.assertEqual("mixed", verdict.category)

    def test_allow_needs_proof(self) -> None:
        """A forged trusted sender is judged like anybody, and it is told (C9)."""
        verdict = decide((sample.listed(ANN, allow=True), sample.scored(7)), (ANN,))
        self.assertEqual(["spam"], categories(verdict))
        self.assertIn("unauthenticated", verdict.fates[0].reason)

    def test_header_needs_alignment(self) -> None:
        """SPF proves the envelope, not the name in From."""
        forged = sample.listed(ANN, allow=True, identity="header")
        self.assertEqual(
            ["spam"],
            categories(decide((forged, sample.SPF_PASS, sample.scored(7)), (ANN,))),
        )
        proved = decide((forged, sample.AUTHENTICATED, sample.scored(7)), (ANN,))
        self.assertEqual(["allowed"], categories(proved))

    def test_ignored_allow_leaves_the_block(self) -> None:
        """An ignored allow entry does not hide the block entry behind it."""
        verdict = decide(
            (sample.listed(ANN, allow=True), sample.listed(ANN, allow=False)), (ANN,)
        )
        self.assertEqual(["blocked"], categories(verdict))

    def test_strict_seed(self) -> None:
        """A domain may choose to believe unproved senders."""
        trusting = Domain("example.test", allow_unauthenticated=True)
        verdict = decide(
            (sample.listed(ANN, allow=True), sample.scored(7)), (ANN,), domain=trusting
        )
        self.assertEqual(["allowed"], categories(verdict))


class ScoreTests(SynchronousTestCase):
    """Scores add up, and each domain has its threshold (S11, S12)."""

    def test_sum_and_threshold(self) -> None:
        """Below the threshold it is clean; at it, it is spam."""
        below = decide((sample.scored(3, "A"), sample.scored(1.9, "B")), (ANN,))
        self.assertEqual(["clean"], categories(below))
        at = decide((sample.scored(3, "A"), sample.scored(2.0, "B")), (ANN,))
        self.assertEqual(["spam"], categories(at))
        self.assertEqual(5.0, at.score)
        self.assertIn("it looks like A", at.fates[0].reason)

    def test_threshold_of_the_settings(self) -> None:
        """A domain that set no threshold has the one of the settings."""
        judged = sample.transaction(recipients=[ANN], findings=[sample.scored(6.0)])
        domains = {"example.test": Domain("example.test")}
        for threshold, category in ((6.5, "clean"), (6.0, "spam")):
            (fate,) = Policy(threshold=threshold).decide(judged, domains).fates
            self.assertEqual((category, threshold), (fate.category, fate.threshold))
        (fate,) = Policy(threshold=6.5).decide(judged, HERE).fates
        self.assertEqual(("spam", 5.0), (fate.category, fate.threshold))

    def test_threshold_of_the_domain(self) -> None:
        """One message may be spam for one domain and clean for another."""
        transaction = sample.transaction(
            recipients=(ANN, "dan@other.test"), findings=(sample.scored(6),)
        )
        domains = {**HERE, "other.test": Domain("other.test", threshold=8.0)}
        verdict = Policy().decide(transaction, domains)
        self.assertEqual(["spam", "clean"], categories(verdict))


class WeighTests(SynchronousTestCase):
    """A site may give symbols another score."""

    def test_settings_win(self) -> None:
        """The score of the settings counts, and is what is shown."""
        policy = Policy(scores={"A": 0.5})
        transaction = sample.transaction(
            findings=(sample.scored(7, "A"), sample.scored(1, "B"))
        )
        weighed = policy.weigh(transaction)
        self.assertEqual([0.5, 1], [f.score for f in weighed.findings])
        self.assertEqual(1.5, policy.decide(weighed, HERE).score)

    def test_once(self) -> None:
        """Ten signatures that fail count as one, by the settings' score too."""
        policy = Policy(scores={"DKIM_FAIL": 2.0})
        findings = tuple(sample.scored(0.3, "DKIM_FAIL") for _ in range(10))
        weighed = policy.weigh(sample.transaction(findings=findings))
        self.assertEqual(2.0, policy.decide(weighed, HERE).score)


class FailureTests(SynchronousTestCase):
    """A stage that fails means what the settings say."""

    broken = Finding("spf", "SPF_ERROR", Result.ERROR, None, "the spf stage failed")

    def test_adds_nothing(self) -> None:
        """By default a failed test of the sender adds nothing."""
        self.assertEqual(["clean"], categories(decide((self.broken,), (ANN,))))

    def test_defers_when_told(self) -> None:
        """A site may rather wait."""
        strict = Policy(frozenset({"spf"}))
        verdict = decide((self.broken,), policy=strict)
        self.assertEqual({Disposition.DEFER}, {f.disposition for f in verdict.fates})

    def test_one_reply_for_all(self) -> None:
        """Where one recipient takes the message the others' share is held."""
        strict = Policy(frozenset({"spf"}))
        verdict = decide(
            (self.broken, sample.listed(ANN, allow=True), sample.SPF_PASS),
            (ANN, BOB),
            strict,
        )
        self.assertEqual(["allowed", "unscanned"], categories(verdict))
        self.assertEqual(Disposition.QUARANTINE, verdict.fates[1].disposition)
        self.assertIn("held", verdict.fates[1].reason)
