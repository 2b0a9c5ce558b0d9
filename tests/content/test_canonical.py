"""What DKIM signs, octet for octet as dkimpy has it."""

import re

import dkim
from dkim.canonicalization import CanonicalizationPolicy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.canonical import BODIES, read_message
from tests.content.test_signatures import EXPECTED, vector

FORMS = (b"simple", b"relaxed")

#: Pieces of bodies and of headers, odd ones among them.
PIECES = st.lists(
    st.sampled_from(
        [
            b" ",
            b"  ",
            b"\t",
            b"a",
            b".",
            b"\r\n",
            b"\r\n\r\n",
            b"\r",
            b"\n",
            b"\v",
            b"\0",
        ]
        + [b"From: ", b"\r\nTo: ", b"\r\nb: ", b"\r\nto :", b"\r\n ", b":", b"From "]
    ),
    max_size=30,
).map(b"".join)

#: Signature fields that are cut, folded and empty in odd places.
VALUES = st.lists(
    st.sampled_from(
        [
            b" ",
            b"\r\n\t",
            b";",
            b"b=",
            b" b =",
            b"; b\r\n =",
            b"ab+/",
            b"=",
            b"bh=",
            b"-",
        ]
    ),
    max_size=20,
).map(lambda pieces: b"".join(pieces) + b"\r\n")


class Told:
    """A hash that only listens."""

    name = "told"

    def __init__(self) -> None:
        self.octets = b""

    def update(self, octets: bytes) -> None:
        """Take some."""
        self.octets += octets


def theirs(message: bytes, names: list[bytes], form: bytes, own: bytes) -> bytes:
    """The octets that dkimpy makes a signature over."""
    fields, _ = dkim.rfc822_parse(message)
    policy = CanonicalizationPolicy.from_c_value(form)
    told = Told()
    ready = policy.canonicalize_headers(fields)
    signature = (b"DKIM-Signature", own)
    dkim.hash_headers(told, policy, ready, names, signature, {})
    return told.octets


class CanonicalTests(SynchronousTestCase):
    """Two programs, one form."""

    @settings(max_examples=300, deadline=None)
    @given(PIECES)
    @example(b"")
    @example(b"\r\n\r\n")
    @example(b" \t \r\n \t\r\n")
    def test_bodies(self, body: bytes) -> None:
        """Whatever a body is, its forms are dkimpy's."""
        for form in FORMS:
            policy = CanonicalizationPolicy.from_c_value(b"simple/" + form)
            self.assertEqual(policy.canonicalize_body(body), BODIES[form](body))

    @settings(max_examples=300, deadline=None)
    @given(PIECES)
    @example(b"To: a\r\n b\r\nFrom: x\r\n\r\nbody\r\n\r\nmore")
    @example(b"\r\nTo: a\r\n\r\nb")
    def test_messages(self, message: bytes) -> None:
        """Fields and body are found where dkimpy finds them, or not at all."""
        try:
            fields, body = dkim.rfc822_parse(message)
        except (dkim.MessageFormatError, IndexError) as e:
            self.assertRaises(type(e), read_message, message)
            return
        found, rest = read_message(message)
        self.assertEqual([tuple(field) for field in fields], list(found.fields))
        if re.search(rb"(?<!\r)\n", message) is None and fields:
            self.assertEqual(body, rest)

    @settings(max_examples=300, deadline=None)
    @given(PIECES, VALUES, st.lists(st.sampled_from([b"from", b"to", b"b", b""])))
    def test_signed(self, head: bytes, own: bytes, names: list[bytes]) -> None:
        """The octets that are signed are the same, whatever is named how often."""
        message = b"From: a\r\nTo: b\r\n" + head.strip() + b"\r\nTO: x  y\t\r\n\r\n"
        try:
            fields, _ = read_message(message)
        except (dkim.MessageFormatError, IndexError):
            return
        for form in FORMS:
            found = fields.signed(names, form, (b"DKIM-Signature", own))
            self.assertEqual(theirs(message, names, form, own), found)

    def test_vectors(self) -> None:
        """So they are in messages that other programs signed."""
        names = [b"from", b"to", b"received", b"received", b"subject", b"date", b"none"]
        for name in EXPECTED:
            message = vector(name)
            fields, body = read_message(message)
            for _, own in fields.all(b"dkim-signature"):
                for form in FORMS:
                    found = fields.signed(names, form, (b"DKIM-Signature", own))
                    self.assertEqual(theirs(message, names, form, own), found)
            for form in FORMS:
                policy = CanonicalizationPolicy.from_c_value(b"simple/" + form)
                self.assertEqual(policy.canonicalize_body(body), BODIES[form](body))
