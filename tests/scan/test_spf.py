"""SPF, by the test suite of RFC 7208 and by our own limits."""

import gc
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.format.authres import tags
from smfd.format.header import Header
from smfd.model.envelope import Envelope
from smfd.model.finding import Finding, Result
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.net.conclusions import Conclusions
from smfd.net.dns import Answer, DNSTrouble
from smfd.proto.address import Address
from smfd.scan.spf import SPFStage

SUITE = (
    Path(smfd.__file__).parents[1].parent
    / "shared"
    / "conformance"
    / "spf"
    / "rfc7208-tests.yml"
)


#: What records are made of, right and wrong.
WORDS = (  # noqa: SIM905
    "a mx ptr exists: include: redirect= exp= ip4: ip6: / // %{d} %{i} %{l1r-} %{p}"
    " %{ %% example.org x.test 192.0.2.1 :: 33 + - ~ all \u00e9"
).split()


class ZoneResolver:
    """
    Answers from a dictionary: {name: {type: records or None for trouble}}.

    @ivar asked: every look-up.
    @ivar until: when the answers are no longer good.
    """

    def __init__(self, zone: dict[str, dict[str, Any]], until: float = 0.0) -> None:
        self.zone = zone
        self.until = until
        self.asked: list[tuple[str, str]] = []

    def known(self, name: str, rdtype: str) -> Answer | None:
        """Everything must be asked for."""
        return None

    def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
        """Answer at once."""
        self.asked.append((name, rdtype))
        for _ in range(20):
            found = self.zone.get(name.lower().rstrip("."), {})
            if not found:
                return succeed(Answer("nxdomain", until=self.until))
            if found.get(rdtype, found.get("*", ())) is None:
                return fail(DNSTrouble(name))
            if rdtype in found or "CNAME" not in found:
                break
            name = found["CNAME"][0]
        records = tuple(found.get(rdtype, ()))
        status = "ok" if records else "nodata"
        return succeed(Answer(status, records, until=self.until))


