"""Tests for L{smfd.content.dkim_sign}: how our own signatures are made."""

import hashlib

import dkim
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.canonical import Fields, relaxed_body
from smfd.content.dkim_key import load_key, make_keys
from smfd.content.dkim_sign import (
    SEALED,
    Draft,
    RelaxedBody,
    body_hash,
    fields_of,
)
from smfd.content.signatures import verify
from smfd.format.header import cuts, read_header
from smfd.model.dkim import SigningKey

NEW = make_keys()
KEYS = [
    SigningKey(
        "home.example", f"a-{key.algorithm}", key.algorithm, load_key(key.private)
    )
    for key in NEW
]
RECORDS = {f"a-{key.algorithm}._domainkey.home.example": key.record for key in NEW}
TOP = b"Received: by mx\r\nMessage-ID: <1@mx>\r\n"
LETTER = (
    b"From: Ann <ann@home.example>\r\nTo: b@far.example,\r\n\tc@far.example\r\n"
    b"Subject:  Hello\t there \r\nX-Virus-Clean: yes\r\nDate: now\r\n\r\nHi.\r\n"
)

#: What bodies are made of, to be put together at will.
PIECES = st.sampled_from(
    [b"\r\n", b" ", b"\t", b"  ", b"a", b"\xff", b".", b"ab c", b"\r\n\r\n", b" \r\n"]
)


#: Fields that are signed or not, and what they are made of.
NAMES = st.sampled_from(
    [b"To", b"SUBJECT", b"x-odd", b"List-Id", b"DKIM-Signature", b"Content-Type", b"A"]
)
WORDS = st.sampled_from(
    [b" ", b"\t", b"a", b"b=", b"; b=AAAA", b"\r\n x", b"\r\n\tx", b"\xff", b":"]
)
BODY = st.lists(PIECES, max_size=12).map(lambda parts: b"".join([*parts, b"\r\n"]))


def signed(message: bytes, top: bytes = TOP, names: tuple[str, ...] = ()) -> bytes:
    """The message as it leaves."""
    header = read_header(message)
    gone = cuts(header, names, "mx")
    fields = Fields(fields_of(top, header, gone))
    made = Draft(fields, body_hash([message[header.size :]]), 1.79e9).sign(KEYS)
    at = 0
    kept = b""
    for start, end in gone:
        kept += message[at:start]
        at = end
    return made + top + kept + message[at:]


def results(message: bytes) -> list[str]:
    """What a receiver says of each signature: ours of it, and dkimpy's."""
    ours = [one["result"] for one in verify(message, {"keys": RECORDS})]
    theirs = []
    for number in range(len(KEYS)):
        try:
            good = dkim.DKIM(message).verify(number, dnsfunc=_record)
        except dkim.DKIMException:
            good = False
        theirs.append("pass" if good else "fail")
    return ours + theirs


def _record(name: bytes, timeout: float = 5) -> bytes:
    return RECORDS[name.decode().rstrip(".")].encode()


class BodyTests(SynchronousTestCase):
    """The hash of a body."""

    @given(st.lists(PIECES, max_size=30), st.integers(1, 7))
    def test_pieces(self, parts: list[bytes], length: int) -> None:
        """However a body is cut, its hash is that of the whole."""
        body = b"".join(parts)
        pieces = [body[at : at + length] for at in range(0, len(body), length)]
        self.assertEqual(body_hash([body]), body_hash(pieces), body)

    @given(st.lists(PIECES, max_size=30))
    def test_as_others(self, parts: list[bytes]) -> None:
        """It is what dkimpy and our own verifier come to."""
        body = b"".join([*parts, b"\r\n"])
        made = dkim.canonicalization.Relaxed.canonicalize_body(body)
        self.assertEqual(_hash(made), body_hash([body]), body)
        self.assertEqual(_hash(relaxed_body(body)), body_hash([body]), body)

    def test_endless_blank(self) -> None:
        """Blank lines are counted and not kept, however many there are."""
        made = RelaxedBody()
        made.update(b"a")
        for _ in range(300):
            made.update(b" \t\r\n" * 5000)
        made.update(b"b\r\n")
        self.assertEqual(_hash(b"a" + b"\r\n" * 1_500_000 + b"b\r\n"), made.digest())


def _hash(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


class SignatureTests(SynchronousTestCase):
    """What receivers say of what we sign."""

    def test_passes(self) -> None:
        """Both signatures are good, for two verifiers."""
        self.assertEqual(["pass"] * 4, results(signed(LETTER)))

    def test_cut_fields(self) -> None:
        """A field that is left out on the way is not signed."""
        message = signed(LETTER, names=("subject",))
        self.assertNotIn(b"Subject:", message)
        self.assertEqual(["pass"] * 4, results(message))

    def test_added(self) -> None:
        """Another From, Subject, To or the like breaks both signatures (R84)."""
        message = signed(LETTER)
        for name in SEALED:
            line = b"%s: <eve@evil.example>\r\n" % name.title()
            for changed in line + message, message.replace(TOP, TOP + line):
                self.assertNotIn("pass", results(changed), name)

    def test_changed(self) -> None:
        """A changed word breaks them; a fold or a blank at a line's end does not."""
        message = signed(LETTER)
        self.assertNotIn("pass", results(message.replace(b"Hi.", b"Ho.")))
        self.assertNotIn("pass", results(message.replace(b"Hello", b"Hallo")))
        for a, b in (
            (b"Hi.", b"Hi. \t"),
            (b"Hello", b"\r\n Hello"),
            (b"\tc@", b"  c@"),
        ):
            self.assertEqual(["pass"] * 4, results(message.replace(a, b)), b)

    def test_many(self) -> None:
        """A thousand fields of one name are not named a thousand times."""
        many = b"List-Id: <x>\r\n" * 1000 + b"From: <ann@home.example>\r\n\r\n"
        message = signed(many)
        self.assertEqual(["pass"] * 4, results(message))
        self.assertLess(len(message) - len(many), 4000)

    @given(st.lists(st.tuples(NAMES, st.lists(WORDS, max_size=6)), max_size=8), BODY)
    def test_anything(
        self, fields: list[tuple[bytes, list[bytes]]], body: bytes
    ) -> None:
        """Whatever fields and body a message has, both signatures are good."""
        head = b"".join(b"%s:%s\r\n" % (n, b"".join(w)) for n, w in fields)
        message = b"From: <ann@home.example>\r\n" + head + b"\r\n" + body
        found = results(signed(message))
        # Between ours and dkimpy's are those that were there before.
        self.assertEqual(["pass"] * 4, found[:2] + found[-2:], message)

    def test_lines(self) -> None:
        """No line of a signature is longer than 78 (RFC 5322 §2.1.1)."""
        made = signed(LETTER, b"").partition(b"From:")[0]
        self.assertEqual(2, made.count(b"DKIM-Signature:"))
        self.assertLess(max(map(len, made.split(b"\r\n"))), 79)
