"""What a message lacks that a user hands in, and who handed it in."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.completion import completion
from smfd.format.header import read_header
from smfd.format.pseudonym import pseudonym

AT = 1_700_000_000.0


def completed(header: bytes) -> bytes:
    """What is put on top."""
    return completion(read_header(header), "ID", "mx.example.test", AT)


class CompletionTests(SynchronousTestCase):
    """RFC 6409 §8."""

    def test_missing(self) -> None:
        """A date and a name are given to what has none."""
        self.assertEqual(
            b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
            b"Message-ID: <ID@mx.example.test>\r\n",
            completed(b"From: a@example.test\r\n\r\nHi\r\n"),
        )

    def test_there(self) -> None:
        """What is there stays, however it is written."""
        self.assertEqual(b"", completed(b"DATE: today\r\nmessage-Id: <x@y>\r\n\r\n"))

    @given(st.binary(max_size=300))
    def test_any(self, octets: bytes) -> None:
        """Whatever comes, afterwards both are there once."""
        whole = read_header(completed(octets) + b"X: y\r\n\r\n")
        for name in ("date", "message-id"):
            missing = name not in read_header(octets).names
            self.assertEqual(missing, name in whole.names)


class PseudonymTests(SynchronousTestCase):
    """Who sent it, for us alone."""

    def test_same(self) -> None:
        """One account has one name, with one secret."""
        name = pseudonym(b"secret", "ann@example.test")
        self.assertRegex(name, "^[0-9a-f]{16}$")
        self.assertEqual(name, pseudonym(b"secret", "ann@example.test"))
        self.assertNotEqual(name, pseudonym(b"secret", "bob@example.test"))
        self.assertNotEqual(name, pseudonym(b"another", "ann@example.test"))
