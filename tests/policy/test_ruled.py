"""What rules see of a message, and what becomes of it by their rulings."""

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.entry import Entry, Recipient
from smfd.model.finding import Finding, Result
from smfd.model.record import Record
from smfd.model.rule import LAST, Addressee, Ruling
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.policy.ruled import REFUSED, Inside, Ruled, mail_of
from tests import sample

ANN, BOB, CID = "ann@example.test", "bob@example.test", "cid@example.test"
SENDER = "ann@sender.test"
AUTHENTIC = Finding("dmarc", "AUTHENTICATED", Result.PASS)


def ruling(recipient: str, action: str, **known: Any) -> Ruling:
    """A ruling of the rule "r"."""
    return evolve(Ruling(recipient, action, "r"), **known)


def verdict(*fates: tuple[str, str]) -> Verdict:
    """A verdict: address and category of each."""
    kept = {
        "clean": Disposition.DELIVER,
        "allowed": Disposition.DELIVER,
        "deferred": Disposition.DEFER,
    }
    found = tuple(
        Fate(name, kept.get(word, Disposition.QUARANTINE), word, "because")
        for name, word in fates
    )
    return Verdict("mixed", 1.0, found)


class SeenTests(SynchronousTestCase):
    """What rules see of a message."""

    def test_seen(self) -> None:
        """Envelope, header, size, what is attached, what was thought of it."""
        data = b"From: Eve <eve@far.test>\r\nX-A: =?utf-8?q?=C3=A4?=\r\nx-a: b\r\n\r\n."
        transaction = sample.transaction(data=data, recipients=(ANN,))
        to = (Addressee(ANN, "inbound"),)
        inside = Inside(("a.zip",), ("zip",))
        mail = mail_of(transaction, to, {"x-a", "x-b"}, inside, verdict((ANN, "spam")))
        self.assertEqual((SENDER, "eve@far.test"), (mail.sender, mail.author))
        self.assertEqual((("x-a", "ä"), ("x-a", "b")), mail.header)
        self.assertEqual((len(data), "192.0.2.1"), (mail.size, mail.client))
        self.assertEqual((("a.zip",), ("zip",)), (mail.files, mail.types))
        self.assertEqual({ANN: "spam"}, mail.verdict)
        self.assertEqual(transaction.received, mail.time)

    def test_proven(self) -> None:
        """Only who logged in, or was found to be it, is known."""
        to = (Addressee(BOB, "inbound"),)

        def proven(*findings: Finding, account: str = "") -> frozenset[str]:
            found = sample.transaction(findings=findings)
            session = evolve(found.session, account=account)
            found = evolve(found, session=session)
            return mail_of(found, to, (), Inside()).proven

        self.assertEqual(frozenset(), proven())
        self.assertEqual({SENDER}, proven(sample.SPF_PASS))
        self.assertEqual({SENDER}, proven(AUTHENTIC))
        self.assertEqual({SENDER, ANN}, proven(account=ANN))
        data = b"From: eve@far.test\r\n\r\n."
        for finding, known in (
            (sample.SPF_PASS, SENDER),
            (AUTHENTIC, "eve@far.test"),
        ):
            transaction = sample.transaction(data=data, findings=(finding,))
            self.assertEqual({known}, mail_of(transaction, to, (), Inside()).proven)


