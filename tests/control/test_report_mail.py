"""Tests for L{smfd.control.report_mail} and L{smfd.control.received_reports}."""

import gzip
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from smfd.control.received_reports import ReceivedReports
from smfd.control.report_mail import ReportMail
from smfd.format.dmarc_report import ROWS
from smfd.model.transaction import Body
from smfd.scan.workers import Busy, JobFailed, WorkerDied, Workers, command
from smfd.store.dmarc_reports import DMARCReports
from smfd.store.letters import Letters
from smfd.store.threads import Threads
from smfd.store.tls_received import TLSReceived
from tests.content.test_reports import mail
from tests.format.test_dmarc_report import report
from tests.store.test_deliveries import FileTestCase, reactor


class Pool:
    """Workers that say what the test wants."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.jobs = 0

    def submit(self, job: str, body: Body, arguments: dict[str, Any]) -> Deferred[Any]:
        """The next answer."""
        self.jobs += 1
        answer = self.answers.pop(0)
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)


class ReportMailTests(FileTestCase):
    """Reports are read from the mailbox they come to."""

    def setUp(self) -> None:
        super().setUp()
        root = Path(self.mktemp())
        self.box = root / "example.org" / "dmarc"
        (self.box / "new").mkdir(parents=True)
        self.hands = Threads(reactor, "test")
        self.letters = Letters(self.file, self.hands, str(root), "dmarc@example.org")
        self.reports = DMARCReports(self.file)
        self.asked: list[str] = []

    def is_hosted(self, name: str) -> Deferred[bool]:
        """One domain is."""
        self.asked.append(name)
        return succeed(name == "example.org")

    async def jobs(self, *answers: Any) -> int:
        """Look into it with workers that say this; how many jobs they had."""
        pool = Pool(*answers)
        await self.look(pool)
        return pool.jobs

    async def look(self, workers: Any) -> int:
        """Look into it; how many reports there are then."""
        reader = self.reader(workers)
        reader.startService()
        await reader.look()
        await reader.stopService()
        return (await self.reports.summary("example.org", 0)).total

    def reader(self, workers: Any) -> ReportMail:
        """Who looks into it."""
        kept = self.reports, TLSReceived(self.file)
        return ReportMail(
            self.letters,
            self.hands,
            workers,
            "dmarc",
            {"hostname": "mx.home.example"},
            ReceivedReports(*kept, self.is_hosted, reactor, self.hands).take,
            reactor,
        )

    def put(self, name: str, xml: bytes) -> None:
        """A report comes by mail."""
        (self.box / "new" / name).write_bytes(mail(gzip.compress(xml)))

    async def test_worker(self) -> None:
        """A real worker reads what came; what is another's is not kept."""
        self.put("1.a", report())
        self.put("2.b", report().replace(b"example.org", b"other.example"))
        self.put("3.c", b"<!DOCTYPE a><feedback/>")
        self.put("4.d", report().replace(b"n1", b"n2"))
        workers = Workers(reactor, command((), ""), size=1)
        workers.startService()
        self.addCleanup(workers.stopService)
        self.assertEqual(2, await self.look(workers))
        found = await self.reports.summary("example.org", 0)
        self.assertEqual("them.example", found.reports[0].sender)
        self.assertIn("other.example", self.asked)
        self.assertEqual(0, await self.jobs())

    async def test_later(self) -> None:
        """When workers are busy, the letter is read in the next round."""
        self.put("1.a", report())
        for trouble in (Busy("9"), WorkerDied("it did")):
            self.assertEqual(1, await self.jobs(trouble))
        said = {"reports": [], "sender": "", "wrong": []}
        self.assertEqual(1, await self.jobs(said))
        self.assertEqual(0, await self.jobs())

    async def test_deadly(self) -> None:
        """A letter that no worker survives does not keep the others back for ever."""
        self.put("1.a", report())
        self.put("2.b", report())
        said = {"reports": [], "sender": "", "wrong": []}
        pool = Pool(*[WorkerDied("it did")] * 3, said)
        reader = self.reader(pool)
        reader.startService()
        for _ in range(3):
            await reader.look()
        await reader.stopService()
        self.assertEqual(([], 4), (pool.answers, pool.jobs))

    async def test_never(self) -> None:
        """What breaks a worker, or makes it talk nonsense, is read once only."""
        answers = (
            JobFailed("no"),
            None,
            {"reports": 5},
            {"reports": [{"domain": "example.org"}]},
            {"reports": [{"domain": "../x", "rows": []}]},
            {"reports": [{"domain": "example.org", "rows": [1]}]},
        )
        for n in range(len(answers)):
            self.put(f"{n}.x", report())
        self.assertEqual(len(answers), await self.jobs(*answers))
        self.assertEqual(0, await self.jobs())
        self.assertEqual(0, (await self.reports.summary("example.org", 0)).total)

    async def test_limits(self) -> None:
        """A worker that was taken over has words, and they are cut to size."""
        row = {"source": "x\n", "number": -5, "dkim": "yes", "detail": "a\x1b" * 900}
        words = {
            "domain": "example.org",
            "begins": 10**30,
            "policy": "\x1b[2J",
            "rows": [row] * 9000,
        }
        many = [{**words, "name": f"{n}" * 10**5} for n in range(1, 10)]
        self.put("1.a", report())
        self.assertEqual(5, await self.look(Pool({"reports": many, "sender": 5})))
        found = await self.reports.summary("example.org", 0)
        kept = found.reports[0]
        self.assertEqual(("?[2J", 200, 0), (kept.policy, len(kept.name), kept.number))
        count = "SELECT count(*) FROM report_rows"
        rows = await self.file.run(lambda c: c.execute(count).fetchone())
        self.assertEqual((5 * (ROWS + 1),), rows)
        (source,) = found.sources
        self.assertEqual(
            ("", 0, 300), (source.address, source.dkim, len(source.detail))
        )
        self.assertTrue(source.detail.isprintable())
