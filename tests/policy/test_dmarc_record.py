"""Tests for L{smfd.policy.dmarc_record} and L{smfd.policy.dmarc_seen}."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.authres import evidence
from smfd.policy.dmarc_record import Asked, Published, confirming, confirms, record
from smfd.policy.dmarc_seen import Seen, seen


def published(text: str) -> Published:
    """What a record says."""
    return Published("a.example", record(f"v=DMARC1; p=none; {text}") or {})


def organization(name: str) -> str:
    """The last two labels."""
    return ".".join(name.split(".")[-2:])


class RuaTests(SynchronousTestCase):
    """Who wants reports."""

    def test_addresses(self) -> None:
        """Addresses with their limits, in their order, two at most, each once."""
        for text, wanted in (
            ("mailto:d@a.example", [Asked("d@a.example")]),
            ("mailto:D@A.example!10m", [Asked("d@a.example", 10 << 20)]),
            ("mailto:d@a.example!500 , mailto:e@b.example!1k",
             [Asked("d@a.example", 500), Asked("e@b.example", 1024)]),
            ("mailto:d@a.example?subject=x", [Asked("d@a.example")]),
            ("mailto:d@a.example,mailto:d@a.example,mailto:e@b.c,mailto:f@b.c",
             [Asked("d@a.example"), Asked("e@b.c")]),
            ("https://a.example/in, mailto:, mailto:d, mailto:d@localhost", []),
            ("mailto:d@[127.0.0.1],mailto:<d@a.example>,mailto:a b@a.example", []),
        ):  # fmt: skip
            self.assertEqual(tuple(wanted), published(f"rua={text}").rua, text)
        self.assertEqual((), published("sp=none").rua)

    @given(st.text(max_size=300))
    def test_anything(self, text: str) -> None:
        """Whatever is written, nobody gets a report at what is no address."""
        for asked in Published("a.example", {"rua": text}).rua:
            self.assertEqual(1, asked.address.count("@"))
            self.assertTrue(asked.address.isascii() and asked.address.isprintable())

    def test_confirms(self) -> None:
        """Another's domain has to say itself that it wants them."""
        name = confirming("a.example", Asked("d@b.example"))
        self.assertEqual("a.example._report._dmarc.b.example", name)
        for records, wanted in (
            ((b"v=DMARC1",), True),
            ((b"other", b"v = DMARC1; rua=mailto:x@y.z"), True),
            ((b"v=spf1 -all",), False),
            ((), False),
        ):
            self.assertEqual(wanted, confirms(records), records)

    def test_aligned(self) -> None:
        """A pass of the same organization proves, or of the same domain alone."""
        relaxed, strict = published(""), published("adkim=s; aspf=s")
        for result, author, wanted in (
            ("pass mail.a.example s1", "a.example", (True, False)),
            ("pass a.example", "a.example", (True, True)),
            ("pass b.example", "a.example", (False, False)),
            ("fail a.example", "a.example", (False, False)),
            ("", "a.example", (False, False)),
        ):
            for method in ("spf", "dkim"):
                found = tuple(
                    one.aligned(method, result, author, organization)
                    for one in (relaxed, strict)
                )
                self.assertEqual(wanted, found, result)


class SeenTests(SynchronousTestCase):
    """What a record says to the owner of a domain."""

    def document(self, symbol: str, *fates: str, **more: Any) -> dict[str, Any]:
        """A decision record."""
        findings = [
            ("spf", "SPF_FAIL", evidence("why", d="B.example", client="x")),
            ("dkim", "DKIM_PASS", evidence(d="a.example", s="s1", bits="2048")),
            ("dkim", "DKIM_FAIL", evidence(d="c.example", s="s2")),
            ("dmarc", symbol, evidence(d="a.example")),
        ]
        return {
            "kind": "message",
            "flow": "inbound",
            "client": "192.0.2.1",
            "findings": [
                {"stage": stage, "symbol": name, "evidence": text}
                for stage, name, text in findings
            ],
            "fates": [{"disposition": fate} for fate in fates],
            **more,
        }

    def test_said(self) -> None:
        """Whence, what SPF and DKIM said, and what was done for DMARC's sake."""
        found = seen(self.document("DMARC_FAIL_REJECT", "reject", "reject"))
        self.assertEqual(
            Seen(
                "a.example",
                "192.0.2.1",
                "reject",
                "fail b.example",
                "pass a.example s1;fail c.example s2",
            ),
            found,
        )

    def test_disposition(self) -> None:
        """What some got anyway, and what was kept back for other reasons, is none."""
        for symbol, fates, wanted in (
            ("DMARC_FAIL_REJECT", ("quarantine", "quarantine"), "quarantine"),
            ("DMARC_FAIL_REJECT", ("reject", "deliver"), "none"),
            ("DMARC_PASS", ("reject",), "none"),
            ("DMARC_FAIL_NONE", (), "none"),
        ):
            found = seen(self.document(symbol, *fates))
            assert found is not None
            self.assertEqual(wanted, found.disposition, symbol)

    def test_others(self) -> None:
        """Where nobody asked, or could be asked, and of our own users: nothing."""
        for symbol in ("DMARC_NONE", "DMARC_TEMPERROR", "AUTHENTICATED"):
            self.assertIsNone(seen(self.document(symbol)))
        for name, value in (("flow", "outbound"), ("kind", "connection")):
            self.assertIsNone(seen(self.document("DMARC_PASS", **{name: value})))
