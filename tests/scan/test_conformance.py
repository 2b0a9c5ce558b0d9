"""Other people's messages, read by a real worker as a message of ours is."""

import os
from collections.abc import Iterator
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

import smfd
from benchmarks import processes
from smfd.config.shipped import shipped
from smfd.model.transaction import Body
from smfd.scan.workers import Workers, command

CONFORMANCE = Path(smfd.__file__).parents[1].parent / "shared" / "conformance"

#: Every message of these folders, broken ones first of all.
FOLDERS = ("mime", "dsn", "dkim", "reports", "maildir")

#: What lies beside the messages: expected readings, keys, licences.
_BESIDE = {".json", ".xml", ".key", ".private", ".pub", ".pem", ".md", ".yml", ".bin"}

#: Seconds of processor time for one message, MB of memory for the worker.
SECONDS, MEGABYTES = 1.0, 256


def messages() -> Iterator[tuple[str, bytes]]:
    """They come over SMTP: with CRLF."""
    for folder in FOLDERS:
        for path in sorted((CONFORMANCE / folder).rglob("*")):
            if path.is_file() and path.suffix not in _BESIDE:
                data = path.read_bytes().replace(b"\r\n", b"\n")
                name = str(path.relative_to(CONFORMANCE))
                yield name, data.replace(b"\n", b"\r\n")


def peak(pid: int) -> float:
    """The most memory a process ever had, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1e3
    return 0.0


class ConformanceTests(TestCase):
    """Nobody's message breaks a worker, holds it up or fills it."""

    timeout = 300

    async def test_messages(self) -> None:
        """Each is examined and judged within a second and 256 MB, by one worker."""
        before = set(processes.tree(os.getpid()))
        spool = Path(self.mktemp()).absolute()
        spool.mkdir()
        workers = Workers(
            reactor, command((str(shipped("rules.d")),), str(spool), 5), size=1
        )
        workers.startService()
        self.addCleanup(workers.stopService)
        await workers.submit("virus", Body(2, b"\r\n"), {})
        ours = set(processes.tree(os.getpid())) - before
        master, worker = sorted(ours)[0], sorted(ours)[-1]
        self.assertNotEqual(master, worker)
        count = 0
        for name, data in messages():
            begun = processes.cpu(worker)
            for job in ("virus", "content"):
                answer = await workers.submit(job, Body(len(data), data), {})
                self.assertIsInstance(answer, dict, name)
            spent = processes.cpu(worker) - begun
            self.assertLess(spent, SECONDS, name)
            count += 1
        self.assertGreater(count, 1_000)
        # The same worker to the end: none of them killed it.
        self.assertLess(peak(worker), MEGABYTES)
