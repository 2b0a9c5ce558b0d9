"""Tests for L{smfd.policy.dns_site}, L{dns_zone} and L{dns_verdict}."""

from typing import Any
from xml.etree import ElementTree

import dns.rdatatype
import dns.zone
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.dkim import ACTIVE, RETIRED, SPARE, DKIMKey
from smfd.model.hop import TLSA
from smfd.policy.dns_pages import pages
from smfd.policy.dns_site import Service, Site, Wanted
from smfd.policy.dns_sts import Served, judged_policy
from smfd.policy.dns_verdict import FAIL, OK, WARN, Found, is_judged, judged
from smfd.policy.dns_zone import zone
from smfd.policy.mta_sts import STS, read_policy

KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
KEYS = [
    DKIMKey("home.example", state, "rsa", KEY, state, 0.0)
    for state in (ACTIVE, SPARE, RETIRED)
]
DIGEST = "ab" * 32
OPEN = (
    Service("submissions", "mx.home.example", 465),
    Service("submission", "mx.home.example", 587),
)
IMAP = Service("imaps", "imap.far.example", 993)
SITE = Site(
    "home.example",
    "mx.home.example",
    KEYS,
    ("192.0.2.1", "2001:db8::1"),
    DIGEST,
    services=(*OPEN, IMAP),
)
TOP = "@ SOA mx.home.example. x. 1 1 1 1 1\n@ NS mx.home.example.\n"


FAR = evolve(
    SITE,
    sources=[("192.0.2.7", "out.home.example"), ("2001:db8::7", "")],
    reports_to="dmarc@far.example",
)


def wanted(what: str, state: str = ACTIVE) -> Wanted:
    """One record of the site."""
    site = FAR if what in ("source", "allowed") else SITE
    every = [one for one in site.wanted() if one.what == what]
    return next((one for one in every if state in one.name), every[0])


