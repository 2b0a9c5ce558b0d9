"""Tests for L{smfd.delivery.dmarc_out}: domains are told what came in their name."""

import gzip
from collections.abc import Mapping, Sequence
from email import message_from_bytes
from email.policy import default
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.reports import read_reports
from smfd.delivery.dmarc_out import DMARCOut, Reporter
from smfd.format.authres import evidence
from smfd.format.dmarc_feedback import DMARCLetter, Feedback, Row
from smfd.format.dmarc_report import read_report
from smfd.net.dns_answer import Answer, DNSTrouble
from smfd.store import dmarc_tally
from smfd.store.dmarc_tally import DMARCTally
from smfd.store.threads import Closed
from tests.store.making import pause
from tests.store.test_deliveries import FileTestCase, reactor

DAY = 86_400
TODAY = 20_000
NOON = TODAY * DAY + 12 * 3600.0


def document(number: int, at: float, author: str = "a.test") -> dict[str, Any]:
    """A record of a message that failed."""
    findings = (
        ("spf", "SPF_PASS", evidence(d="bounce.a.test")),
        ("dkim", "DKIM_FAIL", evidence(d=author, s="s1")),
        ("dmarc", "DMARC_FAIL_REJECT", evidence(d=author)),
    )
    return {
        "kind": "message",
        "flow": "inbound",
        "time": at,
        "client": f"192.0.2.{number % 3}",
        "findings": [
            {"stage": stage, "symbol": symbol, "evidence": text}
            for stage, symbol, text in findings
        ],
        "fates": [{"disposition": "reject"}],
    }


class World:
    """
    Records, a DNS, and a letter box.

    @ivar trouble: names that cannot be looked up.
    """

    def __init__(self) -> None:
        self.records: list[tuple[int, Mapping[str, Any]]] = []
        self.zone: dict[str, list[bytes]] = {}
        self.trouble: set[str] = set()
        self.sent: list[tuple[DMARCLetter, bytes]] = []

    def after(self, seq: int, limit: int) -> Sequence[tuple[int, Mapping[str, Any]]]:
        """Those behind a number."""
        return [one for one in self.records if one[0] > seq][:limit]

    def add(self, *documents: Mapping[str, Any]) -> None:
        """More of them."""
        for one in documents:
            self.records.append((len(self.records) + 1, one))

    def known(self, name: str, rdtype: str) -> Answer | None:
        """Nothing is."""
        return None

    def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
        """What the zone has."""
        if name in self.trouble:
            return fail(DNSTrouble(name))
        found = self.zone.get(name)
        return succeed(Answer("ok", tuple(found)) if found else Answer("nxdomain"))

    async def send(self, letter: DMARCLetter, octets: bytes) -> None:
        """Into the box."""
        self.sent.append((letter, octets))