def zone_of(data: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """The zone of a scenario; its README says how to read it."""
    zone: dict[str, dict[str, Any]] = {}
    for name, entries in data.items():
        found = zone.setdefault(name.lower(), {})
        for entry in entries:
            if entry == "TIMEOUT":
                found["*"] = None
                continue
            ((rdtype, value),) = entry.items()
            if value == "TIMEOUT":
                found[rdtype] = None
            else:
                found.setdefault(rdtype, []).append(record(rdtype, value))
        if "TXT" not in found and "SPF" in found:
            found["TXT"] = found["SPF"]
        if found.get("TXT") == [b"NONE"]:
            del found["TXT"]
    return zone


def record(rdtype: str, value: Any) -> Any:
    """A value as L{Answer} holds it."""
    if rdtype in {"TXT", "SPF"}:
        strings = value if isinstance(value, list) else [value]
        return b"".join(s.encode("latin-1", "replace") for s in strings)
    if rdtype == "MX":
        return value[0], value[1].rstrip(".").lower()
    return value


def transaction(client: str, sender: str, helo: str) -> Transaction:
    """A message from somebody."""
    local, _, domain = sender.rpartition("@")
    return Transaction(
        "id",
        Flow.INBOUND,
        0.0,
        Session("s", client, 25, 0.0, helo),
        Envelope("id", Address(local, domain) if sender else None),
        Body(0, b""),
        Header((), 0),
    )


def scenarios() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(name, zone, test) of every test of the suite."""
    for scenario in yaml.safe_load_all(SUITE.read_text()):
        zone = zone_of(scenario["zonedata"])
        for name, test in scenario["tests"].items():
            yield f"{scenario['description']}: {name}", zone, test


class SuiteTests(SynchronousTestCase):
    """The openspf suite for RFC 7208, through our stage."""

    def test_all(self) -> None:
        """203 of 203, explanations included, and no socket is ever made."""

        def forbidden(*arguments: Any, **more: Any) -> None:
            raise AssertionError("pyspf asks by itself")

        for name in ("socket", "getaddrinfo", "create_connection"):
            self.patch(socket, name, forbidden)
        wrong, count = [], 0
        for name, zone, test in scenarios():
            count += 1
            stage = SPFStage(ZoneResolver(zone), receiver="receiver.example")
            work = transaction(
                str(test["host"]), test["mailfrom"] or "", str(test["helo"])
            )
            (finding,) = self.successResultOf(stage.scan(work))
            result = finding.symbol.removeprefix("SPF_").lower()
            expected = test["result"]
            if result not in ([expected] if isinstance(expected, str) else expected):
                wrong.append(f"{name}: {result}, not {expected}")
            wanted = test.get("explanation")
            if wanted and wanted != "DEFAULT":
                _, _, text = finding.evidence.partition(" : ")
                if text != wanted:
                    wrong.append(f"{name}: {finding.evidence!r}, not {wanted!r}")
        self.assertEqual([], wrong)
        self.assertEqual(203, count)


class PastTests(SynchronousTestCase):
    """What was found is used again while every answer behind it is good."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.resolver = ZoneResolver({}, until=60.0)
        past: Conclusions[tuple[str, str, str], Finding] = Conclusions(
            self.clock.seconds
        )
        self.stage = SPFStage(self.resolver, past=past)

    def scan(self, sender: str, client: str = "192.0.2.1", helo: str = "a.test") -> str:
        """The symbol of what is found."""
        d = self.stage.scan(transaction(client, sender, helo))
        (finding,) = self.successResultOf(d)
        return finding.symbol

    def asks(self) -> int:
        """How many look-ups there were since the last time."""
        asked, self.resolver.asked = self.resolver.asked, []
        return len(asked)

    def test_again(self) -> None:
        """Others of the domain cost no look-up, until an answer is too old."""
        self.resolver.zone["example.org"] = {"TXT": [b"v=spf1 ip4:192.0.2.1 -all"]}
        self.assertEqual("SPF_PASS", self.scan("a@example.org"))
        self.assertEqual(1, self.asks())
        self.clock.advance(59)
        self.assertEqual("SPF_PASS", self.scan("b@example.org", helo="b.test"))
        self.assertEqual(0, self.asks())
        self.clock.advance(1)
        self.resolver.zone["example.org"] = {"TXT": [b"v=spf1 -all"]}
        self.assertEqual("SPF_FAIL", self.scan("b@example.org"))

    def test_apart(self) -> None:
        """Another client, another domain and a bounce are judged anew."""
        text = b"v=spf1 ip4:192.0.2.1 ?all"
        self.resolver.zone |= {"a.test": {"TXT": [text]}, "b.test": {"TXT": [text]}}
        for sender in ("a@a.test", "a@b.test", ""):
            for client in ("192.0.2.1", "192.0.2.2"):
                wanted = "PASS" if client.endswith(".1") else "NEUTRAL"
                self.assertEqual(f"SPF_{wanted}", self.scan(sender, client))
                self.assertEqual(1, self.asks())

    def test_personal(self) -> None:
        """A domain that tells its people, or its hosts, apart is always asked."""
        for macro in (b"%{l}", b"%{S}", b"%{h}"):
            terms = b"v=spf1 include:%{d} exists:" + macro + b".x.test -all"
            self.resolver.zone["example.org"] = {"TXT": [terms.replace(b"%{d}", b"i")]}
            self.resolver.zone["i"] = {"TXT": [b"v=spf1 ?all"]}
            self.scan("a@example.org")
            asked = self.asks()
            self.scan("b@example.org", helo="b.test")
            self.assertEqual(asked, self.asks())

    def test_macros(self) -> None:
        """A record about the client and the domain is not asked for again."""
        text = b"v=spf1 exists:%{ir}.%{D2}.x.test -all"
        self.resolver.zone["example.org"] = {"TXT": [text]}
        self.scan("a@example.org")
        self.asks()
        self.scan("b@example.org")
        self.assertEqual(0, self.asks())

    def test_trouble(self) -> None:
        """What could not be asked is asked again, even if it did not matter."""
        self.resolver.zone |= {
            "example.org": {"TXT": [b"v=spf1 ptr ?all"]},
            "1.2.0.192.in-addr.arpa": {"PTR": ["x.test"]},
            "x.test": {"*": None},
        }
        self.assertEqual("SPF_NEUTRAL", self.scan("a@example.org"))
        asked = self.asks()
        self.assertEqual("SPF_NEUTRAL", self.scan("b@example.org"))
        self.assertEqual(asked, self.asks())


class StageTests(SynchronousTestCase):
    """What the stage reports."""

    def scan(
        self, zone: dict[str, Any], client: str = "192.0.2.1", **more: Any
    ) -> Finding:
        """The finding for a message from a@example.org."""
        self.resolver = ZoneResolver(zone)
        sender = more.pop("sender", "a@example.org")
        helo = more.pop("helo", "mail.example.net")
        stage = SPFStage(self.resolver, **more)
        d = stage.scan(transaction(client, sender, helo))
        (finding,) = self.successResultOf(d)
        return finding

    def test_pass(self) -> None:
        """A pass names the domain, first of all, and the client."""
        zone = {"example.org": {"TXT": [b"v=spf1 ip4:192.0.2.0/24 -all"]}}
        finding = self.scan(zone, scores={"SPF_PASS": -0.1})
        self.assertEqual("SPF_PASS", finding.symbol)
        self.assertIs(Result.PASS, finding.result)
        self.assertEqual(-0.1, finding.score)
        self.assertTrue(finding.evidence.startswith("d=example.org "))
        self.assertEqual("192.0.2.1", tags(finding.evidence)["client"])
        self.assertEqual("example.org", tags(finding.evidence)["mailfrom"])

    def test_ipv6(self) -> None:
        """An IPv6 client matches an ip6 network, and no ip4 one."""
        zone = {
            "example.org": {"TXT": [b"v=spf1 ip6:2001:db8::/32 ip4:0.0.0.0/0 -all"]}
        }
        self.assertEqual("SPF_PASS", self.scan(zone, "2001:db8:1::1").symbol)
        self.assertEqual("SPF_FAIL", self.scan(zone, "2001:db9::1").symbol)
        self.assertEqual("SPF_PASS", self.scan(zone, "::ffff:192.0.2.1").symbol)

    def test_null_path(self) -> None:
        """A bounce is judged by the name the client gave itself."""
        zone = {"mail.example.net": {"TXT": [b"v=spf1 a -all"], "A": ["192.0.2.1"]}}
        finding = self.scan(zone, sender="")
        self.assertEqual("SPF_PASS", finding.symbol)
        self.assertEqual("mail.example.net", tags(finding.evidence)["helo"])

    def test_nothing_said(self) -> None:
        """No record, no such domain, no helo: none."""
        self.assertEqual("SPF_NONE", self.scan({}).symbol)
        self.assertEqual("SPF_NONE", self.scan({}, sender="", helo="").symbol)
        self.assertEqual(
            "SPF_NONE", self.scan({}, sender="", helo="[192.0.2.1]").symbol
        )

    def test_trouble(self) -> None:
        """A domain that cannot be asked is an error for now."""
        finding = self.scan({"example.org": {"*": None}})
        self.assertEqual("SPF_TEMPERROR", finding.symbol)
        self.assertIs(Result.ERROR, finding.result)

    def test_one_name_in_trouble(self) -> None:
        """A name of the client that cannot be asked for is left out."""
        zone: dict[str, Any] = {
            "example.org": {"TXT": [b"v=spf1 ptr -all"]},
            "1.2.0.192.in-addr.arpa": {"PTR": ["x.test", "mail.example.org"]},
            "x.test": {"*": None},
            "mail.example.org": {"A": ["192.0.2.1"]},
        }
        self.assertEqual("SPF_PASS", self.scan(zone).symbol)

    def test_given_up(self) -> None:
        """A message given up while it waits for answers leaves nothing behind."""
        waiting: list[Deferred[Answer]] = []

        class Never(ZoneResolver):
            def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
                if name.startswith("mx"):
                    waiting.append(Deferred())
                    return waiting[-1]
                return super().lookup(name, rdtype)

        hosts = [(n, f"mx{n}.example.org") for n in range(3)]
        zone = {"example.org": {"TXT": [b"v=spf1 mx -all"], "MX": hosts}}
        work = transaction("192.0.2.1", "a@example.org", "x")
        d = SPFStage(Never(zone)).scan(work)
        self.assertEqual(3, len(waiting))
        d.cancel()
        self.failureResultOf(d)
        waiting.clear()
        gc.collect()
        self.assertEqual([], self.flushLoggedErrors())

    def test_limits(self) -> None:
        """Ten terms that look up, two that find nothing, and no loops (R80)."""
        many = {f"n{n}.example": {"TXT": [b"v=spf1 ?all"]} for n in range(11)}
        includes = b" ".join(b"include:n%d.example" % n for n in range(11))
        many["example.org"] = {"TXT": [b"v=spf1 " + includes]}
        self.assertEqual("SPF_PERMERROR", self.scan(many).symbol)
        void = {"example.org": {"TXT": [b"v=spf1 a:x.test a:y.test a:z.test +all"]}}
        self.assertEqual("SPF_PERMERROR", self.scan(void).symbol)
        loop = {"example.org": {"TXT": [b"v=spf1 redirect=example.net"]}}
        loop["example.net"] = {"TXT": [b"v=spf1 redirect=example.org"]}
        self.assertEqual("SPF_PERMERROR", self.scan(loop).symbol)

    def test_budget(self) -> None:
        """A domain that asks for more than a message may gets no answer."""
        hosts = [(n, f"h{n}.example") for n in range(10)]
        zone: dict[str, Any] = {h: {"A": ["198.51.100.1"]} for _, h in hosts}
        for n in range(9):
            zone[f"d{n}.example"] = {"MX": [(p, f"x{n}{h}") for p, h in hosts]}
            zone |= {f"x{n}{h}": {"A": ["198.51.100.1"]} for _, h in hosts}
        terms = b" ".join(b"mx:d%d.example" % n for n in range(9))
        zone["example.org"] = {"TXT": [b"v=spf1 " + terms + b" -all"]}
        self.assertEqual("SPF_TEMPERROR", self.scan(zone, lookups=60).symbol)
        self.assertEqual(60, len(self.resolver.asked))

    def test_evidence_is_ours(self) -> None:
        """No explanation and no domain can write a tag into the evidence."""
        zone = {
            "example.org": {"TXT": [b"v=spf1 -all exp=why.example.org"]},
            "why.example.org": {"TXT": [b"x d=bank.example mailfrom=bank.example"]},
        }
        found = tags(self.scan(zone).evidence)
        self.assertEqual("example.org", found["d"])
        finding = self.scan({}, sender="a@x d=bank.example")
        self.assertNotIn(" d=bank", finding.evidence)

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from(WORDS),
            max_size=12,
        ),
        st.sampled_from(["", " "]),
        st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    )
    def test_any_record(self, words: list[str], glue: str, client: str) -> None:
        """Whatever a domain publishes, there is a result."""
        text = ("v=spf1 " + glue.join(words)).encode()
        zone: dict[str, Any] = {
            "example.org": {"TXT": [text], "A": ["192.0.2.9"], "MX": [(1, "x.test")]},
            "x.test": {"TXT": [text], "A": ["192.0.2.8"]},
        }
        finding = self.scan(zone, client)
        self.assertTrue(finding.symbol.startswith("SPF_"))
        self.assertLess(len(self.resolver.asked), 61)
