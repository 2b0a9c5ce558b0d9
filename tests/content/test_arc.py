"""Tests for L{smfd.content.arc} and L{smfd.content.arc_seal}."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dkim
import yaml
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.content.arc import CHECKED, names, verify
from smfd.content.arc import found as results_of
from smfd.content.arc_seal import Seal
from smfd.content.canonical import Fields
from smfd.content.dkim_key import load_key, make_key
from smfd.content.dkim_sign import body_hash, fields_of
from smfd.content.signatures import TEMPERROR
from smfd.format.header import read_header
from smfd.model.dkim import SigningKey

SHARED = Path(smfd.__file__).parents[1].parent / "shared" / "conformance" / "arc"

#: Where we are stricter: a signature that does not cover From proves nothing.
STRICTER = {"ams_fields_h_empty"}

#: Messages of the suite that have a good chain, or none.
SEALABLE = 14

NEW = make_key("rsa")
KEY = SigningKey("home.example", "a", "rsa", load_key(NEW.private))
RECORDS: dict[str, str | None] = {"a._domainkey.home.example": NEW.record}
LETTER = (
    b"From: Zoe <zoe@far.example>\r\nTo: ann@home.example\r\nSubject: Hello\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; d=far.example; b=abc\r\n\r\nHi.\r\n"
)
FOUND = "mx.home.example;\r\n\tspf=pass smtp.mailfrom=far.example"


def suite(name: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The tests of a file: name, test, and the scenario it belongs to."""
    for scenario in yaml.safe_load_all((SHARED / name).read_text()):
        for title, test in scenario["tests"].items():
            yield title, test, scenario


def records(scenario: dict[str, Any]) -> dict[str, str]:
    """Its DNS."""
    found = (scenario["txt-records"] or {}).items()
    return {name.lower().rstrip("."): text for name, text in found}


def sealed(message: bytes, key: SigningKey = KEY, results: str = FOUND) -> bytes:
    """With one more set."""
    header = read_header(message)
    fields = Fields(fields_of(b"", header, ()))
    digest = body_hash([message[header.size :]])
    return Seal(fields, results, digest, key, 1.79e9).made() + message


def result(message: bytes, keys: Any = None) -> str:
    """What our own reading says."""
    found: str = verify(message, {"keys": RECORDS if keys is None else keys})["result"]
    return found


def by_others(message: bytes, keys: Any = None) -> str:
    """What dkimpy's says."""
    known = RECORDS if keys is None else keys

    def look(name: bytes, timeout: float = 5) -> bytes | None:
        text = known.get(name.decode().rstrip(".").lower())
        return text.encode() if text else None

    said, _, _ = dkim.ARC(message).verify(dnsfunc=look)
    return (said or b"none").decode().lower()


class SuiteTests(SynchronousTestCase):
    """The test suite that implementers agreed on."""

    def test_validation(self) -> None:
        """All 171 messages are judged as it says, but where we are stricter."""
        wrong, count = [], 0
        for title, test, scenario in suite("arc-draft-validation-tests.yml"):
            message = test["message"].replace("\n", "\r\n").encode()
            keys = records(scenario)
            # Where it leaves the result open, somebody said cv=fail before.
            wanted = (test["cv"] or "fail").lower()
            count += 1
            if result(message, keys) != wanted:
                wrong.append(title)
        self.assertEqual((171, STRICTER), (count, set(wrong)))

    def test_sealing(self) -> None:
        """What we seal of its messages passes, for us and for dkimpy."""
        count = 0
        for title, test, scenario in suite("arc-draft-sign-tests.yml"):
            message = test["message"].replace("\n", "\r\n").encode()
            private = load_key(scenario["privatekey"])
            key = SigningKey(scenario["domain"], scenario["sel"], "rsa", private)
            made = sealed(message, key)
            keys = records(scenario)
            known = result(message, keys) != "fail"
            if known and made != message:
                count += 1
                self.assertEqual("pass", result(made, keys), title)
                self.assertEqual("pass", by_others(made, keys), title)
        self.assertEqual(SEALABLE, count)


