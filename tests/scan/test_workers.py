"""Workers do their jobs, die alone, and can do nothing else."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

import smfd
from smfd.model.transaction import Body
from smfd.scan.workers import Busy, JobFailed, Overdue, WorkerDied, Workers

ROOT = str(Path(smfd.__file__).parents[1])
PROBES = (sys.executable, str(Path(__file__).with_name("probes.py")))


def small(data: bytes = b"") -> Body:
    """A body in memory."""
    return Body(len(data), data)


class WorkersTestCase(TestCase):
    """With real worker processes that know the probes."""

    def workers(self, extra: Sequence[str] = (), **settings: Any) -> Workers:
        """Start some; they are stopped when the test is over."""
        workers = Workers(reactor, (*PROBES, *extra), **settings)
        workers.startService()
        self.addCleanup(workers.stopService)
        return workers

    def attempt(self, workers: Workers, what: str, **given: Any) -> Deferred[str]:
        """Have a worker try something forbidden; fires with how it ended."""
        return workers.submit("attempt", small(), {"what": what, **given})


class JobTests(WorkersTestCase):
    """Jobs are done, in order, whatever becomes of others."""

    async def test_small_and_large(self) -> None:
        """A small message travels through the pipe, a large one by its name."""
        spool = Path(self.mktemp()).absolute()
        spool.mkdir()
        (spool / "one").write_bytes(b"\x01" * 300_000)
        workers = self.workers(["--spool", str(spool)])
        for body in (small(b"\x01" * 70_000), Body(300_000, None, str(spool / "one"))):
            answer = await workers.submit("echo", body, {"a": "ä"})
            self.assertEqual((answer["size"], answer["sum"]), (body.size, body.size))
            self.assertEqual(answer["given"], {"a": "ä"})

    async def test_many(self) -> None:
        """More jobs than workers wait their turn, and all are done."""
        workers = self.workers()
        results = await gatherResults(
            [workers.submit("echo", small(b"a" * n), {}) for n in range(200)]
        )
        self.assertEqual([r["size"] for r in results], list(range(200)))
        # Where the machine is busy one does it all before the other has begun.
        self.assertIn(len({r["pid"] for r in results}), (1, 2))

    async def test_full(self) -> None:
        """When too many wait, another is refused at once."""
        workers = self.workers(queue=2)
        waiting = [workers.submit("echo", small(), {}) for _ in range(2)]
        await self.assertFailure(workers.submit("echo", small(), {}), Busy)
        await gatherResults(waiting)

    async def test_given_up(self) -> None:
        """What nobody waits for any more takes no place and no memory."""
        workers = self.workers(queue=2)
        for _ in range(5):
            d = workers.submit("echo", small(b"x" * 100_000), {})
            d.cancel()
            await self.assertFailure(d, CancelledError)
        self.assertEqual((await workers.submit("echo", small(b"x"), {}))["size"], 1)

    async def test_poison(self) -> None:
        """A job that fails or kills its worker fails alone (R14)."""
        workers = self.workers(size=1)
        for what in ("recursion", "key", "memory"):
            failed = workers.submit("raises", small(), {"what": what})
            await self.assertFailure(failed, JobFailed)
        crashed = workers.submit("crash", small(), {})
        after = workers.submit("echo", small(b"x"), {})
        await self.assertFailure(crashed, WorkerDied)
        self.assertEqual((await after)["size"], 1)

    async def test_tried_again(self) -> None:
        """A job whose worker died by chance is done by the next."""
        workers = self.workers(size=1)
        pid = (await workers.submit("echo", small(), {}))["pid"]
        again = await workers.submit("crash_once", small(), {"pid": pid})
        self.assertNotEqual(again, pid)

    async def test_too_long_an_answer(self) -> None:
        """An answer without end is cut off, and the next is right again."""
        workers = self.workers(size=1)
        await self.assertFailure(workers.submit("flood", small(), {}), JobFailed)
        self.assertEqual((await workers.submit("echo", small(b"x"), {}))["size"], 1)

    async def test_cancelled(self) -> None:
        """When nobody waits any more, the worker is not kept busy."""
        workers = self.workers(size=1, deadline=3600)
        await workers.submit("echo", small(), {})
        running = workers.submit("loop", small(), {})
        waiting = workers.submit("loop", small(), {})
        for job in (waiting, running):
            job.cancel()
            await self.assertFailure(job, CancelledError)
        await workers.submit("echo", small(), {})

    test_cancelled.timeout = 20  # type: ignore[attr-defined]

    async def test_master_killed(self) -> None:
        """When the master is killed, another takes its place; no job is lost."""
        workers = self.workers(size=1)
        first = await workers.submit("echo", small(), {})
        master = workers._master
        assert master is not None and master.transport is not None
        pid = master.transport.pid
        assert pid is not None
        os.kill(pid, 9)
        again = first
        while again["pid"] == first["pid"]:
            again = await workers.submit("echo", small(b"x"), {})
        self.assertEqual(again["size"], 1)

    async def test_daemon_killed(self) -> None:
        """When the daemon is killed, its workers end and leave nothing behind."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        with socket.socket(socket.AF_UNIX) as listening:
            address = os.path.relpath(folder / "socket")
            listening.bind(address)
            listening.listen()
            line = [*PROBES, "--socket", address, "--size", "1"]
            master = subprocess.Popen(
                line, stdin=subprocess.PIPE, env={"PYTHONPATH": ROOT}
            )
            connection, _ = await deferToThread(listening.accept)
            with connection:
                assert master.stdin is not None
                master.stdin.close()
                self.assertEqual(await deferToThread(master.wait), 0)
                while connection.recv(4096):
                    pass
        self.assertFalse(folder.exists())

    async def test_stopped(self) -> None:
        """After the service stopped, no process is left and no job hangs."""
        workers = self.workers()
        pid = (await workers.submit("echo", small(), {}))["pid"]
        hanging = [workers.submit("loop", small(), {}) for _ in range(4)]
        ended = [self.assertFailure(job, WorkerDied) for job in hanging]
        await workers.stopService()
        await gatherResults(ended)
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        await self.assertFailure(workers.submit("echo", small(), {}), Busy)


