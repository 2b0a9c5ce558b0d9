"""Reports on TLS: what is counted, and who is told."""

from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smfd.delivery.tls_reports import PATIENCE, Submitter, TLSReports
from smfd.delivery.tls_tally import Tally
from smfd.format.tlsrpt import Failure, Outcome, TLSReport, read_report
from smfd.format.tlsrpt_letter import TLSLetter
from smfd.interfaces import IHands
from smfd.model.hop import TLSA, NextHop
from smfd.model.origin import Origin
from smfd.net.dns import Answer, Resolver
from smfd.net.https import NoPage, Page
from smfd.net.smtp_client_tls import NOT_OFFERED, Proof
from smfd.policy.mta_sts import STS
from smfd.policy.report_days import SPREAD, Day, due
from smfd.policy.tls_site import SitePolicy
from smfd.store.history import Shelf

DAY = 86_400.0
NOW = 20_834 * DAY
GOOD = Proof("TLSv1.3")
EXPIRED = Proof("TLSv1.3", "certificate-expired", "it is not valid now", False)
HOP = NextHop(
    "smtp", "mx.site.test", 25, address="192.0.2.9", origin=Origin("192.0.2.1")
)
DANE = evolve(HOP, tls="dane", tlsa=(TLSA(3, 1, 1, b"\1" * 32),))
STRICT = STS("enforce", ("*.site.test",), 86400)
SITE = SitePolicy("site.test")


def ended(tally: Tally, now: float) -> list[Day]:
    """The days that are over for all domains."""
    return due(tally.keys, now + SPREAD + 60, 99)


@implementer(IHands)
class AtOnce:
    """Hands that are never busy."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def run(self, function: Callable[..., Any], *args: object) -> Deferred[Any]:
        """Do it."""
        self.done.append(function.__name__)
        return succeed(function(*args))


class TallyTests(SynchronousTestCase):
    """What is counted."""

    def setUp(self) -> None:
        self.now = NOW
        self.tally = Tally(lambda: self.now)

    def outcomes(self) -> tuple[Outcome, ...]:
        """Those of the one day that is over."""
        (day,) = ended(self.tally, NOW + DAY)
        self.assertEqual((NOW, NOW + DAY - 1), (day.begin, day.end))
        return self.tally.outcomes(day)

    def test_policies(self) -> None:
        """Each connection counts for the policy that it was opened under."""
        for _ in range(3):
            self.tally.note(SITE, HOP, GOOD)
        self.tally.note(evolve(SITE, sts=STRICT), HOP, GOOD)
        self.tally.note(evolve(SITE, sts=STRICT), DANE, GOOD)
        self.tally.note(evolve(SITE, sts=evolve(STRICT, mode="none")), HOP, GOOD)
        plain, sts, dane = self.outcomes()
        self.assertEqual(Outcome("no-policy-found", "site.test", good=4), plain)
        text = ("version: STSv1", "mode: enforce", "mx: *.site.test", "max_age: 86400")
        self.assertEqual(Outcome("sts", "site.test", text, ("*.site.test",), 1), sts)
        self.assertEqual(("tlsa", ("mx.site.test",)), (dane.kind, dane.hosts))
        self.assertEqual((f"3 1 1 {'01' * 32}",), dane.text)

    def test_failures(self) -> None:
        """Failures of one kind are one line with their number."""
        for proof in (EXPIRED, EXPIRED, NOT_OFFERED, GOOD):
            self.tally.note(SITE, HOP, proof)
        (outcome,) = self.outcomes()
        ends = ("192.0.2.1", "mx.site.test", "192.0.2.9")
        self.assertEqual((1, 3), (outcome.good, outcome.bad))
        self.assertEqual(
            (
                Failure("certificate-expired", 2, *ends, EXPIRED.why),
                Failure("starttls-not-supported", 1, *ends, NOT_OFFERED.why),
            ),
            outcome.failures,
        )

    def test_missed(self) -> None:
        """A policy that cannot be had is a failure of its own."""
        self.tally.missed("site.test", "sts-policy-fetch-error", "404")
        (outcome,) = self.outcomes()
        (failure,) = outcome.failures
        self.assertEqual("sts", outcome.kind)
        self.assertEqual(
            ("sts-policy-fetch-error", "404"), (failure.result, failure.why)
        )

    def test_override(self) -> None:
        """What a person asked for is no matter of the domain's."""
        self.tally.note(evolve(SITE, override="verify"), HOP, EXPIRED)
        self.assertEqual([], ended(self.tally, NOW + DAY))

    def test_today(self) -> None:
        """A day is counted until its last second, and for itself."""
        self.tally.note(SITE, HOP, GOOD)
        self.now += DAY - 1
        self.tally.note(SITE, HOP, GOOD)
        self.assertEqual([], ended(self.tally, self.now - SPREAD - 60))
        self.now += 1
        self.tally.note(SITE, HOP, GOOD)
        self.assertEqual(2, self.outcomes()[0].good)

    def test_bounded(self) -> None:
        """A domain with a thousand faults under a thousand policies stays small."""
        for n in range(1000):
            sts = evolve(STRICT, max_age=n)
            proof = evolve(EXPIRED, why=f"{n}" * 1000)
            self.tally.note(evolve(SITE, sts=sts), HOP, proof)
            self.tally.note(SITE, HOP, proof)
        outcomes = self.outcomes()
        self.assertLessEqual(len(outcomes), 10)
        self.assertLessEqual(max(len(o.failures) for o in outcomes), 50)

    def test_restart(self) -> None:
        """What a file gives back counts on; what is no count is nothing."""
        self.tally.note(SITE, HOP, EXPIRED)
        (row,) = self.tally.shelf.rows.values()
        self.tally.shelf = Shelf(9)
        self.tally.shelf.put("20834 site.test", (*row, 1, [2], None))
        self.tally.shelf.put("x", ())
        self.tally.note(SITE, HOP, EXPIRED)
        (outcome,) = self.outcomes()
        self.assertEqual(2, outcome.bad)


