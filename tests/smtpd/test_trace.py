"""Tests for L{smfd.smtpd.trace} and L{smfd.smtpd.recorder}."""

from pathlib import Path
from time import perf_counter
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.entry import NOTHING, Asked, Entry
from smfd.model.finding import Finding, Result
from smfd.model.record import Record
from smfd.model.transaction import Body, Transaction
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.proto.reply import reply
from smfd.smtpd.recorder import Recorder
from smfd.smtpd.trace import Tracer
from smfd.store.maillog import MailLog
from tests import sample

ANN, BOB = "ann@example.test", "bob@example.test"
TAKEN = reply(250, "2.0.0", "Accepted id=1")
MIXED = Verdict(
    "mixed",
    7.5,
    (
        Fate(ANN, Disposition.DELIVER, "allowed", "she said so"),
        Fate(BOB, Disposition.QUARANTINE, "spam", "pills", 7.5, 5.0),
    ),
)
CLEAN = Verdict(
    "clean", 0.0, (Fate(BOB, Disposition.DELIVER, "clean", "fine", 0.0, 5.0),)
)


class Pages:
    """A ledger that remembers what it was told to note."""

    def __init__(self) -> None:
        self.noted: list[Record] = []

    def note(self, record: Record) -> None:
        """Remember."""
        self.noted.append(record)


