"""Tests of smfd.policy.mta_sts."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.mta_sts import LARGEST, LONGEST_AGE, STS, read_id, read_policy

POLICY = (
    b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n"
    b"mx: *.example.net\r\nmax_age: 604800\r\n"
)
LINES = [
    b"version: STSv1",
    b"mode: testing",
    b"mx: a.example",
    b"max_age: 1",
    b"mx:",
    b"mode : none",
    b"\xff: x",
    b"max_age: -1",
    b": :",
]


class RecordTests(SynchronousTestCase):
    """The record that says whether there is a policy."""

    def test_good(self) -> None:
        """The id is found whatever else is said, or stands beside it."""
        for record in (
            b"v=STSv1; id=20160831085700Z;",
            b"v=STSv1;id=20160831085700Z",
            b"v=STSv1 ;\tother=1; id=20160831085700Z ; ",
        ):
            others = [b"v=spf1 -all", b"v=STSv1"]
            self.assertEqual("20160831085700Z", read_id([*others, record]))

    def test_none(self) -> None:
        """Two records, a wrong id or another version are no policy."""
        good = b"v=STSv1; id=1"
        for records in (
            [],
            [good, good],
            [b"v=STSv1"],
            [b"v=STSv1;"],
            [b"v=STSv2; id=1"],
            [b"V=STSv1; id=1"],
            [b" v=STSv1; id=1"],
            [b"v=STSv1; id=" + b"1" * 33],
            [b"v=STSv1; id=1-2"],
            [b"v=STSv1; id"],
            [b"v=STSv1; id=1; =2"],
            [good + b";" * 1000],
        ):
            self.assertEqual("", read_id(records), records)

    @settings(max_examples=300)
    @given(st.lists(st.binary(max_size=60).map(lambda b: b"v=STSv1;" + b), max_size=2))
    def test_anything(self, records: list[bytes]) -> None:
        """Whatever is there, an id is short and plain."""
        found = read_id(records)
        self.assertTrue(not found or (found.isalnum() and len(found) <= 32))


class PolicyTests(SynchronousTestCase):
    """The file with the policy."""

    def test_good(self) -> None:
        """Line ends, order, space and unknown fields do not matter."""
        policy = STS("enforce", ("mail.example.com", "*.example.net"), 604800)
        self.assertEqual(policy, read_policy(POLICY))
        self.assertEqual(policy, read_policy(POLICY.replace(b"\r\n", b"\n")))
        twisted = b"new: thing\n\nmax_age:604800\n" + POLICY.replace(b": ", b":\t ")
        self.assertEqual(policy, read_policy(twisted))
        self.assertEqual(
            STS("none", (), 60),
            read_policy(b"version: STSv1\nmode: none\nmax_age: 60"),
        )

    def test_twice(self) -> None:
        """Of what is said twice the first counts, hosts apart."""
        policy = read_policy(POLICY + b"mode: none\nmax_age: 1\nmx: other.example\n")
        self.assertEqual(("enforce", 604800), (policy.mode, policy.max_age))
        self.assertEqual(3, len(policy.patterns))

    def test_age(self) -> None:
        """No policy is believed for longer than a year."""
        policy = read_policy(POLICY.replace(b"604800", b"9999999999"))
        self.assertEqual(LONGEST_AGE, policy.max_age)

    def test_bad(self) -> None:
        """What is not understood is no policy, and never half of one."""
        for old, new in (
            (b"STSv1", b"STSv2"),
            (b"version: STSv1\r\n", b""),
            (b"enforce", b"maybe"),
            (b"mode: enforce\r\n", b""),
            (b"max_age: 604800\r\n", b""),
            (b"604800", b"-1"),
            (b"604800", "\u0661".encode()),
            (b"604800", b"1" * 11),
            (b"mail.example.com", b"mail..example"),
            (b"mail.example.com", b"*"),
            (b"mail.example.com", b"m*.example"),
            (b"mail.example.com", b"mail.example.com\r\nmx"),
            (b"mail.example.com", b"\xff"),
            (b"mx: mail.example.com\r\n", b"mx: a.example\r\n" * 100),
            (b"mx: mail.example.com\r\nmx: *.example.net\r\n", b""),
            (b"version", b"<html>\r\nversion"),
            (b"version", b"\r\n" * LARGEST + b"version"),
        ):
            self.assertIn(old, POLICY)
            with self.assertRaises(ValueError, msg=new):
                read_policy(POLICY.replace(old, new))

    def test_permits(self) -> None:
        """An asterisk stands for one label, and names have no case."""
        policy = read_policy(POLICY)
        for host, good in (
            ("mail.example.com", True),
            ("MAIL.example.com.", True),
            ("a.example.net", True),
            ("a.b.example.net", False),
            ("example.net", False),
            (".example.net", False),
            ("other.example.com", False),
            ("mail.example.com.evil.test", False),
            ("*.example.net", True),
            ("", False),
        ):
            self.assertEqual(good, policy.permits(host), host)

    @settings(max_examples=500)
    @given(st.lists(st.sampled_from(LINES) | st.binary(max_size=30), max_size=8))
    def test_anything(self, lines: list[bytes]) -> None:
        """Whatever a server sends is a policy or a sentence."""
        try:
            policy = read_policy(b"\n".join(lines))
        except ValueError as error:
            self.assertTrue(str(error).endswith("."))
        else:
            self.assertIn(policy.mode, ("testing", "none", "enforce"))
