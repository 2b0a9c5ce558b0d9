"""Evidence, and the Authentication-Results field made of it."""

import authres
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.authres import authentication_results, evidence, tags


@frozen
class Said:
    """A finding, as far as it is read here."""

    symbol: str
    evidence: str


ANYTHING = st.text(max_size=300)
SYMBOLS = st.sampled_from(
    ["SPF_PASS", "SPF_FAIL", "DKIM_PASS", "DKIM_NONE", "DMARC_FAIL_REJECT", "X_Y"]
)


class EvidenceTests(SynchronousTestCase):
    """What is written is read back, and nothing else is."""

    def test_both_ways(self) -> None:
        """Tags come first, words for people after them."""
        text = evidence("because d=other", d="example.org", s="", by="spf")
        self.assertEqual("d=example.org by=spf : because d=other", text)
        self.assertEqual({"d": "example.org", "by": "spf"}, tags(text))

    def test_never_another_domain(self) -> None:
        """A value too long is left out: cut, it would name another domain."""
        self.assertEqual({}, tags(evidence(d="x" * 250 + ".bank.example")))

    @given(ANYTHING, ANYTHING, ANYTHING)
    def test_no_injection(self, words: str, domain: str, client: str) -> None:
        """Whatever strangers write, there are no tags but ours."""
        text = evidence(words, d=domain, client=client)
        found = tags(text)
        self.assertLessEqual(set(found), {"d", "client"})
        self.assertTrue(text.isascii() and text.isprintable())
        if found.get("d") and "?" not in found["d"]:
            self.assertEqual(domain, found["d"])


class FieldTests(SynchronousTestCase):
    """The field that mail programs and filters read (RFC 8601)."""

    def test_all_methods(self) -> None:
        """One result for each finding that is about authentication."""
        findings = [
            Said("VIRUS_CLEAN", ""),
            Said("SPF_SOFTFAIL", evidence(d="a.example", mailfrom="a.example")),
            Said("DKIM_PASS", evidence(d="b.example", s="sel", bits="2048")),
            Said("DMARC_FAIL_QUARANTINE", evidence(d="c.example")),
            Said("AUTHENTICATED", evidence(d="c.example", by="dkim")),
        ]
        self.assertEqual(
            b"Authentication-Results: mx.example;\r\n"
            b"\tspf=softfail smtp.mailfrom=a.example;\r\n"
            b"\tdkim=pass header.d=b.example header.s=sel;\r\n"
            b"\tdmarc=fail (p=quarantine) header.from=c.example\r\n",
            authentication_results("mx.example", findings),
        )

    def test_nothing(self) -> None:
        """That nothing was checked is said."""
        self.assertEqual(
            b"Authentication-Results: mx.example;\r\n\tnone\r\n",
            authentication_results("mx.example", []),
        )

    def test_raw_values(self) -> None:
        """Even evidence that was not written here stays inside its quotation."""
        raw = 'mailfrom=a"b\\c\r\nX-Evil:\0'
        self.assertEqual(
            b"Authentication-Results: mx.example;\r\n"
            b'\tspf=pass smtp.mailfrom="a\\"b\\\\c??X-Evil:?"\r\n',
            authentication_results("mx.example", [Said("SPF_PASS", raw)]),
        )

    @given(st.lists(st.tuples(SYMBOLS, ANYTHING, ANYTHING), max_size=6), ANYTHING)
    def test_cannot_break_out(self, said: list[tuple[str, str, str]], raw: str) -> None:
        """No value ends the field, a line, or its own quotation (R60)."""
        findings = [
            Said(symbol, evidence(words, d=domain, mailfrom=domain, s=words))
            for symbol, domain, words in said
        ]
        findings.append(Said("SPF_PASS", raw))
        field = authentication_results("mx.example", findings)
        self.assertTrue(field.endswith(b"\r\n"))
        lines = field[:-2].split(b"\r\n")
        self.assertTrue(all(line.startswith(b"\t") for line in lines[1:]))
        self.assertTrue(all(0x20 <= c < 0x7F or c == 9 for c in b"".join(lines)))
        self.assertTrue(all(len(line) < 998 for line in lines))
        text = field.decode().replace("\r\n", "").replace("\t", " ")
        read = authres.AuthenticationResultsHeader.parse(text)
        self.assertEqual("mx.example", read.authserv_id)
        wanted = [f.symbol for f in findings if f.symbol != "X_Y"]
        self.assertEqual(len(wanted), len(read.results))
