"""Tests of smfd.format.tlsrpt and of the letter that carries a report."""

import email
import email.policy
import json
import zlib
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.format.tlsrpt import (
    LARGEST,
    MOST,
    Failure,
    Outcome,
    TLSReport,
    read_report,
)
from smfd.format.tlsrpt_letter import TLSLetter

SHARED = Path(smfd.__file__).parents[1].parent / "shared/conformance/reports/tlsrpt"
DAY = 1_800_057_600.0
REPORT = TLSReport(
    "us.test",
    "postmaster@us.test",
    "id1@us.test",
    DAY,
    DAY + 86399,
    (
        Outcome(
            "sts",
            "site.test",
            ("version: STSv1", "mode: enforce"),
            ("*.site.test",),
            7,
            (
                Failure("certificate-expired", 2, "192.0.2.1", "mx.site.test"),
                Failure("starttls-not-supported", 1, "", "b", "192.0.2.9", "stripped"),
            ),
        ),
        Outcome("no-policy-found", "site.test", good=1),
    ),
)


class WriteTests(SynchronousTestCase):
    """What we write, others read."""

    def test_document(self) -> None:
        """The names and sums are those of the standard."""
        document = json.loads(REPORT.written())
        self.assertEqual(
            "2027-01-16T00:00:00Z", document["date-range"]["start-datetime"]
        )
        self.assertEqual("2027-01-16T23:59:59Z", document["date-range"]["end-datetime"])
        first, second = document["policies"]
        self.assertEqual(
            {
                "policy-type": "sts",
                "policy-domain": "site.test",
                "policy-string": ["version: STSv1", "mode: enforce"],
                "mx-host": ["*.site.test"],
            },
            first["policy"],
        )
        summary = {
            "total-successful-session-count": 7,
            "total-failure-session-count": 3,
        }
        self.assertEqual(summary, first["summary"])
        self.assertNotIn("failure-details", second)
        self.assertEqual("stripped", first["failure-details"][1]["failure-reason-code"])

    def test_back(self) -> None:
        """What was written is read as it was, packed or not."""
        self.assertEqual(REPORT, read_report(REPORT.written()))
        self.assertEqual(REPORT, read_report(REPORT.packed()))

    def test_letter(self) -> None:
        """The letter is what mail programs know as a report, with the file in it."""
        letter = TLSLetter(
            "tls@us.test", "tls@site.test", "us.test", "site.test", REPORT, DAY
        )
        octets = letter.written()
        self.assertEqual(octets.count(b"\n"), octets.count(b"\r\n"))
        found: Any = email.message_from_bytes(octets, policy=email.policy.default)
        self.assertEqual("multipart/report", found.get_content_type())
        self.assertEqual("tlsrpt", found.get_param("report-type"))
        self.assertEqual("site.test", found["TLS-Report-Domain"])
        self.assertEqual("us.test", found["TLS-Report-Submitter"])
        self.assertIn("Report Domain: site.test Submitter: us.test", found["Subject"])
        text, file = found.iter_parts()
        self.assertEqual("text/plain", text.get_content_type())
        self.assertEqual("application/tlsrpt+gzip", file.get_content_type())
        name = f"us.test!site.test!{int(DAY)}!{int(DAY) + 86399}.json.gz"
        self.assertEqual(name, file.get_filename())
        self.assertEqual(REPORT, read_report(file.get_content()))


class ReadTests(SynchronousTestCase):
    """What others write."""

    def test_shared(self) -> None:
        """Reports that other programs have written."""
        for name, organization, counts in (
            ("rpt01.json", "Company-X", (5326, 303)),
            ("rpt02.json", "Google Inc.", None),
            ("rpt03.json", None, None),
        ):
            octets = (SHARED / name).read_bytes()
            report = read_report(octets)
            document = json.loads(octets)
            if organization:
                self.assertEqual(organization, report.organization)
            self.assertEqual(len(document["policies"]), len(report.outcomes))
            self.assertGreater(report.end, report.begin)
            if counts:
                (outcome,) = report.outcomes
                self.assertEqual(counts, (outcome.good, outcome.bad))

    def test_letters(self) -> None:
        """The same in letters, packed or not."""
        for name in ("rpt01", "rpt02"):
            octets = (SHARED / f"{name}.eml").read_bytes()
            message: Any = email.message_from_bytes(octets)
            part = message.get_payload()[1]
            report = read_report(part.get_payload(decode=True))
            self.assertTrue(report.outcomes[0].domain)

    def test_bad(self) -> None:
        """What is no report is none; a small file does not become a large one."""
        bomb = zlib.compressobj(9, wbits=31)
        packed = bomb.compress(b" " * (64 << 20)) + bomb.flush()
        for octets in (
            b"",
            b"[]",
            b"{}",
            b'{"policies": 1}',
            b"[" * 100_000,
            b"\x1f\x8b",
            REPORT.packed()[:-1],
            b" " * (LARGEST + 1),
            packed,
        ):
            with self.assertRaises(ValueError, msg=octets[:20]):
                read_report(octets)

    def test_many(self) -> None:
        """Of endless lists the beginning is read, and of long texts."""
        many = [{"policy": {"policy-domain": "x" * 3000}}] * (MOST + 9)
        octets = zlib.compress(json.dumps({"policies": many}).encode(), wbits=31)
        report = read_report(octets)
        self.assertEqual(MOST, len(report.outcomes))
        self.assertEqual(1000, len(report.outcomes[0].domain))

    @settings(max_examples=300)
    @given(st.data())
    def test_anything(self, data: st.DataObject) -> None:
        """Whatever stands in a place, what is read is of its kind."""
        value = st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=6,
        )
        document = json.loads(REPORT.written())
        place: Any = data.draw(
            st.sampled_from(
                [
                    document,
                    document["policies"][0],
                    document["policies"][0]["policy"],
                    document["policies"][0]["summary"],
                    document["policies"][0]["failure-details"][0],
                    document["date-range"],
                ]
            )
        )
        place[data.draw(st.sampled_from(sorted(place)))] = data.draw(value)
        try:
            report = read_report(json.dumps(document).encode())
        except ValueError:
            return
        for outcome in report.outcomes:
            self.assertTrue(outcome.domain.isprintable())
            self.assertGreaterEqual(outcome.bad, 0)
        self.assertEqual(report, read_report(report.written()))

    def test_times(self) -> None:
        """A time that is none is the beginning of all."""
        for text, seconds in (
            ("2016-04-01T00:00:00Z", 1459468800.0),
            ("2016-04-01T02:00:00+02:00", 1459468800.0),
            ("2016-04-01", 1459468800.0),
            ("9999-12-31T23:59:59-12:00", 0.0),
            ("0001-01-01T00:00:00+12:00", 0.0),
            ("yesterday", 0.0),
        ):
            document = {"policies": [], "date-range": {"start-datetime": text}}
            report = read_report(json.dumps(document).encode())
            self.assertEqual(seconds, report.begin, text)

    @settings(max_examples=200)
    @given(st.binary(max_size=60))
    def test_octets(self, octets: bytes) -> None:
        """Any octets are a report or a sentence."""
        for whole in (octets, b"\x1f\x8b" + octets):
            with self.assertRaises(ValueError):
                read_report(whole)
