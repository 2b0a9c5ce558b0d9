"""DMARC: whose domain is it, and who proved it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.format.authres import evidence, tags
from smfd.format.header import Field, Header
from smfd.model.finding import Finding, Result
from smfd.net.conclusions import Conclusions
from smfd.policy.dmarc_record import record
from smfd.scan.dmarc import Author, DMARCStage, policy_of
from tests.scan.test_spf import ZoneResolver, transaction

PSL = Path(smfd.__file__).parents[1].parent / "shared" / "conformance" / "dmarc-psl"
SUFFIXES = PublicSuffixList()


def spf(domain: str, result: str = "PASS") -> Finding:
    """What SPF found."""
    return Finding("spf", f"SPF_{result}", Result.PASS, evidence=evidence(d=domain))


def dkim(domain: str, result: str = "PASS", partial: str = "") -> Finding:
    """What DKIM found."""
    text = evidence(d=domain, s="sel", partial=partial)
    return Finding("dkim", f"DKIM_{result}", Result.PASS, evidence=text)


class DMARCCase(SynchronousTestCase):
    """A message from joe@mail.example.co.uk, and what was found before."""

    def scan(
        self,
        record: str | None,
        *findings: Finding,
        froms: Sequence[bytes] = (b" joe@mail.example.co.uk",),
        at: str = "_dmarc.example.co.uk",
        **more: Any,
    ) -> list[str]:
        """The symbols of what is reported."""
        zone: dict[str, Any] = {at: {"TXT": [record.encode()] if record else []}}
        if record == "TROUBLE":
            zone[at] = {"*": None}
        self.resolver = ZoneResolver(zone)
        stage = DMARCStage(self.resolver, SUFFIXES, **more)
        fields = tuple(Field("From", value, 0, 0) for value in froms)
        work = transaction("192.0.2.1", "a@example.org", "x")
        work = evolve(work, header=Header(fields, 0), findings=findings)
        found = self.successResultOf(stage.scan(work))
        self.found = list(found)
        return [f.symbol for f in self.found]


class AlignmentTests(DMARCCase):
    """Passing is not enough; it must be the author's own domain."""

    def test_pass(self) -> None:
        """SPF or DKIM of the same organization proves the author."""
        for finding in (
            spf("bounce.example.co.uk"),
            dkim("example.co.uk"),
            dkim("MAIL.example.co.uk"),
        ):
            found = self.scan("v=DMARC1; p=reject", finding)
            self.assertEqual(["DMARC_PASS", "AUTHENTICATED"], found)
            seen = tags(self.found[1].evidence)
            self.assertEqual("mail.example.co.uk", seen["d"])
            self.assertEqual(finding.stage, seen["by"])
            self.assertEqual("mail.example.co.uk", tags(self.found[0].evidence)["d"])

    def test_others_prove_nothing(self) -> None:
        """Another domain's pass, or a neighbour's under the suffix, is none."""
        for finding in (
            spf("attacker.example"),
            dkim("co.uk"),
            dkim("other.co.uk"),
            dkim("notexample.co.uk"),
            dkim("example.co.uk.attacker.example"),
            dkim("mail.example.co.uk", "FAIL"),
            spf("mail.example.co.uk", "SOFTFAIL"),
            spf("mail.example.co.uk", "NONE"),
            dkim("mail.example.co.uk", partial="1"),
        ):
            found = self.scan("v=DMARC1; p=reject", finding)
            self.assertEqual(["DMARC_FAIL_REJECT"], found, finding)
            self.assertIs(Result.FAIL, self.found[0].result)

    def test_sealed(self) -> None:
        """Whom we trust may have changed it, when it passed with him before."""
        good = evidence(d="lists.example", vouches="dmarc")
        for symbol, seen, wanted in (
            ("ARC_PASS", good, "DMARC_FAIL_SEALED"),
            ("ARC_FAIL", good, "DMARC_FAIL_REJECT"),
            ("ARC_PASS", evidence(d="lists.example"), "DMARC_FAIL_REJECT"),
            ("ARC_PASS", evidence(d="x", z="vouches=dmarc"), "DMARC_FAIL_REJECT"),
        ):
            arc = Finding("arc", symbol, Result.PASS, evidence=seen)
            scores = {"DMARC_FAIL_REJECT": 5.0}
            found = self.scan("v=DMARC1; p=reject", arc, scores=scores)
            self.assertEqual([wanted], found)
            sealed = wanted.endswith("SEALED")
            self.assertEqual(0.0 if sealed else 5.0, self.found[0].score)

    def test_strict(self) -> None:
        """A strict domain wants itself, and by each method apart."""
        strict = "v=DMARC1; p=reject; adkim=s; aspf=s"
        self.assertEqual(
            ["DMARC_FAIL_REJECT"], self.scan(strict, dkim("example.co.uk"))
        )
        found = self.scan(strict, dkim("mail.example.co.uk"))
        self.assertEqual("DMARC_PASS", found[0])
        found = self.scan("v=DMARC1; p=reject; aspf=s", dkim("example.co.uk"))
        self.assertEqual("DMARC_PASS", found[0])

    def test_no_record(self) -> None:
        """Without a record the author can be proved all the same."""
        self.assertEqual(["DMARC_NONE"], self.scan(None))
        found = self.scan(None, spf("example.co.uk"))
        self.assertEqual(["DMARC_NONE", "AUTHENTICATED"], found)

    def test_author(self) -> None:
        """No author, two, a list or a group never pass (R85)."""
        for froms in (
            (),
            (b" joe@example.co.uk", b" joe@example.co.uk"),
            (b" joe@example.co.uk, ann@example.co.uk",),
            (b" friends: joe@example.co.uk;",),
            (b" joe@[192.0.2.1]",),
        ):
            found = self.scan("v=DMARC1; p=none", dkim("example.co.uk"), froms=froms)
            self.assertEqual(["DMARC_NONE"], found)
            self.assertIs(Result.SUSPECT, self.found[0].result)

    def test_scores(self) -> None:
        """Scores come by symbol."""
        self.scan("v=DMARC1; p=reject", scores={"DMARC_FAIL_REJECT": 4.0})
        self.assertEqual(4.0, self.found[0].score)


