"""Tests for L{smfd.control.complaints}, with the worker's part."""

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.content.reports import complaint
from smfd.control.complaints import Complaints

SHARED = Path(smfd.__file__).parents[1].parent / "shared"
VECTORS = SHARED / "conformance" / "reports" / "arf"
ANN, ID = "ann@home.example", "0123456789abcdef"

FORM = b"""\
Authentication-Results: mx.home.example; dmarc=pass header.from=yahoo.com
From: feedback@yahoo.com\r
Content-Type: multipart/report; report-type=feedback-report; boundary=b\r
\r
--b\r
Content-Type: message/feedback-report\r
\r
Feedback-Type: %s\r
User-Agent: x\r
Version: 1\r
\r
--b\r
Content-Type: message/rfc822\r
\r
Received: from a by mx.home.example with ESMTPSA id %s\r
\tfor <u@yahoo.com>; Sun, 22 Nov 2026 07:00:00 +0000\r
From: ann@home.example\r
\r
Buy.\r
--b--\r
"""


def read(message: bytes) -> Any:
    """What a worker says of it."""
    said = complaint(message, {"hostname": "mx.home.example"})
    return json.loads(json.dumps(said))


class ComplaintTests(SynchronousTestCase):
    """Who called a message of ours spam."""

    def setUp(self) -> None:
        self.records: dict[str, Any] = {ID: {"account": ANN, "sender": ANN}}
        self.known: set[str] = set()
        self.told: list[tuple[str, str, str]] = []
        self.held: list[str] = []
        self.complaints = Complaints(self.record, self.first, self.tell, self.hold)

    def record(self, name: str) -> Deferred[dict[str, Any] | None]:
        """Of a message."""
        found = self.records.get(name)
        return succeed(found and {"record": found})

    def first(self, name: str) -> Deferred[bool]:
        """Whether it is."""
        new = name not in self.known
        self.known.add(name)
        return succeed(new)

    def tell(self, *told: str) -> None:
        """Note it."""
        sender, account, by = told
        self.told.append((sender, account, by))

    def hold(self, account: str) -> Deferred[None]:
        """Note it."""
        self.held.append(account)
        return succeed(None)

    def take(self, said: Any) -> None:
        """Take what a worker says."""
        self.successResultOf(Deferred.fromCoroutine(self.complaints.take(said)))

    def test_counts(self) -> None:
        """It counts for the account that sent it, once for each message."""
        for _ in range(3):
            self.take(read(FORM % (b"abuse", ID.encode())))
        self.assertEqual([(ANN, ANN, "yahoo.com")], self.told)
        self.assertEqual([ANN], self.held)

    def test_harmless(self) -> None:
        """Who says that it was no spam complains of nobody."""
        for kind in (b"not-spam", b"auth-failure", b"other"):
            self.take(read(FORM % (kind, ID.encode())))
        self.assertEqual(([], []), (self.told, self.held))

    def test_made_up(self) -> None:
        """What is about no message of a user of ours counts for nobody."""
        self.records["f" * 16] = {"account": "", "sender": "x@a.example"}
        for said in (
            read(FORM % (b"abuse", b"e" * 16)),
            read(FORM % (b"abuse", b"f" * 16)),
            read(FORM % (b"abuse", b"../../x")),
            read((FORM % (b"abuse", ID.encode())).replace(b"by mx.home", b"by mx.a")),
            read(b"From: x\r\n\r\nyou spam me"),
            None,
            {"id": 5, "kind": "abuse"},
            {"id": ID * 2, "kind": "abuse"},
        ):
            d = Deferred.fromCoroutine(self.complaints.take(said))
            self.failureResultOf(d, ValueError)
        self.assertEqual(([], []), (self.told, self.held))

    def test_vectors(self) -> None:
        """Complaints that others collected are read; none is about mail of ours."""
        paths = sorted(VECTORS.glob("*.eml"))
        self.assertGreater(len(paths), 4)
        for path in paths:
            said = read(path.read_bytes())
            self.assertEqual(("", []), (said["id"], said["wrong"]), path.name)
            self.assertTrue(said["kind"], path.name)
