"""What our own people send."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.finding import Finding, Result
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.policy.sent import Sending, decide_sent, is_refused
from smfd.policy.standing import ENCRYPTED
from tests import sample

ANN, BOB = "ann@example.test", "bob@example.test"
FAR = "far@elsewhere.test"
OURS = frozenset({ANN, BOB})

UNSCANNABLE = Finding("virus", "VIRUS_LIMITS", Result.SUSPECT, reason="too deep")
LOCKED = Finding("virus", ENCRYPTED, Result.SUSPECT, reason="encrypted")
CLEAN = Finding("virus", "VIRUS_CLEAN", Result.PASS)


def sent(
    findings: Sequence[Finding], recipients: Sequence[str], **known: Any
) -> Verdict:
    """The verdict on a message with these findings."""
    transaction = sample.transaction(recipients=recipients, findings=findings)
    return decide_sent(transaction, Sending(OURS, **known))


def words(verdict: Verdict) -> list[str]:
    """What is done for each, and as what."""
    return [f"{f.disposition.value} {f.category}" for f in verdict.fates]


class SentTests(SynchronousTestCase):
    """A virus never passes; everything else is the sender's affair."""

    def test_clean(self) -> None:
        """It is delivered, to whomever; no spam is looked for (S17, S22)."""
        spam = Finding("content", "VIAGRA", Result.FAIL, 99.0)
        verdict = sent((CLEAN, spam), (ANN, FAR))
        self.assertEqual(["deliver clean"] * 2, words(verdict))
        self.assertEqual("clean", verdict.category)
        self.assertFalse(is_refused(verdict))

    def test_virus_to_ours(self) -> None:
        """The sender is there: he is told, and nothing is kept (S18)."""
        verdict = sent((sample.VIRUS_FOUND,), (ANN, BOB))
        self.assertEqual(["reject virus"] * 2, words(verdict))
        self.assertTrue(is_refused(verdict))

    def test_virus_to_the_world(self) -> None:
        """It is held (S23)."""
        verdict = sent((sample.VIRUS_FOUND,), (FAR,))
        self.assertEqual(["quarantine virus"], words(verdict))
        self.assertFalse(is_refused(verdict))

    def test_virus_to_both(self) -> None:
        """All of it is refused, and a copy is kept for the administrator (C2)."""
        verdict = sent((sample.VIRUS_FOUND,), (ANN, FAR))
        self.assertEqual(["reject virus", "quarantine virus"], words(verdict))
        self.assertTrue(is_refused(verdict))
        self.assertEqual("virus", verdict.category)

    def test_not_scanned(self) -> None:
        """What the scanner cannot do now comes again; what it never can is held."""
        verdict = sent((sample.VIRUS_ERROR,), (ANN, FAR))
        self.assertEqual(["defer deferred"] * 2, words(verdict))
        verdict = sent((UNSCANNABLE,), (ANN, FAR))
        self.assertEqual(["quarantine unscanned"] * 2, words(verdict))

    def test_encrypted(self) -> None:
        """What is locked is held, unless the sender's domain lets it pass."""
        self.assertEqual(["quarantine unscanned"], words(sent((LOCKED,), (FAR,))))
        passed = sent((LOCKED,), (FAR,), encrypted=True)
        self.assertEqual(["deliver clean"], words(passed))

    def test_held_and_ruled(self) -> None:
        """To let a held account go is not to let its mail past the policies."""
        waits = Fate(ANN, Disposition.QUARANTINE, "approval", "waits for approval")
        verdict = sent((CLEAN,), (ANN, FAR), held="stolen", ruled={ANN: waits})
        self.assertEqual(["quarantine approval", "quarantine held"], words(verdict))
        refused = Fate(ANN, Disposition.REJECT, "policy", "no")
        verdict = sent((CLEAN,), (ANN,), held="stolen", ruled={ANN: refused})
        self.assertEqual(["reject policy"], words(verdict))

    def test_held(self) -> None:
        """A held account's mail is taken and held, but for its viruses (D5)."""
        verdict = sent((CLEAN,), (ANN, FAR), held="too many recipients")
        self.assertEqual(["quarantine held"] * 2, words(verdict))
        self.assertEqual("too many recipients", verdict.fates[0].reason)
        verdict = sent((sample.VIRUS_FOUND,), (ANN,), held="too many recipients")
        self.assertEqual(["reject virus"], words(verdict))

    def test_ruled(self) -> None:
        """A policy speaks for a recipient; refused for some, it is held for them."""
        no = Fate("", Disposition.REJECT, "policy", "not to the management")
        verdict = sent((CLEAN,), (ANN, FAR), ruled={ANN: no})
        self.assertEqual(["quarantine policy", "deliver clean"], words(verdict))
        verdict = sent((CLEAN,), (ANN,), ruled={ANN: no})
        self.assertEqual(["reject policy"], words(verdict))
        self.assertTrue(is_refused(verdict))

    @given(
        st.lists(st.sampled_from([CLEAN, LOCKED, UNSCANNABLE, sample.VIRUS_FOUND])),
        st.lists(st.sampled_from([ANN, BOB, FAR]), min_size=1, unique=True),
        st.booleans(),
        st.sampled_from(["", "held"]),
    )
    def test_never_a_virus(
        self, findings: list[Finding], to: list[str], encrypted: bool, held: str
    ) -> None:
        """Whatever else is known, an infected message is delivered to nobody."""
        found = (*findings, sample.VIRUS_FOUND)
        verdict = sent(found, to, encrypted=encrypted, held=held)
        self.assertNotIn(Disposition.DELIVER, {f.disposition for f in verdict.fates})
