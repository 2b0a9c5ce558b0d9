"""Tests for L{smfd.model.said}."""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.said import Said, parse_said


class SaidTests(SynchronousTestCase):
    """The last word on a recipient, as it stands in the records."""

    def test_shown(self) -> None:
        """Reply, status, server and words, as far as there are any."""
        for said, line in (
            (
                Said("5.1.1", "no such user", 550, "mx.example", "192.0.2.1"),
                "550 5.1.1 host mx.example [192.0.2.1]: no such user",
            ),
            (
                Said("4.4.1", "refused", host="mx.example", address="2001:db8::1"),
                "4.4.1 host mx.example [2001:db8::1]: refused",
            ),
            (Said("5.1.2", "no such domain"), "5.1.2: no such domain"),
            (Said("4.2.0", "a: b", 450, "mx"), "450 4.2.0 host mx: a: b"),
        ):
            self.assertEqual(line, str(said))
            self.assertEqual(said, parse_said(line))

    def test_of_others(self) -> None:
        """A line that is none of ours is its own text."""
        for line in ("", "a fault", "550 no", "9.1.1: x", "5.1.1 host a b: x", "5.1.1"):
            self.assertEqual(Said("", line), parse_said(line))

    @given(
        st.from_regex(r"\A[245]\.[0-9]{1,3}\.[0-9]{1,3}\Z"),
        st.text(max_size=300),
        st.one_of(st.just(0), st.integers(200, 599)),
        st.one_of(st.just(""), st.text(min_size=1, max_size=300)),
        st.one_of(st.just(""), st.ip_addresses().map(str)),
    )
    @example("5.0.0", "a\r\n550 5.1.1 x", 550, "mx\r\n [1]: ", "192.0.2.1")
    def test_hostile(
        self, status: str, text: str, code: int, host: str, address: str
    ) -> None:
        """Whatever a server and the DNS say, it is one line, and is read the same."""
        line = str(Said(status, text, code, host, address))
        self.assertTrue(line.isprintable())
        again = parse_said(line)
        self.assertEqual((status, code), (again.status, again.code))
        self.assertEqual(bool(host), bool(again.host))
        self.assertEqual(line, str(again))

    @given(st.text(max_size=300))
    def test_any_line(self, line: str) -> None:
        """Any line can be read."""
        said = parse_said(line)
        if not said.status:
            self.assertEqual(line, said.text)