class ZoneTests(SynchronousTestCase):
    """What is printed can be imported."""

    def load(self, text: str) -> dns.zone.Zone:
        """As a name server reads it."""
        return dns.zone.from_text(TOP + text, "home.example.", relativize=False)

    def test_reader(self) -> None:
        """Reports are asked for where they are read; another zone has to agree."""
        for to, allowed in (
            ("", 0),
            ("dmarc@home.example", 0),
            ("dmarc@far.example", 1),
        ):
            site = evolve(SITE, reports_to=to)
            found = self.load("\n".join(zone(site)))
            for name in ("_dmarc", "_smtp._tls"):
                text = str(found.find_rdataset(f"{name}.home.example.", "TXT")[0])
                self.assertIn(f"rua=mailto:{to or 'postmaster@home.example'}", text)
            named = [one.name for one in site.wanted() if one.what == "allowed"]
            self.assertEqual(
                ["home.example._report._dmarc.far.example"][:allowed], named
            )

    def test_advised(self) -> None:
        """What is advised can be put into a zone: no string is too long for it."""
        one = evolve(wanted("dkim"), value=KEY + "A" * 400)
        line = judged(one, Found()).fix.partition(": ")[2]
        (data,) = self.load(line).find_rdataset(f"{one.name}.", "TXT")
        self.assertEqual(one.value.encode(), b"".join(data.strings))

    def test_imported(self) -> None:
        """A name server reads what we print, each record with its value."""
        found = self.load("\n".join(zone(SITE)))
        kinds = [dns.rdatatype.to_text(r.rdtype) for _, _, r in found.iterate_rdatas()]
        self.assertEqual(
            {"A": 1, "AAAA": 1, "MX": 1, "TXT": 7, "SRV": 6},
            {kind: kinds.count(kind) for kind in {*kinds} - {"SOA", "NS"}},
        )
        key = found.find_rdataset(f"{ACTIVE}._domainkey.home.example.", "TXT")[0]
        self.assertEqual(KEY.encode(), b"".join(key.strings))

    def test_thoughts(self) -> None:
        """What has to be thought about first can be imported, too, once it was."""
        text = "\n".join(zone(SITE)).replace("\n;; ", "\n")
        lines = [line for line in text.split("\n") if ".arpa" not in line]
        found = self.load("\n".join(lines))
        for name, kind in (("_25._tcp.mx", "TLSA"), ("_mta-sts", "TXT")):
            self.assertTrue(found.find_rdataset(f"{name}.home.example.", kind))

    def test_comments(self) -> None:
        """Each record has a line above it that says what it is for."""
        blocks = "\n".join(zone(SITE)).split("\n\n")
        for block in blocks[1:]:
            self.assertTrue(block.startswith("; "), block)

    def test_elsewhere(self) -> None:
        """The host's own records are in this zone only if the host is."""
        text = "\n".join(zone(evolve(SITE, hostname="mx.far.example")))
        self.assertIn("\n;; mx.far.example. IN A 192.0.2.1", text)
        self.load(text)
        self.assertNotIn("\nmx.far.example.", text)

    def test_services(self) -> None:
        """Only what there is is printed; nothing is said of what may be elsewhere."""
        for services, ours in (
            ((), []),
            (OPEN[1:], ["_submission._tcp SRV 0 1 587 mx.home.example."]),
            (
                (*OPEN, IMAP),
                [
                    "_imap._tcp SRV 0 0 0 .",
                    "_imaps._tcp SRV 0 1 993 imap.far.example.",
                    "_pop3._tcp SRV 0 0 0 .",
                    "_pop3s._tcp SRV 0 0 0 .",
                    "_submission._tcp SRV 0 1 587 mx.home.example.",
                    "_submissions._tcp SRV 0 1 465 mx.home.example.",
                ],
            ),
        ):
            site = evolve(SITE, services=services)
            found = self.load("\n".join(zone(site)))
            said = [
                f"{str(name).removesuffix('.home.example.')} SRV {record}"
                for name, _, record in found.iterate_rdatas("SRV")
            ]
            self.assertEqual(ours, sorted(said))
            judged_ = {one.name for one in site.wanted() if is_judged(one)}
            imaps = "_imaps._tcp.home.example" in judged_
            self.assertEqual(IMAP in services, imaps)

    def test_pages(self) -> None:
        """What a web server must have is printed whole, with its address."""
        text = "\n".join(zone(SITE))
        sts, programs = pages(SITE)
        for page in sts, programs:
            block = text.partition(f"{page.url}:\n")[2].split("\n\n")[0]
            lines = [line.removeprefix(";   ") for line in block.splitlines()]
            self.assertEqual(page.text.splitlines(), lines)
        self.assertEqual(
            STS("enforce", ("mx.home.example",), 604800), read_policy(sts.text.encode())
        )
        root = ElementTree.fromstring(programs.text)
        self.assertEqual("home.example", root.findtext("emailProvider/domain"))
        found = [
            [one.get("type"), *(one.findtext(n) for n in ("hostname", "port"))]
            for one in root.iter()
            if one.get("type")
        ]
        expected = [
            ["imap", "imap.far.example", "993"],
            ["smtp", "mx.home.example", "465"],
        ]
        self.assertEqual(expected, found)
        for services in (), OPEN, (IMAP,):
            few = evolve(SITE, services=services)
            self.assertEqual(["mta-sts"], [page.what for page in pages(few)])
            # No web server is named for a page that there is not.
            self.assertNotIn("autoconfig", "\n".join(zone(few)))

    def test_sources(self) -> None:
        """Other addresses that mail goes out from are vouched for, and named."""
        text = "\n".join(zone(FAR))
        self.assertIn("mx a:mx.home.example ip4:192.0.2.7 ip6:2001:db8::7 ~all", text)
        for line in (
            "out.home.example. IN A 192.0.2.7",
            "7.2.0.192.in-addr.arpa. IN PTR out.home.example.",
            "1.2.0.192.in-addr.arpa. IN PTR mx.home.example.",
        ):
            self.assertIn(f"\n;; {line}\n", text)
        self.assertEqual(("192.0.2.7", "2001:db8::7"), FAR.senders)
        self.assertEqual(SITE.addresses, SITE.senders)

    def test_unknown_address(self) -> None:
        """Without an address there is a place for it, and no record."""
        text = "\n".join(zone(evolve(SITE, addresses=())))
        self.assertIn(";; mx.home.example. IN A ADDRESS", text)
        self.load(text)


SPF = b"v=spf1 mx a:mx.home.example ~all"
PASS = {"192.0.2.1": "pass"}
DMARC = b"v=DMARC1;p=quarantine; rua=mailto:x@home.example"
OWN = TLSA(3, 1, 1, bytes.fromhex(DIGEST))
OTHER = TLSA(3, 1, 1, bytes(32))

