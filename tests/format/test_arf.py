"""Complaints of others (RFC 5965), of real programs and of enemies."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.format.arf import (
    LARGEST,
    Complaint,
    NoComplaint,
    read_complaint,
)
from smfd.format.received import received

SHARED = Path(smfd.__file__).parents[1].parent / "shared" / "conformance"
NAME = "mx.home.example"
OUR_ID = "01kq2m3n4p5q6r7s"


def complaint(fields: bytes, about: bytes = b"") -> bytes:
    """A report with these fields, about this message."""
    return (
        b"From: fbl@far.example\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/report; report-type=feedback-report;"
        b' boundary="x"\r\n\r\n'
        b"--x\r\nContent-Type: text/plain\r\n\r\nA complaint.\r\n"
        b"--x\r\nContent-Type: message/feedback-report\r\n\r\n"
        + fields
        + b"\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n"
        + about
        + b"\r\n--x--\r\n"
    )


class WorldTests(SynchronousTestCase):
    """What the world writes."""

    def test_vectors(self) -> None:
        """Others' reading of five reports is ours."""
        paths = sorted((SHARED / "reports" / "arf").glob("*.eml"))
        self.assertEqual(5, len(paths))
        for path in paths:
            expected: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
            found = read_complaint(path.read_bytes(), NAME)
            kind = expected["feedback_type"].replace("AuthFailure", "auth-failure")
            to = (expected["original_rcpt_to"] or "").strip("<>")
            self.assertEqual(
                (
                    kind.lower(),
                    expected["source_ip"] or "",
                    (expected["original_mail_from"] or "").strip("<>"),
                    [to] if to else [],
                    expected["reported_domain"],
                    expected["incidents"],
                ),
                (
                    found.kind,
                    found.source,
                    found.sender,
                    list(found.recipients[:1]),
                    list(found.domains),
                    found.incidents,
                ),
                path.name,
            )

    def test_bounces(self) -> None:
        """Reports of mail services that came as bounces are understood."""
        paths = sorted((SHARED / "dsn" / "sisimai-bsd").glob("arf-*.eml"))
        found = [self.read(path.read_bytes()) for path in paths]
        self.assertEqual(17, len(paths))
        # The other four are of another form, of one service alone.
        self.assertEqual(13, len([one for one in found if one]))

    def test_no_complaints(self) -> None:
        """Bounces are none."""
        paths = sorted((SHARED / "dsn" / "sisimai-bsd").glob("lhost-postfix-*.eml"))
        self.assertEqual({None}, {self.read(path.read_bytes()) for path in paths})

    def read(self, data: bytes) -> Complaint | None:
        """A complaint, or None."""
        try:
            return read_complaint(data, NAME)
        except NoComplaint:
            return None


class OursTests(SynchronousTestCase):
    """About a message of ours."""

    def ours(self, by: str = NAME, name: str = OUR_ID) -> bytes:
        """The trace field of a message that one of our users sent."""
        return received(
            helo="", client="", by=by, word="ESMTPSA", id=name, at=0.0, account="x"
        )

    def test_found(self) -> None:
        """Our own name for it stands in our Received field; the topmost counts."""
        about = (
            b"Received: from mx.home.example by mx.far.example id 7\r\n"
            + self.ours()
            + self.ours(name="0" * 16)
            + b"Message-ID: <1@home.example>\r\nSubject: Hi\r\n\r\nHi.\r\n"
        )
        fields = (
            b"Feedback-Type: abuse\r\nVersion: 1\r\nUser-Agent: Far/1.0\r\n"
            b"Original-Rcpt-To: <zoe@far.example>\r\nSource-IP: 192.0.2.1\r\n"
            b"Incidents: 3\r\nReported-Domain: Home.example\r\n"
        )
        self.assertEqual(
            Complaint(
                "abuse",
                "192.0.2.1",
                "",
                ("zoe@far.example",),
                ("home.example",),
                3,
                OUR_ID,
                "<1@home.example>",
                "Far/1.0",
            ),
            read_complaint(complaint(fields, about), NAME),
        )

    def test_not_ours(self) -> None:
        """The name that another server gave it is no name of ours."""
        for about in (
            self.ours(by="mx.far.example"),
            self.ours(by="evil-mx.home.example"),
            self.ours(by="mx-home.example"),
            self.ours().replace(b"by mx.home", b"standby mx.home"),
            self.ours(by="mx.home.example.evil"),
            b"Subject: by mx.home.example with SMTP id " + OUR_ID.encode() + b"\r\n",
        ):
            found = read_complaint(complaint(b"Feedback-Type: abuse\r\n", about), NAME)
            self.assertEqual("", found.id, about)

    def test_odd_fields(self) -> None:
        """What is not well formed is as if it were not there."""
        fields = (
            b"Feedback-Type: Opt-Out\r\nSource-IP: 1.2.3\r\nIncidents: -7\r\n"
            b"Original-Mail-From: <>\r\nOriginal-Rcpt-To: a b@c\r\n"
        )
        self.assertEqual(
            Complaint("other", recipients=("",)),
            read_complaint(complaint(fields), NAME),
        )

    def test_message_id(self) -> None:
        """A Message-ID with blanks in it is none."""
        for name in b"<a b@c>", b"a@c", b"<a@c":
            about = b"Message-ID: " + name + b"\r\n"
            found = read_complaint(complaint(b"Feedback-Type: abuse\r\n", about), NAME)
            self.assertEqual("", found.message_id)


class HostileTests(SynchronousTestCase):
    """Whatever comes, it is read or refused, and not at length."""

    def test_large(self) -> None:
        """Of a huge one the beginning is read."""
        fields = b"Feedback-Type: abuse\r\n" + b"Original-Rcpt-To: <a@b>\r\n" * 100_000
        found = read_complaint(complaint(fields), NAME)
        self.assertEqual(("a@b",) * 20, found.recipients)
        late = complaint(fields).replace(b"A complaint.", b"x\r\n" * (LARGEST // 3))
        self.assertRaises(NoComplaint, read_complaint, late, NAME)

    def test_long(self) -> None:
        """No text of it is long, and none has controls in it."""
        fields = b"Feedback-Type: abuse\r\nUser-Agent: \x1b[2J\r\n " + b"y" * 9999
        agent = read_complaint(complaint(fields + b"\r\n"), NAME).agent
        self.assertTrue(agent.isprintable())
        self.assertLessEqual(len(agent), 320)

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [b"Feedback-Type: abuse\r\n", b"Source-IP: ", b"\r\n", b"--x\r\n",
                 b"--x--", b"Content-Type: message/feedback-report\r\n\r\n", b"\xff",
                 b"Received: by mx.home.example with X id ", b"0" * 16, b"\0", b": ",
                 b"Content-Transfer-Encoding: base64\r\n\r\n", b"<a@b>", b"\n",
                 b"Original-Rcpt-To: ", b"Incidents: 99999999999999\r\n"]
            ),
            max_size=15,
        ).map(b"".join)
    )  # fmt: skip
    def test_anything(self, pieces: bytes) -> None:
        """It is a complaint or none, and never an accident."""
        for data in pieces, complaint(pieces), complaint(b"", pieces):
            try:
                found = read_complaint(data, NAME)
            except NoComplaint:
                continue
            for text in (found.source, found.sender, found.id, *found.recipients):
                self.assertTrue(text.isprintable())