class RecorderTestCase(SynchronousTestCase):
    """A recorder with a mail log in a file."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.pages = Pages()
        ledger: Any = self.pages
        clock: Any = Clock()
        self.maillog = MailLog(self.path, clock)
        self.recorder = Recorder(ledger, self.maillog, clock)

    def logged(self) -> list[str]:
        """The lines of the mail log."""
        self.maillog.stopService()
        return self.path.read_text().splitlines()


class TracerTests(RecorderTestCase):
    """What is put on top of a message."""

    def entry(self, transaction: Transaction, verdict: Verdict) -> Entry:
        """The entry of a judged message."""
        record = self.recorder.record(transaction, verdict, TAKEN, perf_counter())
        return Tracer("mx.example.test").entry(transaction, verdict, record, {})

    def test_one(self) -> None:
        """For one recipient the trace names him."""
        entry = self.entry(sample.transaction(findings=[sample.SPF_PASS]), CLEAN)
        top = entry.top.decode()
        self.assertTrue(top.startswith("Authentication-Results: mx.example.test"), top)
        self.assertIn("\r\nReceived: from mail.sender.test ([192.0.2.1])\r\n", top)
        self.assertIn("by mx.example.test with ESMTP id 0000000000000001", top)
        self.assertIn(f"for <{BOB}>", top)
        (recipient,) = entry.recipients
        self.assertEqual(
            (1, BOB, "maildir"),
            (
                recipient.number,
                recipient.address,
                recipient.destination,
            ),
        )
        self.assertEqual(
            [
                b"Return-Path: <ann@sender.test>",
                b"Delivered-To: " + BOB.encode(),
                b"X-Spam-Status: No, clean score=0 required=5 id=0000000000000001",
                b"",
            ],
            recipient.top.split(b"\r\n"),
        )

    def test_many(self) -> None:
        """For several, none learns of the others, and each has his own end."""
        entry = self.entry(sample.transaction(recipients=(ANN, BOB)), MIXED)
        self.assertNotIn(b"for <", entry.top)
        self.assertEqual(
            [("maildir", "allowed"), ("quarantine", "spam")],
            [(r.destination, r.category) for r in entry.recipients],
        )
        ann, bob = (recipient.top for recipient in entry.recipients)
        self.assertNotIn(BOB.encode(), ann)
        self.assertNotIn(b"X-Spam-Flag", ann)
        self.assertIn(b"X-Spam-Flag: YES\r\n", bob)

    def test_bounce(self) -> None:
        """The null path is shown as such."""
        entry = self.entry(sample.transaction(sender=None), CLEAN)
        self.assertEqual("", entry.sender)
        self.assertTrue(entry.recipients[0].top.startswith(b"Return-Path: <>\r\n"))

    def test_forged(self) -> None:
        """What only we may write is cut out, all else stays (R59)."""
        forged = (
            b"X-Spam-Status: No\r\nAuthentication-Results: mx.example.test; x=y\r\n"
        )
        kept = b"Authentication-Results: other.test; spf=pass\r\n"
        data = forged + kept + sample.CLEAN
        entry = self.entry(sample.transaction(data), CLEAN)
        left = bytearray(data)
        for start, end in reversed(entry.cuts):
            del left[start:end]
        self.assertEqual(kept + sample.CLEAN, bytes(left))

    def test_vouched(self) -> None:
        """We seal what is forwarded, but on no chain that we did not find good."""
        tracer, data = Tracer("mx.example.test"), sample.CLEAN
        plain = sample.transaction(data, findings=[sample.SPF_PASS])
        self.assertIn("spf=pass", tracer.vouched(plain))
        chain = sample.transaction(b"ARC-Seal: i=1\r\n" + data)
        self.assertEqual("", tracer.vouched(chain))
        good = Finding("arc", "ARC_PASS", Result.PASS)
        self.assertIn("arc=pass", tracer.vouched(chain.found(good)))

    def test_asked(self) -> None:
        """What the sender asked for travels with his message (RFC 3461)."""
        data = "Subject: ü\r\n\r\n".encode()
        spf = [sample.SPF_PASS]
        plain = sample.transaction(data, recipients=(ANN, BOB), findings=spf)
        envelope = plain.envelope
        asked = evolve(
            envelope,
            ret="HDRS",
            envid="QQ314159",
            body="8BITMIME",
            smtputf8=True,
            recipients=(
                evolve(envelope.recipients[0], notify=("SUCCESS", "FAILURE")),
                evolve(envelope.recipients[1], notify=("NEVER",), orcpt="rfc822;b@c"),
            ),
        )
        session = evolve(plain.session, account="eve@sender.test")
        entry = self.entry(evolve(plain, envelope=asked, session=session), MIXED)
        self.assertEqual(Asked("HDRS", "QQ314159", "8BITMIME", True), entry.asked)
        self.assertEqual("eve@sender.test", entry.account)
        self.assertEqual(
            [("SUCCESS,FAILURE", ""), ("NEVER", "rfc822;b@c")],
            [(r.notify, r.orcpt) for r in entry.recipients],
        )
        self.assertIs(NOTHING, self.entry(plain, MIXED).asked)

    def test_unproven(self) -> None:
        """Who has not proved that he is the sender has no letters sent to him."""
        plain = sample.transaction()
        for wanted, heard, lmtp in (
            (("SUCCESS", "FAILURE"), "FAILURE", False),
            (("SUCCESS",), "NEVER", False),
            (("DELAY",), "DELAY", False),
            # A host of our own has asked before us.
            (("SUCCESS",), "SUCCESS", True),
        ):
            (forward,) = plain.envelope.recipients
            envelope = evolve(
                plain.envelope, recipients=(evolve(forward, notify=wanted),)
            )
            session = evolve(plain.session, lmtp=lmtp)
            entry = self.entry(evolve(plain, envelope=envelope, session=session), CLEAN)
            self.assertEqual(heard, entry.recipients[0].notify)

    def test_utf8_for_nothing(self) -> None:
        """A plain message is a plain one, whatever its client called it."""
        plain = sample.transaction()
        envelope = evolve(plain.envelope, smtputf8=True)
        entry = self.entry(evolve(plain, envelope=envelope), CLEAN)
        self.assertEqual(NOTHING, entry.asked)


class RecorderTests(RecorderTestCase):
    """What is written down."""

    def test_message(self) -> None:
        """Who, what, how it was judged, and what was said."""
        data = b"Subject: =?utf-8?q?caf=C3=A9?=\r\nFrom: Eve <eve@a.test>\r\n\r\n"
        judged = sample.transaction(data, findings=[sample.SPF_PASS])
        record = self.recorder.record(judged, MIXED, TAKEN, perf_counter() - 0.5)
        self.assertEqual(
            ("message", "mixed", "café", "eve@a.test", 7.5, "ann@sender.test"),
            (
                record.kind,
                record.verdict,
                record.subject,
                record.header_from,
                record.score,
                record.sender,
            ),
        )
        self.assertEqual("250 2.0.0 Accepted id=1", record.reply)
        self.assertGreaterEqual(record.ms, 500)
        self.assertEqual(MIXED.fates, record.fates)
        self.recorder.log(record)
        (line,) = self.logged()
        self.assertIn(f"to=<{ANN}>=allowed <{BOB}>=spam", line)
        self.assertIn("nrcpt=1", line)
        self.assertIn("verdict=mixed, score=7.5", line)

    def test_unjudged(self) -> None:
        """Refused unseen: 5yz is refused, 4yz deferred; no score is made up."""
        for code, word in ((554, "refused"), (450, "deferred")):
            said = reply(code, "5.0.0", "No")
            record = self.recorder.record(sample.transaction(), None, said, 0.0)
            self.assertEqual((word, None), (record.verdict, record.score))

    def test_fault(self) -> None:
        """A fault of ours is noted as a message that was deferred."""
        t = sample.transaction()
        self.recorder.broke(
            t.session, t.envelope, Body(7, b"1234567"), reply(451, "4.3.0", "x")
        )
        (record,) = self.pages.noted
        self.assertEqual(
            (t.envelope.id, "message", "deferred", 7),
            (record.id, record.kind, record.verdict, record.size),
        )
        self.assertIn("verdict=deferred", self.logged()[0])

    def test_hostile(self) -> None:
        """What a client says cannot start a line of the log."""
        t = sample.transaction()
        session = evolve(t.session, helo="x\r\n2026 0: forged=1")
        self.recorder.refused("1", session, None, reply(421, "4.7.0", "no"))
        self.recorder.closed(session, "lost\nforged")
        lines = self.logged()
        self.assertEqual(2, len(lines))
        self.assertEqual((), self.pages.noted[0].recipients)
