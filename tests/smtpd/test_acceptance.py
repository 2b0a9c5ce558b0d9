"""Tests for L{smfd.smtpd.accept} and what it writes, with real parts behind it."""

import errno
import os
import sqlite3
import threading
from collections.abc import Sequence

from attrs import Factory, define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from smfd.interfaces import IIncoming, IStage
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.proto.reply import Reply
from smfd.store.atomic import Disk
from tests.sample import come
from tests.smtpd.fronts import (
    ANN,
    BOB,
    LARGE,
    LETTER,
    SENDER,
    FrontTestCase,
    address,
)


@implementer(IStage)
@define
class Slow:
    """A virus stage that answers when it is told."""

    name = "virus"
    waiting: list[Deferred[Sequence[Finding]]] = Factory(list)

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Later."""
        d: Deferred[Sequence[Finding]] = Deferred()
        self.waiting.append(d)
        return d

    def answer(self) -> None:
        """Nothing found."""
        found = Finding("virus", "VIRUS_CLEAN", Result.PASS)
        self.waiting.pop().callback([found])


@implementer(IStage)
class Broken:
    """A virus stage that cannot tell."""

    name = "virus"

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Fail."""
        raise OSError("no clamd")


class GatedDisk(Disk):
    """
    A disk whose commits wait, or fail.

    @ivar gate: commits pass while it is set.
    @ivar trouble: raised instead of the next commit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.trouble: Exception | None = None

    def commit(self, connection: sqlite3.Connection) -> None:
        """Commit when the gate is open."""
        self.gate.wait(30)
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble
        super().commit(connection)


class AcceptedTests(FrontTestCase):
    """Ours, and on its way."""

    async def test_delivered(self) -> None:
        """A message is answered with its id and lies in the mailbox, once."""
        await self.build()
        said = await self.send()
        self.assertEqual((250, "2.0.0"), (said.code, said.status))
        await self.house.settled()
        (message,) = self.house.messages()
        self.assertTrue(message.endswith(LETTER))
        record = await self.record(said)
        self.assertEqual(
            ("message", "clean", "Hello", "alice@a.example"),
            (
                record["kind"],
                record["verdict"],
                record["subject"],
                record["header_from"],
            ),
        )
        self.assertIn("verdict=clean", self.logged())

    async def test_large(self) -> None:
        """A large one goes through a file, which is gone when it is delivered."""
        await self.build()
        self.assertEqual(250, (await self.send(LARGE, (ANN, BOB))).code)
        await self.house.settled()
        self.assertEqual(2, len(self.house.messages()))
        await self.until(lambda: not self.spooled())

    async def test_one_mailbox(self) -> None:
        """Whoever is named thrice gets it once."""
        await self.build()
        names = (ANN, "ann+shop@home.example", "postmaster", "postmaster@home.example")
        said = await self.send(recipients=names)
        await self.house.settled()
        self.assertEqual(2, len(self.house.messages()))
        self.assertEqual(
            [ANN, "postmaster@home.example"], (await self.record(said))["recipients"]
        )

    async def test_commit_first(self) -> None:
        """There is no 250 as long as the ledger has not committed."""
        disk = GatedDisk()
        await self.build(disk=disk)
        disk.gate.clear()
        d = await self.arrive()
        answered: list[Reply] = []
        d.addCallback(answered.append)
        for _ in range(5):
            await self.directory.domains()  # the reactor turns, threads run
        self.assertEqual(([], []), (answered, self.house.messages()))
        disk.gate.set()
        await d
        self.assertEqual([250], [said.code for said in answered])

    async def test_fault_behind_the_commit(self) -> None:
        """
        What is committed stays ours though delivery or the log breaks: the
        body is kept, and the client does not send it twice.
        """
        await self.build()
        with_fault = self.patch(self.house.runner, "take", _breaks)
        self.assertEqual(250, (await self.send(LARGE)).code)
        self.assertEqual(1, len(self.spooled()))
        with_fault.restore()
        self.patch(self.maillog, "line", _breaks)
        self.assertEqual(250, (await self.send()).code)
        await self.until(self.house.messages)
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))

    async def test_client_gone(self) -> None:
        """A client that goes while it is judged has sent it all the same."""
        slow = Slow()
        await self.build({"virus": slow})
        d = await self.arrive()
        await self.until(lambda: slow.waiting)
        d.addErrback(lambda _: None)
        d.cancel()
        slow.answer()
        await self.until(self.house.messages)
        await self.house.settled()
        self.assertEqual(1, len(self.house.messages()))


class DeferredTests(FrontTestCase):
    """Not ours: come again."""

    async def left(self, said: Reply, code: int, status: str) -> None:
        """It was answered so, and has left a record and nothing else."""
        self.assertEqual((code, status), (said.code, said.status))
        self.assertNotIn("clamd", said.lines[0])
        self.assertEqual("deferred", (await self.record(said))["verdict"])
        await self.house.settled()
        await self.until(lambda: not self.spooled())
        self.assertEqual([], self.house.messages() + self.house.messages("quarantine"))
        counts = await self.house.reader.counts()
        self.assertEqual((0, 0), (counts["due"], counts["held"]))

    async def test_unscanned(self) -> None:
        """What the scanner cannot judge is deferred, and no file stays."""
        await self.build({"virus": Broken()})
        for data in LETTER, LARGE:
            await self.left(await self.send(data), 451, "4.7.1")

    async def test_too_slow(self) -> None:
        """A scanner that never answers, too."""
        await self.build({"virus": Slow()}, patience=0.01)
        await self.left(await self.send(LARGE), 451, "4.7.1")

    async def test_fault(self) -> None:
        """A fault of ours is 451, logged for us, and not shown."""
        await self.build()
        self.patch(self.directory, "domain", _breaks)
        await self.left(await self.send(LARGE), 451, "4.3.0")
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    async def test_disk_full(self) -> None:
        """A disk that is full at the commit: 452, and the next one is taken."""
        disk = GatedDisk()
        await self.build(disk=disk)
        disk.trouble = sqlite3.OperationalError("database or disk is full")
        disk.trouble.sqlite_errorcode = sqlite3.SQLITE_FULL
        await self.left(await self.send(LARGE), 452, "4.3.1")
        self.assertEqual(250, (await self.send()).code)
        await self.house.settled()

    async def test_disk_broken(self) -> None:
        """
        A commit whose sync failed may be there at the next start: its file stays.

        Thrown away, it would leave a row that names a file that is gone.
        """
        disk = GatedDisk()
        await self.build(disk=disk)
        disk.trouble = sqlite3.OperationalError("disk I/O error")
        disk.trouble.sqlite_errorcode = sqlite3.SQLITE_IOERR
        said = await self.send(LARGE)
        self.assertEqual((451, "4.3.0"), (said.code, said.status))
        self.assertTrue(self.house.ledger.suspect)
        self.assertEqual(1, len(self.spooled()))
        self.flushLoggedErrors()

    async def test_spool_full(self) -> None:
        """So is one that is full at the sync of the body."""
        disk = GatedDisk()
        await self.build(disk=disk)
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.patch(disk, "sync", lambda fd: _raise(full))
        await self.left(await self.send(LARGE), 452, "4.3.1")
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))

    async def test_mailbox_gone(self) -> None:
        """A mailbox that goes between RCPT and the dot."""
        await self.build()
        session, to = self.session(), Forward(address(ANN))
        envelope = Envelope(self.name(), SENDER, (to,))
        said = await come(self.door.rcpt(session, Envelope(self.name(), SENDER), to))
        self.assertEqual(250, said.code)
        await self.directory.remove_account(ANN, actor="uid:test")
        incoming = await come(self.door.data(session, envelope))
        assert IIncoming.providedBy(incoming), incoming
        incoming.write(LETTER)
        body = await come(incoming.finish())
        await self.left(
            await come(self.door.message(session, envelope, body)), 450, "4.2.1"
        )


class RefusedTests(FrontTestCase):
    """Never ours."""

    async def refused(self, data: bytes, code: int, status: str) -> None:
        """It is, with a record, and leaves no file."""
        said = await self.send(data)
        self.assertEqual((code, status), (said.code, said.status))
        record = await self.record(said)
        self.assertEqual("refused", record["verdict"])
        self.assertEqual([ANN], record["recipients"])
        await self.until(lambda: not self.spooled())
        self.assertEqual([], self.house.messages())

    async def test_header(self) -> None:
        """A header that is too large, in memory or in a file."""
        await self.build()
        await self.refused(b"X: y\r\n" * 1700 + LETTER, 552, "5.3.4")
        await self.refused(b"X: y\r\n" * 5 + b"Y: " + b"z" * 10_000, 552, "5.3.4")

    async def test_loop(self) -> None:
        """Fifty hops are a long way, one more is a loop (R54, RFC 5321 §6.3)."""
        await self.build()
        hop = b"Received: a\r\n"
        self.assertEqual(250, (await self.send(hop * 50 + LETTER)).code)
        await self.until(self.house.messages)
        for message in self.house.files():
            message.unlink()
        await self.refused(hop * 51 + LETTER, 554, "5.4.6")


def _breaks(*_: object, **__: object) -> Deferred[object]:
    raise ZeroDivisionError


def _raise(trouble: Exception) -> None:
    raise trouble
