"""Tests of smfd.policy.tlsrpt."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.tlsrpt import MOST, read_rua


class RuaTests(SynchronousTestCase):
    """Who wants reports."""

    def test_good(self) -> None:
        """Addresses and pages, in their order, each once."""
        for record, found in (
            (b"v=TLSRPTv1; rua=mailto:a@b.example", ("a@b.example",)),
            (b"v=TLSRPTv1;rua=mailto:a@b.example;", ("a@b.example",)),
            (
                b"v=TLSRPTv1; x=y; rua=https://b.example/x?y , mailto:a@b.example",
                ("https://b.example/x?y", "a@b.example"),
            ),
            (b"v=TLSRPTv1; rua=MAILTO:a@b.example?subject=x", ("a@b.example",)),
            (
                b"v=TLSRPTv1; rua=mailto:a@b.example,mailto:a@b.example",
                ("a@b.example",),
            ),
        ):
            self.assertEqual(found, read_rua([b"v=spf1 -all", record]), record)

    def test_bad(self) -> None:
        """What is no address, no page, or said twice, is nobody."""
        good = b"v=TLSRPTv1; rua=mailto:a@b.example"
        for records in (
            [],
            [good, good],
            [b"v=TLSRPTv2; rua=mailto:a@b.example"],
            [b"v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:b@b.example"],
            [b"v=TLSRPTv1;"],
            [b"v=TLSRPTv1; rua=http://b.example/"],
            [b"v=TLSRPTv1; rua=https://user@b.example/"],
            [b"v=TLSRPTv1; rua=https://b.example:8443/"],
            [b"v=TLSRPTv1; rua=mailto:a b@b.example"],
            [b"v=TLSRPTv1; rua=mailto:a@b.example>\r\nBcc: x"],
            [b"v=TLSRPTv1; rua=mailto:@b.example"],
            [b"v=TLSRPTv1; rua=mailto:a@[127.0.0.1]"],
            [good + b"\xc3\xa9"],
            [good + b" " * 2000],
        ):
            self.assertEqual((), read_rua(records), records)

    def test_many(self) -> None:
        """Nobody has us write to a hundred."""
        many = b",".join(b"mailto:a%d@b.example" % n for n in range(50))
        self.assertEqual(MOST, len(read_rua([b"v=TLSRPTv1; rua=" + many])))

    @given(st.text(alphabet="amailto:@b.,;?=%! \r\n/\u00e9", max_size=60))
    def test_anything(self, text: str) -> None:
        """Whatever stands there, nothing of it can end a header field."""
        for where in read_rua([b"v=TLSRPTv1; rua=" + text.encode()]):
            self.assertTrue(where.isascii() and where.isprintable())
            self.assertNotIn(" ", where)