class OutTests(FileTestCase):
    """Once a day, to those who ask."""

    def setUp(self) -> None:
        super().setUp()
        self.world = World()
        self.tally = DMARCTally(self.file)
        self.clock = Clock()
        self.clock.advance(NOON)

    def out(self) -> DMARCOut:
        """Who reports."""

        def organization(name: str) -> str:
            return ".".join(name.split(".")[-2:])

        class Both:
            callFromThread = staticmethod(reactor.callFromThread)
            callLater = staticmethod(self.clock.callLater)
            seconds = staticmethod(self.clock.seconds)

        return DMARCOut(
            Both(),
            self.tally,
            self.world.after,
            self.world,
            Reporter("dmarc@ours.test", "mx.ours.test", organization),
            self.world.send,
        )

    async def round(self) -> list[str]:
        """One round of one that was started just now; who got a letter by it."""
        before = len(self.world.sent)
        out = self.out()
        out.startService()
        await out.round()
        await out.stopService()
        return [letter.recipient for letter, _ in self.world.sent[before:]]

    def asks(self, *rua: str, domain: str = "a.test") -> None:
        """A domain asks for reports."""
        uris = ",".join(f"mailto:{address}" for address in rua)
        text = f"v=DMARC1; p=reject; adkim=s; rua={uris}"
        self.world.zone[f"_dmarc.{domain}"] = [text.encode()]

    async def end(self) -> tuple[Deferred[None], Deferred[None]]:
        """The end comes while a letter is in hand: that of the letter, and ours."""
        self.asks("d@a.test")
        self.world.add(document(1, NOON))
        await self.round()
        self.clock.advance(DAY)
        asked: list[DMARCLetter] = []
        in_hand: Deferred[None] = Deferred()

        def send(letter: DMARCLetter, octets: bytes) -> Deferred[None]:
            asked.append(letter)
            return in_hand

        out = self.out()
        self.patch(out, "_send", send)
        out.startService()
        out._rounds.once()
        while not asked:
            await pause()
        end = out.stopService()
        self.assertNoResult(end)
        return in_hand, end

    async def test_end(self) -> None:
        """The letter in hand at the end is sent, and not once more after it."""
        in_hand, end = await self.end()
        in_hand.callback(None)
        await end
        self.assertEqual([], await self.round())

    async def test_cut_short(self) -> None:
        """One that the end cuts short is sent after the next start."""
        in_hand, end = await self.end()
        in_hand.errback(Closed("nobody signs it now"))
        await end
        self.assertEqual(["d@a.test"], await self.round())

    async def test_told(self) -> None:
        """The day's mail is told once, when the day is over, and over restarts."""
        self.asks("d@a.test")
        self.world.add(*(document(n, NOON) for n in range(6)))
        self.assertEqual([], await self.round())
        self.world.add(document(7, NOON + 1))
        self.clock.advance(DAY)
        self.world.add(document(8, NOON + DAY))
        self.assertEqual(["d@a.test"], await self.round())
        self.assertEqual([], await self.round())
        letter, octets = self.world.sent[0]
        message = message_from_bytes(octets, policy=default)
        self.assertEqual("dmarc@ours.test", message["From"])
        self.assertIn(
            "Report Domain: a.test Submitter: mx.ours.test", message["Subject"]
        )
        (report,) = read_reports(octets, {"hostname": "x"})["reports"]
        self.assertEqual(
            ("a.test", "mx.ours.test", TODAY * DAY, (TODAY + 1) * DAY - 1),
            (report["domain"], report["reporter"], report["begins"], report["ends"]),
        )
        self.assertEqual("p=reject sp=reject adkim=s aspf=r pct=100", report["policy"])
        self.assertEqual(
            {("192.0.2.0", 2), ("192.0.2.1", 3), ("192.0.2.2", 2)},
            {(row["source"], row["number"]) for row in report["rows"]},
        )
        row = report["rows"][0]
        self.assertEqual(
            ("reject", False, True, "a.test"),
            (row["disposition"], row["dkim"], row["spf"], row["author"]),
        )
        self.assertEqual("dkim=fail a.test/s1; spf=pass bounce.a.test", row["detail"])
        self.assertTrue(letter.file.startswith("mx.ours.test!a.test!"))

    async def test_strangers(self) -> None:
        """Whoever is named by another gets a report only if he says so himself."""
        self.asks("d@b.test", "d@c.test")
        self.world.zone["a.test._report._dmarc.c.test"] = [b"v=DMARC1"]
        self.world.add(document(1, NOON))
        self.clock.advance(DAY)
        self.assertEqual(["d@c.test"], await self.round())

    async def test_subdomain(self) -> None:
        """Mail in the name of a subdomain is told by its organization's record."""
        self.asks("d@a.test")
        self.world.add(document(1, NOON, "mail.a.test"))
        self.clock.advance(DAY)
        self.assertEqual(["d@a.test"], await self.round())
        (report,) = read_reports(self.world.sent[0][1], {"hostname": "x"})["reports"]
        self.assertEqual("a.test", report["domain"])
        self.assertEqual("mail.a.test", report["rows"][0]["author"])

    async def test_nobody(self) -> None:
        """Who asks for nothing, or too little, is told nothing."""
        for n, text in enumerate(
            (
                b"v=DMARC1; p=none",
                b"v=DMARC1; p=none; rua=mailto:d@x1.test!10",
                b"v=spf1",
            )
        ):
            self.world.zone[f"_dmarc.x{n}.test"] = [text]
            self.world.add(document(1, NOON, f"x{n}.test"))
        self.clock.advance(DAY)
        self.assertEqual([], await self.round())
        self.assertEqual([], list(await self.tally.due(NOON + 9 * DAY, 99)))

    async def test_silence(self) -> None:
        """A domain that cannot be asked is asked again, for two days."""
        self.asks("d@a.test")
        self.world.add(document(1, NOON))
        self.world.trouble.add("_dmarc.a.test")
        self.clock.advance(DAY)
        self.assertEqual([], await self.round())
        self.clock.advance(DAY)
        self.assertEqual([], await self.round())
        self.assertEqual(1, len(await self.tally.due(NOON + 9 * DAY, 99)))
        self.clock.advance(DAY)
        self.world.trouble.clear()
        self.assertEqual([], await self.round())
        self.assertEqual([], list(await self.tally.due(NOON + 9 * DAY, 99)))

    async def test_long_ago(self) -> None:
        """Who begins to report tells nobody of what was weeks before."""
        self.asks("d@a.test")
        for days in 30, 3, 2:
            self.world.add(document(days, NOON - days * DAY))
        await self.round()
        (letter,) = [letter for letter, _ in self.world.sent]
        self.assertEqual((TODAY - 2) * DAY, letter.report.begin)

    async def test_many(self) -> None:
        """A flood in somebody's name takes no more room than is meant for it."""
        self.patch(dmarc_tally, "_OF_DOMAIN", 2)
        self.asks("d@a.test")
        self.world.add(*(document(n, NOON) for n in range(900)))
        self.clock.advance(DAY)
        await self.round()
        (report,) = read_reports(self.world.sent[0][1], {"hostname": "x"})["reports"]
        self.assertEqual([300, 300], [row["number"] for row in report["rows"]])


class FeedbackTests(SynchronousTestCase):
    """The report itself."""

    @given(
        st.lists(
            st.builds(
                Row,
                st.ip_addresses().map(str),
                st.integers(0, 10**6),
                st.sampled_from(["none", "reject"]),
                st.booleans(),
                st.booleans(),
                st.text(max_size=20),
                st.lists(
                    st.tuples(st.text(max_size=9), st.text(), st.text()), max_size=2
                ),
                st.none() | st.tuples(st.text(max_size=9), st.text()),
            ),
            max_size=5,
        ),
        st.text(max_size=40),
    )
    def test_anything(self, rows: list[Row], words: str) -> None:
        """Whatever strangers wrote into it, it is read again with the same numbers."""
        made = Feedback("us", words, words, "a.test", 1, 2, [("p", words)], rows)
        found = read_report(gzip.decompress(made.packed()))
        self.assertEqual(
            [(r.source, r.number, r.disposition, r.dkim, r.spf) for r in rows],
            [(r.source, r.number, r.disposition, r.dkim, r.spf) for r in found.rows],
        )
