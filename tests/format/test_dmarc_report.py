"""Tests for L{smfd.format.dmarc_report}."""

import json
from pathlib import Path

from attrs import asdict
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.format.dmarc_report import ROWS, NoReport, read_report

SHARED = Path(smfd.__file__).parents[1].parent / "shared"
VECTORS = SHARED / "conformance" / "reports" / "dmarc-feedback"

ROW = """
<record><row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated>
<disposition>Reject</disposition><dkim>fail</dkim><spf>pass</spf>
</policy_evaluated></row><identifiers><header_from>Example.ORG</header_from>
</identifiers><auth_results><dkim><domain>a.example</domain><selector>s1</selector>
<result>fail</result></dkim><spf><domain>example.org</domain><result>pass</result></spf>
</auth_results></record>
"""
HEAD = """<?xml version="1.0"?><feedback><report_metadata><org_name>Them</org_name>
<report_id>n1</report_id><date_range><begin>100</begin><end>200</end></date_range>
</report_metadata><policy_published><domain>example.org</domain><p>none</p>
</policy_published>"""


def report(rows: str = ROW, head: str = HEAD) -> bytes:
    """A report."""
    return f"{head}{rows}</feedback>".encode()


class VectorTests(SynchronousTestCase):
    """Reports that others collected."""

    def test_all(self) -> None:
        """Each is read as its description says."""
        paths = sorted(VECTORS.glob("*.xml"))
        self.assertGreater(len(paths), 4)
        for path in paths:
            wanted = json.loads(path.with_suffix(".json").read_text())
            found = read_report(path.read_bytes())
            meta = wanted["report_metadata"]
            self.assertEqual(
                (
                    wanted["policy_published"]["domain"],
                    meta["org_name"],
                    meta["report_id"],
                    meta["date_range"]["begin"],
                    meta["date_range"]["end"],
                ),
                (found.domain, found.reporter, found.name, found.begins, found.ends),
            )
            rows = [
                (
                    one["row"]["source_ip"],
                    one["row"]["count"],
                    one["row"]["policy_evaluated"]["disposition"].lower(),
                    one["row"]["policy_evaluated"]["dkim"] == "Pass",
                    one["row"]["policy_evaluated"]["spf"] == "Pass",
                    one["identifiers"]["header_from"],
                )
                for one in wanted["record"]
            ]
            self.assertEqual(
                rows,
                [(r.source, r.number, r.disposition, r.dkim, r.spf, r.author)
                 for r in found.rows],
                path.name,
            )  # fmt: skip


class ReportTests(SynchronousTestCase):
    """What is in a report."""

    def test_row(self) -> None:
        """A row has its fate, its author, and what SPF and DKIM said."""
        (row,) = read_report(report()).rows
        self.assertEqual(
            {
                "source": "192.0.2.1",
                "number": 3,
                "disposition": "reject",
                "dkim": False,
                "spf": True,
                "author": "example.org",
                "detail": "dkim=fail a.example/s1; spf=pass example.org",
            },
            asdict(row),
        )

    def test_dtd(self) -> None:
        """A DTD is refused, whatever is in it: no laughs, no files of ours."""
        for dtd in (
            "<!DOCTYPE feedback>",
            '<!DOCTYPE feedback [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
            '<!DOCTYPE feedback [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE feedback SYSTEM "http://127.0.0.1/a.dtd">',
        ):
            head = HEAD.replace("<feedback>", f"{dtd}<feedback>")
            with self.assertRaisesRegex(NoReport, "DTD"):
                read_report(report(head=head.replace("Them", "&a;")))

    def test_no_report(self) -> None:
        """What is no report, or half of one, is none."""
        for xml in (
            b"",
            b"<a/>",
            b"<feedback/>",
            report()[:-5],
            report() + b"<x/>",
            b"\xff\xfe" * 100,
            report(head=HEAD.replace("example.org", "../x")),
            report("<a>" * 100 + "</a>" * 100),
            report(" " * (8 << 20)),
            report(head=HEAD.replace("1.0", '1.0" encoding="x-none')),
        ):
            with self.assertRaises(NoReport):
                read_report(xml)

    def test_many_rows(self) -> None:
        """Rows beyond the limit are counted as one."""
        found = read_report(report(ROW * (ROWS + 10)))
        self.assertEqual(ROWS + 1, len(found.rows))
        self.assertEqual((30, "others"), (found.rows[-1].number, found.rows[-1].detail))

    def test_odd(self) -> None:
        """Addresses that are none, numbers too large and control characters."""
        row = ROW.replace("192.0.2.1", "x").replace(">3<", ">99999999999<")
        row = row.replace(">s1<", ">s&#9;&#x202e;1<")
        (found,) = read_report(report(row)).rows
        self.assertEqual(("", 10**9), (found.source, found.number))
        self.assertIn("s??1", found.detail)

    @settings(max_examples=200)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(report()) - 1),
                st.integers(0, 9),
                st.binary(max_size=6),
            ),
            max_size=4,
        )
    )
    def test_scratched(self, scratches: list[tuple[int, int, bytes]]) -> None:
        """However it is scratched, it is a report with its limits, or none."""
        xml = report()
        for at, length, put in scratches:
            xml = xml[:at] + put + xml[at + length :]
        try:
            found = read_report(xml)
        except NoReport as why:
            self.assertTrue(str(why))
            return
        text = "".join(map(str, (found.reporter, found.name, found.policy)))
        self.assertTrue(text.isprintable())
        for row in found.rows:
            self.assertTrue(0 <= row.number <= 10**9 and row.detail.isprintable())