class ConfinementTests(WorkersTestCase):
    """A worker that was taken over can compute, and nothing else (R30)."""

    async def test_files(self) -> None:
        """It opens nothing outside the spool, and changes nothing inside it."""
        spool = Path(self.mktemp()).absolute()
        spool.mkdir()
        inside, outside = spool / "one", spool.parent / "two"
        for path in (inside, outside):
            path.write_bytes(b"x")
        workers = self.workers(["--spool", str(spool)])
        for what, path in [
            ("open", outside),
            ("open", Path("/etc/passwd")),
            ("spool", inside),
            ("spool", spool / "new"),
            ("unlink", inside),
            ("chmod", inside),
        ]:
            answer = await self.attempt(workers, what, path=str(path))
            self.assertIn(answer, ("refused: 13", "refused: 1"), (what, path))
        answer = await self.attempt(workers, "open", path=str(inside))
        self.assertEqual(answer, "done")
        self.assertIn("landlock", workers.layers)

    async def test_network_and_processes(self) -> None:
        """It calls nobody, starts nothing and signals nobody."""
        workers = self.workers(size=1)
        for what in ("connect", "exec", "fork", "kill"):
            answer = await self.attempt(workers, what, port=25)
            self.assertEqual(answer, "refused: 1", what)
        self.assertIn("seccomp", workers.layers)

    async def test_memory(self) -> None:
        """Ten gigabytes are not to be had; the next job finds a fresh worker."""
        workers = self.workers(size=1)
        before = (await workers.submit("echo", small(), {}))["pid"]
        await self.assertFailure(workers.submit("allocate", small(), {}), JobFailed)
        after = (await workers.submit("echo", small(), {}))["pid"]
        self.assertNotEqual(before, after)

    async def test_endless(self) -> None:
        """A job without end is ended at its deadline, asleep or busy."""
        workers = self.workers(size=1, deadline=0.3)
        for busy in (False, True):
            endless = workers.submit("loop", small(), {"busy": busy})
            await self.assertFailure(endless, Overdue)
        await workers.submit("echo", small(), {})

    async def test_each_deadline(self) -> None:
        """Every job has a deadline of its own, whatever began before it."""
        workers = self.workers(size=2, deadline=0.4)
        await workers.submit("echo", small(), {})
        first = workers.submit("loop", small(), {})
        await deferLater(reactor, 0.2)
        second = workers.submit("loop", small(), {})
        await self.assertFailure(first, Overdue)
        await self.assertFailure(second, Overdue)
        await workers.submit("echo", small(), {})

    test_each_deadline.timeout = 20  # type: ignore[attr-defined]

    async def test_processor_time(self) -> None:
        """Should nobody stop it, the kernel does when its seconds are used."""
        workers = self.workers(["--seconds", "0"], size=1, deadline=60)
        endless = workers.submit("loop", small(), {"busy": True})
        await self.assertFailure(endless, WorkerDied)