class AppliedTests(SynchronousTestCase):
    """What becomes of a judged message."""

    def applied(
        self,
        before: Verdict,
        *rulings: Ruling,
        together: tuple[tuple[str, ...], ...] = (),
    ) -> list[tuple[str, str, str]]:
        """Who, what is done, as what."""
        names = [fate.recipient for fate in before.fates]
        transaction = sample.transaction(recipients=names)
        ruled = Ruled(rulings)
        transaction, after = ruled.applied(transaction, before, together)
        to = [str(forward.address) for forward in transaction.envelope.recipients]
        self.assertEqual(to, [fate.recipient for fate in after.fates])
        return [(f.recipient, f.disposition.value, f.category) for f in after.fates]

    def test_actions(self) -> None:
        """Each by himself; one reply for all refuses only what all are refused."""
        for action, done in (
            ("allow", ("deliver", "clean")),
            ("reject", ("reject", "policy")),
            ("quarantine", ("quarantine", "policy")),
            ("hold", ("quarantine", "approval")),
        ):
            clean = verdict((ANN, "clean"))
            self.assertEqual([(ANN, *done)], self.applied(clean, ruling(ANN, action)))
        both = verdict((ANN, "clean"), (BOB, "clean"))
        last = Ruling(BOB, "allow", LAST)
        self.assertEqual(
            [(ANN, "quarantine", "policy"), (BOB, "deliver", "clean")],
            self.applied(both, ruling(ANN, "reject"), last),
        )
        self.assertEqual(
            [(ANN, "reject", "policy"), (BOB, "deliver", "clean")],
            self.applied(both, ruling(ANN, "reject"), last, together=((ANN,), (BOB,))),
        )

    def test_stricter(self) -> None:
        """What was held stays held; spam may be refused, a virus is what it is."""
        for word, action, done in (
            ("spam", "allow", ("quarantine", "spam")),
            ("spam", "hold", ("quarantine", "spam")),
            ("spam", "reject", ("reject", "policy")),
            ("blocked", "quarantine", ("quarantine", "blocked")),
            ("allowed", "quarantine", ("quarantine", "policy")),
            ("virus", "reject", ("quarantine", "virus")),
            ("unscanned", "reject", ("quarantine", "unscanned")),
            ("deferred", "quarantine", ("defer", "deferred")),
        ):
            before = verdict((ANN, word))
            found = self.applied(before, ruling(ANN, action))
            self.assertEqual([(ANN, *done)], found, (word, action))

    def test_redirected(self) -> None:
        """To another, once; what is held stays with whom it was for."""
        lead = ruling(ANN, "redirect", redirect=CID)
        both = verdict((ANN, "clean"), (BOB, "clean"))
        other = ruling(BOB, "redirect", redirect=CID)
        self.assertEqual(
            [(BOB, "deliver", "clean"), (CID, "deliver", "clean")],
            self.applied(both, lead, Ruling(BOB, "allow", LAST)),
        )
        self.assertEqual([(CID, "deliver", "clean")], self.applied(both, lead, other))
        last = Ruling(CID, "allow", LAST)
        there = verdict((ANN, "clean"), (CID, "spam"))
        held = [(CID, "quarantine", "spam")]
        self.assertEqual(held, self.applied(there, lead, last))
        there = verdict((CID, "spam"), (ANN, "clean"))
        self.assertEqual(held, self.applied(there, last, lead))
        self.assertEqual(
            [(ANN, "quarantine", "virus")], self.applied(verdict((ANN, "virus")), lead)
        )

    def test_said(self) -> None:
        """
        One finding for each rule and what it does; the words for the sender are
        the rule's.
        """
        ruled = Ruled(
            (
                ruling(ANN, "reject", text="No"),
                ruling(BOB, "reject"),
                Ruling(CID, "allow", LAST),
            )
        )
        (finding,) = ruled.findings
        self.assertEqual("POLICY_REJECT", finding.symbol)
        self.assertEqual(f"for {ANN} {BOB}", finding.evidence)
        spared = ruling(CID, "allow", text="its approver sent it")
        found = Ruled((spared, *ruled.rulings)).findings
        self.assertEqual(["POLICY_ALLOW", "POLICY_REJECT"], [f.symbol for f in found])
        self.assertEqual(
            "the policy r says: allow (its approver sent it)", found[0].reason
        )
        self.assertEqual("No", ruled.text)
        self.assertEqual(REFUSED, Ruled((ruling(ANN, "reject"),)).text)
        self.assertEqual("", Ruled((ruling(ANN, "hold"),)).text)
        self.assertFalse(Ruled((Ruling(CID, "allow", LAST),)))
        self.assertTrue(ruled)

    def test_headed(self) -> None:
        """A header line is for whoever gets the message by that rule."""
        ruled = Ruled(
            (
                ruling(ANN, "redirect", redirect=CID, header="X-A: b"),
                Ruling(BOB, "allow", LAST),
            )
        )
        to = tuple(
            Recipient(n, a, "maildir", top=b"T\r\n") for n, a in ((1, BOB), (2, CID))
        )
        body = sample.transaction().body
        record = Record("1", "message", 0, "inbound", "", "", "", "", (), "clean", "")
        entry = Entry("1", 0.0, "", body, b"", (), to, record)
        tops = [one.top for one in ruled.headed(entry).recipients]
        self.assertEqual([b"T\r\n", b"T\r\nX-A: b\r\n"], tops)
