"""Tests for L{smfd.policy.authorship}: nobody writes as another (R70 to R72)."""

import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.header import read_header
from smfd.format.plain_mailbox import plain_mailbox
from smfd.policy.authorship import Mismatch, authorship, is_own
from smfd.proto.address import Address, parse_mailbox
from tests.policy.extractors import EXTRACTORS, hasty, javascript
from tests.policy.spoofs import (
    CONTROLS,
    ENVELOPES,
    SPOOFS,
    attempt,
    header,
    message,
    mutation,
    plausible,
)

ANN = "ann@home.example"
OWN = frozenset((ANN, "sales@home.example"))


#: A fold inside of quotation marks, or between two of them.
_FOLDED = re.compile(rb'"[^"]*\r\n[^"]*"')


def judged(data: bytes, sender: Address | None = None) -> Mismatch | None:
    """What is thought of Ann's sending it."""
    return authorship(read_header(data), sender or parse_mailbox(ANN), ANN, OWN)


class SpoofTests(SynchronousTestCase):
    """Who is logged in writes as himself."""

    def test_spoofs(self) -> None:
        """R70: fields that some reader takes for another's are refused."""
        self.assertGreaterEqual(len(SPOOFS), 94)
        for data in SPOOFS:
            self.assertIsNotNone(judged(data), data[:200])

    def test_envelopes(self) -> None:
        """R70: so are envelope senders."""
        self.assertGreaterEqual(len(ENVELOPES), 14)
        for text in ENVELOPES:
            found = judged(CONTROLS[0], parse_mailbox(text))
            assert found is not None, text
            self.assertEqual(("envelope",), found.differs, text)

    def test_says(self) -> None:
        """The refusal says which of header, envelope and login differ (S19)."""
        for data, sender, differs, words in (
            (CONTROLS[0], "bob@home.example", ("envelope",), "sender is bob@home"),
            (message(b" b@x.example"), ANN, ("from",), "From is b@x.example"),
            (message(b" b@x.example"), "c@x.example", ("from", "envelope"), "c@x"),
            (message(b" x"), ANN, ("from",), "cannot be taken: it is not one plain"),
            (b"X y: z\r\n" + CONTROLS[0], ANN, ("header",), "a strange name"),
            (b"x\r\n" + CONTROLS[0], ANN, ("header",), "a line without a colon"),
            (b" x\r\n" + CONTROLS[0], ANN, ("header",), "begins with white space"),
            (b"X: y\r\n" * 2001 + CONTROLS[0], ANN, ("header",), "too many fields"),
            (b"X: y\r\n" * 50_000 + CONTROLS[0], ANN, ("header",), "is too long"),
            (b"Sender: c@x.example\r\n" + CONTROLS[0], ANN, ("sender",), "Sender is"),
        ):
            found = judged(data, parse_mailbox(sender))
            assert found is not None
            self.assertEqual((550, "5.7.1"), (found.code, found.status))
            self.assertEqual(differs, found.differs)
            self.assertTrue(found.text.startswith(f"You are {ANN}, but the "))
            self.assertIn(words, found.text)

    def test_null_sender(self) -> None:
        """C15: nobody submits with the null sender."""
        found = authorship(read_header(CONTROLS[0]), None, ANN, OWN)
        assert found is not None
        self.assertEqual(("envelope",), found.differs)

    def test_nobody(self) -> None:
        """An account that is gone writes as nobody."""
        header = read_header(CONTROLS[0])
        self.assertIsNotNone(authorship(header, parse_mailbox(ANN), ANN, frozenset()))

    def test_lookalike_local(self) -> None:
        """What only becomes a letter of ASCII in lower case was another letter."""
        own = frozenset(("kate@home.example", "jos\u00e9@home.example"))
        self.assertFalse(is_own("\u212aate@home.example", own))
        self.assertTrue(is_own("JOS\u00c9@home.example", own))
        self.assertFalse(is_own("jose\u0301@home.example", own))

    def test_controls(self) -> None:
        """R71: what is Ann's own is taken, in all its spellings."""
        for data in CONTROLS:
            self.assertIsNone(judged(data), data)

    def test_no_body(self) -> None:
        """A header alone is a message too; half a line is none."""
        alone = CONTROLS[0].partition(b"\r\n\r\n")[0]
        self.assertIsNone(judged(alone + b"\r\n"))
        self.assertIsNotNone(judged(alone))

    def test_plausible(self) -> None:
        """R71: so is what mail programs write."""
        dice = Random(71)
        for value in (plausible(dice) for _ in range(2000)):
            self.assertIsNone(judged(message(value)), value)

    def test_differential(self) -> None:
        """R72: of what is taken, nobody reads anything else."""
        dice, taken = Random(72), 0
        for n in range(12_000):
            value = (plausible, attempt, mutation)[n % 3](dice)
            data = message(value)
            if judged(data) is not None:
                continue
            taken += 1
            address = plain_mailbox(value.removesuffix(b"\r")).lower()
            for extractor in EXTRACTORS:
                found = {text.lower() for text in extractor(data)}
                self.assertEqual({address}, found, (extractor.__name__, value))
            found = {text.lower() for text in hasty(data)}
            if not _FOLDED.search(value):
                self.assertEqual({address}, found, value)
            self.assertLessEqual(found, {address}, value)
        self.assertGreater(taken, 4000)

    def test_javascript(self) -> None:
        """R72: nor does a library in another language, of fields or of headers."""
        dice, taken = Random(73), []
        for n in range(15_000):
            data = message((plausible, attempt, mutation)[n % 3](dice))
            taken.append(data if n % 4 else header(dice))
        taken = [data for data in (*taken, *CONTROLS) if judged(data) is None]
        self.assertGreater(len(taken), 4000)
        for data, found in zip(taken, javascript(taken), strict=True):
            author = {f"{read_header(data).author}".lower()}
            self.assertEqual(author, {text.lower() for text in found}, data)
        # It does read some as another's; those are refused.
        told = zip(SPOOFS, javascript(SPOOFS), strict=True)
        self.assertTrue([data for data, found in told if found - {ANN}])

    def test_headers(self) -> None:
        """R72: nor do readers find other fields in what is taken."""
        dice, taken = Random(70), 0
        for data in (header(dice) for _ in range(12_000)):
            if judged(data) is not None:
                continue
            taken += 1
            for extractor in EXTRACTORS:
                self.assertEqual({ANN}, extractor(data), (extractor.__name__, data))
        self.assertGreater(taken, 300)

    @given(st.binary(max_size=60), st.binary(max_size=60))
    def test_octets(self, before: bytes, behind: bytes) -> None:
        """No octets raise, and none make a foreign From one's own."""
        data = b"%sFrom: boss@bank.example%s\r\n\r\n" % (before, behind)
        self.assertIsNotNone(judged(data))