class Web:
    """Takes reports, or not."""

    def __init__(self) -> None:
        self.answer: Any = Page(201, "", b"")
        self.taken: list[tuple[str, TLSReport]] = []

    def post(self, url: str, body: Any, kind: str) -> Any:
        """As L{HTTPS.post} has it."""
        if isinstance(self.answer, Exception):
            raise self.answer
        assert kind == "application/tlsrpt+gzip"
        self.taken.append((url, read_report(body.read())))
        return succeed(self.answer)


class ReportsTests(SynchronousTestCase):
    """Who is told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.tally = Tally(self.clock.seconds)
        self.web = Web()
        self.letters: list[TLSLetter] = []
        self.full = False

    async def send(self, letter: TLSLetter, octets: bytes) -> None:
        """Take a letter."""
        if self.full:
            raise OSError("the disk is full")
        self.letters.append(letter)

    def reports(self, *rua: str, offline: bool = False) -> TLSReports:
        """Who reports, where a domain wants that."""
        static = [("site.test", "A", "192.0.2.9")]
        if rua:
            text = f"v=TLSRPTv1; rua={','.join(rua)}"
            static.append(("_smtp._tls.site.test", "TXT", text))
        elif not offline:
            static.append(("_smtp._tls.site.test", "A", "192.0.2.9"))
        resolver: Any = Resolver(self.clock, static=static, offline=True)
        web: Any = self.web
        submitter = Submitter("tls@us.test", "mx.us.test")
        self.hands = AtOnce()
        made = TLSReports(
            self.clock,
            self.tally,
            resolver,
            web,
            submitter,
            self.send,
            self.hands,
        )
        made.running = True
        return made

    def round(self, reports: TLSReports, seconds: float = 0.0) -> None:
        """A while later."""
        self.clock.advance(seconds)
        self.successResultOf(reports.round())

    def test_mail(self) -> None:
        """A letter the next day, once, and not at midnight with all others."""
        self.tally.note(SITE, HOP, EXPIRED)
        reports = self.reports("mailto:tls@site.test")
        self.round(reports, DAY - 1)
        self.round(reports, 60)
        self.assertEqual([], self.letters)
        self.round(reports, SPREAD + 60)
        self.round(reports, 600)
        (letter,) = self.letters
        self.assertEqual("tls@site.test", letter.recipient)
        self.assertEqual("us.test", letter.submitter)
        report = letter.report
        self.assertEqual((NOW, NOW + DAY - 1), (report.begin, report.end))
        self.assertEqual((0, 1), (report.outcomes[0].good, report.outcomes[0].bad))
        self.assertTrue(report.id.endswith("@us.test"))
        # All that takes long is done elsewhere.
        self.assertEqual({"due", "written"}, set(self.hands.done))

    def test_page(self) -> None:
        """Or a web server has it."""
        self.tally.note(SITE, HOP, GOOD)
        self.round(self.reports("https://site.test/in"), DAY + SPREAD + 60)
        ((url, report),) = self.web.taken
        self.assertEqual("https://site.test/in", url)
        self.assertEqual(1, report.outcomes[0].good)
        self.assertEqual(["due", "packed"], self.hands.done)
        self.assertEqual([], ended(self.tally, self.clock.seconds()))

    def test_nobody(self) -> None:
        """Who does not ask is told nothing, and forgotten."""
        self.tally.note(SITE, HOP, GOOD)
        self.round(self.reports(), DAY + SPREAD + 60)
        self.assertEqual(([], []), (self.letters, self.web.taken))
        self.assertEqual([], ended(self.tally, self.clock.seconds()))

    def test_later(self) -> None:
        """What cannot be sent is tried for a day, and then given up."""
        for reports, trouble in (
            (self.reports("https://site.test/in"), NoPage("nobody")),
            (self.reports("https://site.test/in"), Page(500, "", b"")),
            (self.reports("mailto:tls@site.test"), None),
            (self.reports(offline=True), None),
        ):
            self.web.answer, self.full = trouble or Page(201, "", b""), True
            self.tally.note(SITE, HOP, GOOD)
            self.round(reports, DAY + SPREAD + 60)
            self.assertEqual(1, len(ended(self.tally, self.clock.seconds())))
            self.round(reports, PATIENCE - SPREAD)
            self.assertEqual([], ended(self.tally, self.clock.seconds()))

    def test_spread(self) -> None:
        """Reports on many domains go out over some hours."""
        reports = self.reports()
        for n in range(40):
            self.tally.note(SitePolicy(f"site{n}.test"), HOP, GOOD)
        self.tally.missed("", "x", "no domain at all")
        asked: list[str] = []

        def lookup(name: str, rdtype: str) -> Any:
            asked.append(name)
            return succeed(Answer("nodata"))

        reports._resolver.lookup = lookup  # type: ignore[method-assign]
        self.round(reports, DAY + SPREAD / 2)
        self.assertTrue(5 < len(asked) < 35, asked)
        self.round(reports, SPREAD / 2 + 60)
        self.assertEqual(40, len(set(asked)))

    def test_one_is_enough(self) -> None:
        """Where one of two has it, the other gets no second one for him."""
        self.tally.note(SITE, HOP, GOOD)
        self.web.answer = NoPage("nobody")
        reports = self.reports("https://site.test/in", "mailto:tls@site.test")
        self.round(reports, DAY + SPREAD + 60)
        self.round(reports, 600)
        self.assertEqual(1, len(self.letters))
