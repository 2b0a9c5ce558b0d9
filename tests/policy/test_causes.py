"""Tests for L{smfd.policy.causes} and the tables it reads."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.model.cause import About, Cause, Kind
from smfd.policy.cause_codes import SPECIFIC
from smfd.policy.cause_words import SILENCE, SPAM, VAGUE, WORDS
from smfd.policy.causes import cause, spoken
from smfd.proto.reply import Reply

SHARED = Path(smfd.__file__).parents[1].parent / "shared"
BOUNCES = SHARED / "conformance" / "dsn"

#: A reply in a report, folded or not.
_CODE = re.compile(
    rb"(?im)^Diagnostic-Code:[ \t]*smtp;[ \t]*([^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*)"
)

REPLIES = Path(__file__).with_name("replies.tsv")


def said(text: str) -> Reply:
    """A reply as the table has it: code, status or "-", lines with a slash."""
    code, status, words = text.split(" ", 2)
    return Reply(int(code), status.replace("-", ""), tuple(words.split("/No SMTP")))


class TableTests(SynchronousTestCase):
    """What is known of the large providers, and of everybody else."""

    def test_replies(self) -> None:
        """Each reply of the table is understood as it was meant."""
        rows = [
            line.split("\t")
            for line in REPLIES.read_text().splitlines()
            if line and line[0] != "#"
        ]
        self.assertGreater(len(rows), 100)
        for kind, about, slow, text in rows:
            found = cause(said(text))
            self.assertEqual(
                (kind, about, slow == "+"),
                (found.kind.value, found.about.value, found.slow_down),
                text,
            )
            self.assertEqual(text[0] == "5", found.permanent, text)

    def test_advice(self) -> None:
        """Whatever it is, the postmaster reads what to do next, in sentences."""
        signs = (*SPECIFIC, *WORDS, *SPAM, *VAGUE, *SILENCE)
        for advice in {cause(said(f"550 - {kind}")).advice for kind in Kind} | {
            sign.advice for sign in signs if sign.advice
        }:
            self.assertRegex(advice, r"\A[A-Z].*[^.]\.\Z")

    def test_for_ever(self) -> None:
        """Of what is not tried again nobody reads that it is, and to wait."""
        for said, about, words in (
            ("451 4.4.4: no address", About.THEM, "tried again"),
            ("550 5.4.4: no address", About.THEM, "only their postmaster"),
            ("554 5.4.6: mail for b.example would come back to us", About.US, "Host"),
        ):
            found = cause(None, said)
            self.assertEqual((Kind.SERVER, about), (found.kind, found.about))
            self.assertIn(words, found.advice)

    def test_phrases(self) -> None:
        """Phrases are in small letters with single spaces, as texts are read."""
        for sign in (*SPECIFIC, *WORDS, *SPAM, *VAGUE, *SILENCE):
            for phrase in sign.phrases:
                self.assertEqual(re.sub(r"\s+", " ", phrase.lower()), phrase)
                self.assertNotIn("@", phrase)


class BouncesTests(SynchronousTestCase):
    """Refusals that others collected from 77 kinds of servers."""

    def test_all(self) -> None:
        """Hardly any is without a cause, and those of statuses agree with them."""
        found: dict[str, Cause] = {}
        for path in sorted(BOUNCES.rglob("*.eml")):
            for words in _CODE.findall(path.read_bytes()):
                text = b" ".join(words.split()).decode("latin-1")
                answer = spoken(text)
                if answer is not None and answer.code >= 400:
                    found[text] = cause(answer)
        self.assertGreater(len(found), 150)
        other = [text for text, one in found.items() if one.kind is Kind.OTHER]
        self.assertLess(len(other) * 20, len(found), other)
        for text, one in found.items():
            if re.search("user unknown|no such user", text, re.I):
                self.assertIs(Kind.UNKNOWN_RECIPIENT, one.kind, text)
            if "5.2.2" in text:
                self.assertIs(Kind.MAILBOX_FULL, one.kind, text)


class StrangerTests(SynchronousTestCase):
    """The words are a stranger's, and some of them somebody else's."""

    def test_address(self) -> None:
        """A recipient called spamhaus makes no listing of a full mailbox."""
        for name in ("spamhaus", "user-unknown", "greylisted", "s3150"):
            answer = Reply(452, "4.2.2", (f"<{name}@example.net>: Mailbox full",))
            self.assertIs(Kind.MAILBOX_FULL, cause(answer).kind, name)

    def test_silence(self) -> None:
        """Where nobody said a word, the cause is what happened to us."""
        for why, kind, about in (
            ("mx.dnsmx.example: connection refused", Kind.SERVER, About.THEM),
            ("the certificate is for another name", Kind.TLS, About.THEM),
            ("a.example MX: no name server answers", Kind.DNS, About.THEM),
            ("", Kind.SERVER, About.THEM),
        ):
            found = cause(None, why)
            self.assertEqual(
                (kind, about, False), (found.kind, found.about, found.permanent)
            )

    def test_last_words(self) -> None:
        """Who hangs up with a word has said why; so have we, of a bad domain."""
        for why, kind, permanent in (
            ("421 4.7.28 unusual rate of unsolicited mail", Kind.RATE, False),
            ("421 too many connections", Kind.RATE, False),
            ("421", Kind.SERVER, False),
            ("550 5.1.2: there is no such domain", Kind.UNKNOWN_RECIPIENT, True),
            ("550 5.1.1 host mx.a [::1]: gone", Kind.UNKNOWN_RECIPIENT, True),
            ("554 5.7.1.9 blocked using rbl.", Kind.REPUTATION_ADDRESS, True),
            ("1421 4.7.28 unusual rate", Kind.SERVER, False),
        ):
            found = cause(None, why)
            self.assertEqual((kind, permanent), (found.kind, found.permanent), why)

    @given(
        st.integers(400, 599),
        st.from_regex(
            r"([245]\.\d{1,3}\.\d{1,3})?", fullmatch=True, alphabet="0123456789.245"
        ),
        st.lists(st.text(max_size=200), max_size=5),
    )
    def test_anything(self, code: int, status: str, lines: list[str]) -> None:
        """Whatever they say has a cause, and only 5yz is for ever."""
        found = cause(Reply(code, status, tuple(lines)))
        self.assertEqual(code >= 500, found.permanent)
        self.assertTrue(found.advice)

    def test_long(self) -> None:
        """Of a reply of a hundred long lines only the beginning is read."""
        for lines, kind in (
            (("x " * 480 + "greylisted",), Kind.GREYLISTING),
            (("x " * 500 + "greylisted",), Kind.OTHER),
            (("x " * 240,) * 99 + ("greylisted",), Kind.OTHER),
        ):
            self.assertIs(kind, cause(Reply(550, "", lines)).kind)