#: What is judged, what is there, and the verdict.
CASES: tuple[tuple[str, Found, str, str], ...] = (
    ("mx", Found(records=[(10, "mx.home.example")]), OK, ""),
    ("mx", Found(records=[(99, "MX.home.example")]), OK, ""),
    ("mx", Found(), FAIL, "home.example. MX 10 mx.home.example."),
    ("mx", Found(records=[(0, ".")]), FAIL, "takes no mail"),
    ("mx", Found(records=[(10, "mx.far.example")]), FAIL, "elsewhere"),
    (
        "mx",
        Found(records=[(10, "mx.home.example"), (20, "b.x")]),
        WARN,
        "past us, to b.x",
    ),
    ("spf", Found(records=[SPF], spf=PASS), OK, ""),
    ("spf", Found(records=[b"google=1", b"V=SPF1 mx -all"], spf=PASS), OK, ""),
    ("spf", Found(records=[b"v=spf10 mx"]), FAIL, "Publish"),
    ("spf", Found(), FAIL, '"v=spf1 mx a:mx.home.example ~all"'),
    ("spf", Found(records=[SPF, SPF], spf=PASS), FAIL, "several"),
    ("spf", Found(records=[b"v=spf1 +all"], spf=PASS), FAIL, "everybody"),
    ("spf", Found(records=[b"v=spf1 mx ?all"], spf=PASS), WARN, "all others"),
    ("spf", Found(records=[SPF], spf={"192.0.2.1": "fail"}), FAIL, "a:mx.home.example"),
    ("spf", Found(records=[SPF], spf={"192.0.2.1": "permerror"}), FAIL, "192.0.2.1"),
    ("spf", Found(records=[SPF], spf={"192.0.2.1": "temperror"}), WARN, "later"),
    ("host-spf", Found(), WARN, '"v=spf1 a -all"'),
    ("host-spf", Found(records=[b"v=spf1 a -all"], spf=PASS), OK, ""),
    (
        "host-spf",
        Found(records=[b"v=spf1 -all"], spf={"1.2.3.4": "fail"}),
        FAIL,
        "lacks: a",
    ),
    ("dkim", Found(records=[KEY.encode()]), OK, ""),
    ("dkim", Found(records=[b"p= " + b"A" * 200 + b" " + b"A" * 192]), OK, ""),
    ("dkim", Found(), FAIL, "Publish"),
    ("dkim", Found(records=[KEY.encode()[:255]]), FAIL, "cut"),
    ("dkim", Found(records=[KEY.encode(), b"x"]), FAIL, "several"),
    ("dkim", Found(records=[KEY.replace("rsa", "ed25519").encode()]), FAIL, "another"),
    ("dkim", Found(records=[KEY.encode() + b"; t=y"]), WARN, "t=y"),
    ("dkim", Found(records=[b"\xff; = ;;"]), FAIL, "another"),
    ("dmarc", Found(records=[DMARC]), OK, ""),
    ("dmarc", Found(), FAIL, "_dmarc.home.example."),
    ("dmarc", Found(records=[DMARC, DMARC]), FAIL, "several"),
    ("dmarc", Found(records=[b"v=DMARC1; p=nothing"]), FAIL, "none that there is"),
    ("dmarc", Found(records=[b"v=DMARC1; p=none"]), WARN, "stops nobody"),
    ("dmarc", Found(records=[b"v=DMARC1; p=reject"]), WARN, "rua=mailto:"),
    ("tlsrpt", Found(), WARN, "TLSRPTv1"),
    ("allowed", Found(), FAIL, "_report._dmarc.far.example. TXT"),
    ("allowed", Found(records=[b"v=DMARC1;"]), OK, ""),
    ("tlsrpt", Found(records=[b"v=TLSRPTv1;rua=mailto:a@b.c"]), OK, ""),
    ("tlsrpt", Found(records=[b"v=TLSRPTv1;"]), FAIL, "rua="),
    ("mta-sts", Found(), WARN, "STSv1"),
    ("mta-sts", Found(records=[b"v=STSv1; id=1a;"]), OK, ""),
    ("mta-sts", Found(records=[b"v=STSv1; id="]), FAIL, "id="),
    ("srv", Found(records=["0 1 465 mx.home.example."]), OK, ""),
    ("srv", Found(), WARN, "_submissions._tcp.home.example."),
    ("srv", Found(records=["0 1 465 far.example."]), WARN, "elsewhere"),
    ("address", Found(records=["192.0.2.1"]), OK, ""),
    ("address", Found(), FAIL, "cannot reach us"),
    ("source", Found(records=["192.0.2.7"]), OK, ""),
    ("source", Found(records=["192.0.2.8"]), FAIL, "out.home.example. A 192.0.2.7"),
    ("ptr", Found(records=["mx.home.example"]), OK, ""),
    ("ptr", Found(records=["MX.home.example."]), OK, ""),
    ("ptr", Found(), FAIL, "mx.home.example"),
    ("ptr", Found(records=["host-1.isp.example"]), FAIL, "PTR"),
    ("ptr", Found(records=["mx.home.example", "x.example"]), WARN, "several"),
    ("tlsa", Found(), OK, ""),
    ("tlsa", Found(secure=True), WARN, "DANE can be had"),
    ("tlsa", Found(records=[OWN], secure=True), OK, ""),
    ("tlsa", Found(records=[OTHER, OWN], secure=True), OK, ""),
    ("tlsa", Found(records=[OTHER], secure=True), FAIL, "sends us nothing"),
    ("tlsa", Found(records=[OWN]), WARN, "DNSSEC"),
)