class ChainTests(SynchronousTestCase):
    """Chains of our own making."""

    def test_one_after_the_other(self) -> None:
        """Each adds a set; all pass, for us and for others."""
        message = LETTER
        for number in range(1, 6):
            message = sealed(message)
            self.assertEqual(("pass", "pass"), (result(message), by_others(message)))
            self.assertTrue(message.startswith(b"ARC-Seal: i=%d; cv=" % number))
        found = verify(message, {"keys": RECORDS})
        self.assertEqual((5, ["home.example"] * 5), (found["count"], found["domains"]))
        self.assertEqual(["spf=pass"], found["found"])

    def test_changed(self) -> None:
        """Whoever changes what was sealed breaks it."""
        message = sealed(sealed(LETTER))
        for old, new in (
            (b"Hi.", b"Ho."),
            (b"Hello", b"Hallo"),
            (b"spf=pass", b"spf=fail"),
            (b"cv=pass", b"cv=none"),
            (b"cv=none", b"cv=fail"),
            (b"i=2; mx", b"i=3; mx"),
            (b"d=far.example", b"d=fax.example"),
        ):
            self.assertIn(old, message)
            self.assertEqual("fail", result(message.replace(old, new)), old)

    def test_left_out(self) -> None:
        """Without one of its fields a set is none."""
        message = sealed(sealed(LETTER))
        header = read_header(message)
        for one in header.fields[:6]:
            cut = message[: one.start] + message[one.end :]
            self.assertEqual("fail", result(cut), one.name)
        line = message[header.fields[0].start : header.fields[0].end]
        self.assertEqual("fail", result(line + message))

    def test_found(self) -> None:
        """What the last of them found, and nothing that others wrote there."""
        for value, wanted in (
            (b" i=1; mx;\r\n\tdmarc=pass (p=none) header.from=a;spf=fail", 2),
            (b"i=1; mx; spf=fail (x; dmarc=pass)", 1),
            (b"i=1; mx; spf=fail (a (b) ; dmarc=pass (c) d)", 1),
            (b"i=1; mx; spf=fail (a \\) ; dmarc=pass ; \\( d)", 1),
            (b"i=1; mx; spf=fail " + b"(" * 20 + b"; dmarc=pass" + b")" * 20, 0),
            (b'i=1; mx; spf=fail smtp.mailfrom="; dmarc=pass"', 1),
            (b'i=1; mx; spf=fail smtp.mailfrom="; dmarc=pass', 1),
            (b'i=1; mx; spf=fail smtp.mailfrom="\\"; dmarc=pass"@a', 1),
            (b"i=1; mx; none", 0),
            (b"i=1; mx; dmarc=passed", 1),
        ):
            self.assertEqual(wanted, len(found := results_of(value)), value)
            if wanted == 1:
                self.assertNotIn("dmarc=pass", found)

    def test_keys(self) -> None:
        """No key is a failure; no answer is none yet."""
        message = sealed(LETTER)
        (name,) = names(read_header(message))
        for text, wanted in (
            (None, "fail"),
            (TEMPERROR, "temperror"),
            ("v=DKIM1; p=", "fail"),
            ("; ;", "fail"),
            (make_key("rsa").record, "fail"),
            (make_key("ed25519").record, "fail"),
        ):
            self.assertEqual(wanted, result(message, {name: text}), text)

    def test_none(self) -> None:
        """Most mail has no chain, and nobody is asked for a key."""
        self.assertEqual(("none", []), (result(LETTER), names(read_header(LETTER))))

    def test_no_more(self) -> None:
        """A broken chain is not sealed; a chain that is too long is not checked."""

        broken = b"ARC-Seal: i=2; cv=none\r\n" + LETTER
        self.assertEqual(broken, sealed(broken))
        message = LETTER
        for _ in range(CHECKED + 1):
            message = sealed(message)
        self.assertEqual("fail", result(message))
        self.assertLessEqual(len(names(read_header(message))), 1)
        for _ in range(60):
            message = sealed(message)
        self.assertEqual(50, message.count(b"ARC-Seal:"))

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"]
                ),
                st.one_of(
                    st.binary(max_size=80),
                    st.sampled_from(
                        [
                            b"i=1; a=rsa-sha256; cv=none; d=home.example; s=a; b=AAAA",
                            b"i=1; a=rsa-sha256; d=home.example; s=a; h=from; bh=; b=",
                            b"i=1; mx",
                            b"i=99999999999999999999; x",
                        ]
                    ),
                ),
            ),
            max_size=6,
        )
    )
    def test_anything(self, fields: list[tuple[str, bytes]]) -> None:
        """Whatever stands there comes to a result, and never to a pass."""
        head = b"".join(b"%s: %s\r\n" % (n.encode(), v) for n, v in fields)
        names(read_header(head + LETTER))
        self.assertIn(result(head + LETTER), ("none", "fail"))