class PolicyTests(DMARCCase):
    """What the domain asks for."""

    def test_requests(self) -> None:
        """Each request has its symbol, for the domain and for those below."""
        for text, symbol in {
            "v=DMARC1; p=none": "DMARC_FAIL_NONE",
            "v=DMARC1;p=quarantine;": "DMARC_FAIL_QUARANTINE",
            "v=DMARC1; p=REJECT": "DMARC_FAIL_REJECT",
            "v = DMARC1 ; p = reject": "DMARC_FAIL_REJECT",
            "v=DMARC1; p=reject; sp=none": "DMARC_FAIL_NONE",
            "v=DMARC1; p=none; sp=reject": "DMARC_FAIL_REJECT",
            "v=DMARC1; p=reject; pct=0": "DMARC_FAIL_QUARANTINE",
            "v=DMARC1; p=quarantine; t=y": "DMARC_FAIL_NONE",
            "v=DMARC1; p=block; rua=mailto:x@y.example": "DMARC_FAIL_NONE",
            "v=DMARC1; p=block": "DMARC_NONE",
            "v=DMARC1": "DMARC_NONE",
            "v=DMARC2; p=reject": "DMARC_NONE",
            "p=reject; v=DMARC1": "DMARC_NONE",
            "v=spf1 -all": "DMARC_NONE",
        }.items():
            self.assertEqual([symbol], self.scan(text), text)

    def test_own_record(self) -> None:
        """The domain's own record comes before its organization's."""
        at = "_dmarc.mail.example.co.uk"
        found = self.scan("v=DMARC1; p=quarantine; sp=none", at=at)
        self.assertEqual(["DMARC_FAIL_QUARANTINE"], found)
        self.assertEqual(1, len(self.resolver.asked))

    def test_asked_once(self) -> None:
        """A domain is asked again when its answer is no longer good, not before."""
        clock = Clock()
        zone: dict[str, Any] = {"_dmarc.b.example": {"TXT": [b"v=DMARC1; p=reject"]}}
        resolver = ZoneResolver(zone, until=60.0)
        past: Conclusions[str, Author] = Conclusions(clock.seconds)
        stage = DMARCStage(resolver, SUFFIXES, past=past)
        work = transaction("192.0.2.1", "a@b.example", "x")
        work = evolve(work, header=Header((Field("From", b" a@b.example", 0, 0),), 0))
        for passed, symbol, asked in ((0, "REJECT", 1), (59, "REJECT", 1)):
            clock.advance(passed)
            (found,) = self.successResultOf(stage.scan(work))
            self.assertEqual(f"DMARC_FAIL_{symbol}", found.symbol)
            self.assertEqual(asked, len(resolver.asked))
        proved = evolve(work, findings=(spf("b.example"),))
        found, _ = self.successResultOf(stage.scan(proved))
        self.assertEqual("DMARC_PASS", found.symbol)
        zone["_dmarc.b.example"] = {"*": None}
        clock.advance(1)
        for asked in (2, 3):
            (found,) = self.successResultOf(stage.scan(work))
            self.assertEqual("DMARC_TEMPERROR", found.symbol)
            self.assertEqual(asked, len(resolver.asked))

    def test_several_records(self) -> None:
        """Two records are none; other texts do not count."""
        texts = [b"v=DMARC1; p=reject", b"v=DMARC1; p=none"]
        stage = DMARCStage(ZoneResolver({"_dmarc.b.example": {"TXT": texts}}), SUFFIXES)
        work = transaction("192.0.2.1", "a@b.example", "x")
        work = evolve(work, header=Header((Field("From", b" a@b.example", 0, 0),), 0))
        (found,) = self.successResultOf(stage.scan(work))
        self.assertEqual("DMARC_NONE", found.symbol)
        texts[1] = b"something else"
        (found,) = self.successResultOf(stage.scan(work))
        self.assertEqual("DMARC_FAIL_REJECT", found.symbol)

    def test_trouble(self) -> None:
        """A domain that cannot be asked has not failed; it is taken as strict."""
        found = self.scan("TROUBLE", dkim("example.co.uk"))
        self.assertEqual(["DMARC_TEMPERROR"], found)
        found = self.scan("TROUBLE", dkim("mail.example.co.uk"))
        self.assertEqual(["DMARC_TEMPERROR", "AUTHENTICATED"], found)

    def test_trouble_before(self) -> None:
        """What might have passed, had the DNS answered, has not failed."""
        text = "v=DMARC1; p=reject"
        for finding in (
            dkim("example.co.uk", "TEMPERROR"),
            spf("example.co.uk", "TEMPERROR"),
        ):
            self.assertEqual(["DMARC_TEMPERROR"], self.scan(text, finding))
        found = self.scan(text, dkim("attacker.example", "TEMPERROR"))
        self.assertEqual(["DMARC_FAIL_REJECT"], found)

    @given(st.text("vDMARC1=; psrejctnouaqti%\0\u00e9", max_size=60))
    def test_any_record(self, text: str) -> None:
        """Whatever is published, it is a policy or none."""
        for candidate in (text, "v=DMARC1;" + text):
            found = record(candidate)
            policy = policy_of(found, "sp") if found is not None else None
            if policy is not None:
                self.assertIn(policy.request, {"none", "quarantine", "reject"})


class OrganizationTests(SynchronousTestCase):
    """The public suffix list, by its own checks."""

    def test_official(self) -> None:
        """Every line of the official checks, with the list beside them."""
        with open(PSL / "public_suffix_list.dat", "rb") as source:
            suffixes = PublicSuffixList(source=source)
        stage = DMARCStage(ZoneResolver({}), suffixes)
        count = 0
        for line in (PSL / "tests.txt").read_text("utf-8").splitlines():
            if not line or line.startswith("//"):
                continue
            name, expected = line.split()
            if name == "null" or name.startswith("."):
                continue
            count += 1
            ascii_name = name.lower().encode("idna").decode()
            wanted = ascii_name if expected == "null" else expected
            wanted = wanted.encode("idna").decode()
            self.assertEqual(wanted, stage.organization(ascii_name), line)
        self.assertGreater(count, 70)