RECORDS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([SPF, DMARC, KEY.encode(), b"v=STSv1; id=1", b"v=TLSRPTv1; rua=x"]),
    st.text(max_size=60),
    st.tuples(st.integers(0, 65535), st.text(max_size=20)),
    st.just(OTHER),
)


ID = SITE.policy_id
OURS = STS("enforce", ("mx.home.example",), 604_800)
MX = ("mx.home.example",)

#: What is served, and what is said of it.
SERVED: tuple[tuple[Served, str, str], ...] = (
    (Served(OURS, "", ID, MX), OK, ""),
    (Served(OURS, "", "1", MX), WARN, f"id={ID}"),
    (Served(evolve(OURS, max_age=86400), "", ID, MX), WARN, "another id"),
    (Served(evolve(OURS, max_age=86400), "", "1", MX), OK, ""),
    (Served(evolve(OURS, patterns=("*.home.example",)), "", "1", MX), OK, ""),
    (Served(evolve(OURS, mode="testing"), "", "1", MX), WARN, "mode: testing"),
    (Served(evolve(OURS, mode="testing"), "", ID, MX), WARN, "another id"),
    (Served(STS("none"), "", "1", MX), WARN, "mode: none"),
    (Served(OURS, "", ID, (*MX, "b.far.example")), WARN, "to b.far.example: an MX"),
    (Served(evolve(OURS, patterns=("far.example",)), "", "1", MX), FAIL, "mx: mx.home"),
    (Served(None, "the answer is 404"), FAIL, "the answer is 404. Serve what smfdctl"),
)


class VerdictTests(SynchronousTestCase):
    """What is there, and what is said of it."""

    def test_table(self) -> None:
        """Each mistake is named, with what to do; what is right has no advice."""
        for what, found, verdict, words in CASES:
            said = judged(wanted(what), found)
            self.assertEqual(verdict, said.verdict, (what, found, said.fix))
            self.assertIn(words, said.fix, (what, found))
            self.assertEqual(verdict == OK, not said.fix)

    def test_policy(self) -> None:
        """The policy that is served has the hosts, the mode and the id that it must."""
        for served, verdict, words in SERVED:
            said = judged_policy(SITE, served)
            self.assertEqual(verdict, said.verdict, (served, said.fix))
            self.assertIn(words, said.fix)
            self.assertEqual(verdict == OK, not said.fix)

    def test_late(self) -> None:
        """What is right and old is a thought; what is wrong stays wrong."""
        late = evolve(wanted("dkim"), late="It signs for long.")
        said = judged(late, Found(records=[KEY.encode()]))
        self.assertEqual((WARN, "It signs for long."), (said.verdict, said.fix))
        self.assertEqual(FAIL, judged(late, Found()).verdict)

    def test_spare(self) -> None:
        """A spare key that is not there yet is nothing that fails."""
        for state in (SPARE, RETIRED):
            said = judged(wanted("dkim", state), Found())
            self.assertEqual(WARN, said.verdict)

    def test_no_answer(self) -> None:
        """What could not be looked up is neither right nor wrong."""
        for one in SITE.wanted():
            if is_judged(one):
                said = judged(one, Found(answered=False))
                self.assertEqual((WARN, True), (said.verdict, "later" in said.fix))

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(RECORDS, max_size=3), st.booleans())
    def test_anything(self, records: list[Any], secure: bool) -> None:
        """Whatever strangers publish is judged, and shown at no length."""
        kinds = {"mx": tuple, "srv": str, "address": str, "ptr": str, "tlsa": TLSA}
        for one in SITE.wanted():
            if not is_judged(one):
                continue
            fitting = [r for r in records if isinstance(r, kinds.get(one.what, bytes))]
            said = judged(one, Found(records=fitting, secure=secure, spf=PASS))
            self.assertIn(said.verdict, (OK, WARN, FAIL))
            self.assertLess(sum(map(len, said.found)), 20_000)
