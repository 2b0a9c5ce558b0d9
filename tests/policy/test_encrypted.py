"""Archives that nobody can look into without a password (R23)."""

from twisted.trial.unittest import SynchronousTestCase

from smfd.model.finding import Finding, Result
from smfd.model.verdict import Disposition
from smfd.policy.decide import Policy
from smfd.policy.standing import ENCRYPTED, is_infected
from tests import sample

LOCKED = Finding("virus", ENCRYPTED, Result.SUSPECT, None, "not known: encrypted")


class EncryptedTests(SynchronousTestCase):
    """Held, but where a domain takes them."""

    def fates(self, *domains: str) -> list[tuple[str, Disposition]]:
        """What becomes of one, for a recipient in each of two domains."""
        transaction = sample.transaction(
            recipients=("ann@a.example", "ann@b.example"), findings=(LOCKED,)
        )
        verdict = Policy(encrypted=frozenset(domains)).decide(transaction, {})
        return [(fate.category, fate.disposition) for fate in verdict.fates]

    def test_held(self) -> None:
        """By default it is held for everybody, and says why."""
        held = ("unscanned", Disposition.QUARANTINE)
        self.assertEqual([held, held], self.fates())
        self.assertFalse(is_infected([LOCKED]))

    def test_taken(self) -> None:
        """A domain that takes them gets them; so do all with "*"."""
        held = ("unscanned", Disposition.QUARANTINE)
        clean = ("clean", Disposition.DELIVER)
        self.assertEqual([held, clean], self.fates("b.example"))
        self.assertEqual([clean, clean], self.fates("*"))
