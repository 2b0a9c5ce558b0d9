"""Tests for L{smfd.content.reports}: reports in messages."""

import gzip
import json
import os
import zipfile
from base64 import b64encode
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.content import reports, tls_reports
from smfd.content.reports import read_reports
from smfd.format.dmarc_report import Report, read_report
from smfd.format.tlsrpt import TLSReport
from smfd.format.tlsrpt import read_report as read_tls_report
from tests.format.test_dmarc_report import report

SHARED = Path(smfd.__file__).parents[1].parent / "shared"
VECTORS = SHARED / "conformance" / "reports" / "dmarc-feedback"
OURS = {"hostname": "mx.home.example"}
WORD = (
    b"Authentication-Results: mx.%s.example;\r\n dmarc=%s header.from=them.example\r\n"
)
PROVEN = WORD % (b"home", b"pass")


def zipped(*files: bytes) -> bytes:
    """A zip archive."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, file in enumerate(files):
            archive.writestr(f"{number}.xml", file)
    return made.getvalue()


def mail(data: bytes, kind: str = "application/gzip", name: str = "r.xml.gz") -> bytes:
    """A message with something attached."""
    message = EmailMessage()
    message["From"] = "reports@them.example"
    message.set_content("A report.")
    major, _, minor = kind.partition("/")
    message.add_attachment(data, maintype=major, subtype=minor, filename=name)
    return PROVEN + message.as_bytes().replace(b"\n", b"\r\n")


def many(data: bytes, number: int, name: str) -> bytes:
    """A message with something attached again and again."""
    message = EmailMessage()
    for _ in range(number):
        message.add_attachment(data, "application", "octet-stream", filename=name)
    return message.as_bytes().replace(b"\n", b"\r\n")


class ReportsTests(SynchronousTestCase):
    """DMARC reports as they come by mail."""

    def test_long(self) -> None:
        """A letter full of long things that are no reports does not take forever."""
        noise = b64encode(os.urandom(15_000))
        xml = b"<feedback><!--" + noise + b"-->" + b" " * 4_000_000
        read = []

        def reading(data: bytes) -> Report:
            read.append(len(data))
            return read_report(data)

        self.patch(reports, "read_report", reading)
        found = self.read(many(gzip.compress(xml), 30, "r.xml.gz"))
        self.assertEqual([], found["reports"])
        self.assertEqual(5, len(read))
        found = self.read(many(gzip.compress(b"<feedback>"), 30, "r.xml.gz"))
        self.assertEqual(25, len(read))

    def test_long_tls(self) -> None:
        """Nor does one full of what is no report on TLS."""
        tries = []

        def reading(data: bytes) -> TLSReport:
            tries.append(len(data))
            return read_tls_report(data)

        self.patch(tls_reports, "read_report", reading)
        found = self.read(many(gzip.compress(b"[" * 9_000_000), 30, "r.json.gz"))
        self.assertEqual([], found["tls"])
        self.assertEqual(5, len(tries))

    def read(self, message: bytes) -> dict[str, Any]:
        """What is found; it goes through JSON."""
        found: dict[str, Any] = json.loads(json.dumps(read_reports(message, OURS)))
        return found

    def test_vectors(self) -> None:
        """Mail of five large reporters is read."""
        paths = sorted(VECTORS.glob("*.eml"))
        self.assertGreater(len(paths), 4)
        for path in paths:
            (found,) = self.read(path.read_bytes())["reports"]
            wanted = json.loads(path.with_suffix(".json").read_text())
            self.assertEqual(wanted["policy_published"]["domain"], found["domain"])
            self.assertEqual(len(wanted["record"]), len(found["rows"]))
            total = sum(one["row"]["count"] for one in wanted["record"])
            self.assertEqual(total, sum(row["number"] for row in found["rows"]))

    def test_packings(self) -> None:
        """Packed by gzip, by zip, or not at all; whatever its type says."""
        for data, kind in (
            (gzip.compress(report()), "application/octet-stream"),
            (zipped(report()), "application/x-zip-compressed"),
            (report(), "application/xml"),
            (report(), "text/xml"),
            (report(), "text/html"),
        ):
            found = self.read(mail(data, kind, "Report.XML"))
            self.assertEqual("Them", found["reports"][0]["reporter"], kind)
            self.assertEqual("them.example", found["sender"])

    def test_bombs(self) -> None:
        """What becomes far too long when it is unpacked is not unpacked."""
        huge = b"<feedback>" + b" " * (64 << 20)
        for data in (gzip.compress(huge), zipped(huge)):
            found = self.read(mail(data))
            self.assertEqual([], found["reports"])
            self.assertIn("too large once it is unpacked", found["wrong"][0])

    def test_broken(self) -> None:
        """What cannot be unpacked or read is told, and the next is read."""
        good = gzip.compress(report())
        for data in (
            good[:40],
            good[:20] + b"\0" * 40,
            zipped(report())[:-8],
            zipped(b"<a/>"),
            b"<!DOCTYPE a><feedback/>",
        ):
            message = mail(data, name="a.xml")
            found = self.read(message)
            self.assertEqual(([], 1), (found["reports"], len(found["wrong"])))

    def test_many(self) -> None:
        """A message of a hundred reports brings five."""
        found = self.read(mail(zipped(*[report()] * 100)))
        self.assertEqual(5, len(found["reports"]))

    def test_sender(self) -> None:
        """Only our own word proves who sent it, and only at the top."""
        message = mail(gzip.compress(report()))
        for top, sender in (
            (b"", "them.example"),
            (WORD % (b"other", b"pass"), ""),
            (WORD % (b"home", b"fail"), ""),
        ):
            self.assertEqual(sender, self.read(top + message)["sender"])
        self.assertEqual("", self.read(message.removeprefix(PROVEN))["sender"])

    @given(st.binary(max_size=300), st.sampled_from([b"\x1f\x8b", b"PK\x03\x04", b"<"]))
    def test_anything(self, data: bytes, first: bytes) -> None:
        """Whatever is attached, there is an answer."""
        self.assertEqual([], self.read(mail(first + data))["reports"])
