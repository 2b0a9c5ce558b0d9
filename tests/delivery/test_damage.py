"""Bodies that the disk did not keep as they were (R13)."""

import os
import random
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import gatherResults
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from smfd.delivery.shelving import Shelving
from smfd.model.entry import State
from smfd.model.transaction import Body
from smfd.store.atomic import Disk
from smfd.store.damage import Examination, damage, set_aside
from smfd.store.ids import new_id
from smfd.store.ledger_prune import prune
from smfd.store.maildir import Maildir
from tests.store.making import REACTOR, SmallHouse, held, mailbox
from tests.store.making import make_entry as entry_of

#: Larger than what the small house keeps in the ledger.
LARGE = 1500

Mutation = Callable[[Path, random.Random], None]


def missing(path: Path, dice: random.Random) -> None:
    """Somebody tidied it away."""
    path.unlink()


def empty(path: Path, dice: random.Random) -> None:
    """The name is there and nothing behind it."""
    path.write_bytes(b"")


def cut(path: Path, dice: random.Random) -> None:
    """Some of it is gone."""
    os.truncate(path, dice.randrange(1, LARGE))


def longer(path: Path, dice: random.Random) -> None:
    """Something was appended."""
    path.write_bytes(path.read_bytes() + b"x" * dice.randrange(1, 5000))


def flipped(path: Path, dice: random.Random) -> None:
    """One bit of it is another."""
    octets = bytearray(path.read_bytes())
    octets[dice.randrange(len(octets))] ^= 1 << dice.randrange(8)
    path.write_bytes(octets)


def folder(path: Path, dice: random.Random) -> None:
    """A folder has its name."""
    path.unlink()
    path.mkdir()


def pipe(path: Path, dice: random.Random) -> None:
    """Whoever opened it would wait for ever."""
    path.unlink()
    os.mkfifo(path)


def link(path: Path, dice: random.Random) -> None:
    """It leads to something else."""
    path.unlink()
    path.symlink_to("/etc/passwd")


MUTATIONS: Sequence[Mutation] = (
    missing,
    empty,
    cut,
    longer,
    flipped,
    folder,
    pipe,
    link,
)


def mode(path: Path, dice: random.Random) -> None:
    """Harmless: it can be read, if by more than us."""
    path.chmod(0o644)


def beside(path: Path, dice: random.Random) -> None:
    """Harmless: things of others lie beside it, and they are old."""
    path.with_name("foreign").write_bytes(b"foreign")
    path.with_name("folder").mkdir(exist_ok=True)
    (path.parent.parent / "stray").write_bytes(b"")
    for name in ("foreign", "folder"):
        os.utime(path.with_name(name), (0, 0))


class DamagedHouse(TestCase):
    """A house that stops before it delivers; something happens to its disk."""

    timeout = 60

    def setUp(self) -> None:
        self.home = Path(os.path.abspath(self.mktemp()))
        self.alarms: list[str] = []

        @implementer(ILogObserver)
        def hear(event: LogEvent) -> None:
            if event["log_level"] is LogLevel.critical:
                self.alarms.append(event["id"])

        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)

    async def keep(self, bodies: Sequence[bytes]) -> list[str]:
        """Accept messages and stop; their ids."""
        house = SmallHouse(self.home)
        await house.begin()
        names = []
        commits = []
        for data in bodies:
            names.append(new_id(REACTOR.seconds()))
            body = await house.receive(data, names[-1])
            entry = entry_of(body, [mailbox(1), held(2)], entry_id=names[-1])
            commits.append(house.ledger.commit(entry))
        await gatherResults(commits)
        await house.stop()
        return names

    async def go_on(self) -> SmallHouse:
        """Start again, until nothing is due; the house, stopped."""
        house = SmallHouse(self.home, pause=lambda attempts: 0.01)
        await house.begin()
        try:
            await house.settled()
            self.counts = await house.reader.counts()
        finally:
            await house.stop()
        return house

    def spooled(self, name: str) -> Path:
        """Where a body is."""
        return self.home / "spool" / name[-2:] / name


class MutantTests(DamagedHouse):
    """A thousand of them, and as many healthy ones between."""

    async def test_spool(self) -> None:
        """Each damaged one is put aside and told of; all others are delivered."""
        dice = random.Random(13)
        bodies = [b"%06d" % n + b"x" * LARGE for n in range(1200)]
        names = await self.keep(bodies)
        damaged = names[:1000]
        for n, name in enumerate(names):
            kinds = MUTATIONS if n < 1000 else (mode, beside)
            kinds[n % len(kinds)](self.spooled(name), dice)
        house = await self.go_on()
        self.assertEqual(2 * len(damaged), self.counts["corrupt"])
        for kind in ("mail", "quarantine"):
            told = sorted(m[-LARGE - 6 :] for m in house.messages(kind))
            self.assertEqual(bodies[1000:], told)
        kept = {path.name for path in (self.home / "corrupt").iterdir()}
        self.assertEqual(set(damaged), kept)
        self.assertEqual(set(damaged), set(self.alarms))

    async def test_ledger(self) -> None:
        """The same for small bodies, which are in the ledger."""
        names = await self.keep([b"%02d" % n + b"y" * 100 for n in range(20)])
        connection = sqlite3.connect(self.home / "ledger.db")
        bad = (b"", b"00" + b"y" * 99, b"00" + b"y" * 99 + b"z", None)
        for name, body in zip(names, bad, strict=False):
            connection.execute("UPDATE entries SET body=? WHERE id=?", (body, name))
        connection.commit()
        connection.close()
        house = await self.go_on()
        self.assertEqual(8, self.counts["corrupt"])
        self.assertEqual(16, len(house.messages()))
        self.assertEqual(set(names[:4]), set(self.alarms))


class CorruptTests(DamagedHouse):
    """What becomes of the damaged ones."""

    async def test_pieces(self) -> None:
        """What is left is kept with our header lines on top."""
        (name,) = await self.keep([b"z" * LARGE])
        os.truncate(self.spooled(name), 700)
        await self.go_on()
        kept = (self.home / "corrupt" / name).read_bytes()
        self.assertTrue(kept.startswith(b"Received: "))
        self.assertTrue(kept.endswith(b"\r\n" + b"z" * 700))
        self.assertEqual(0o600, (self.home / "corrupt" / name).stat().st_mode & 0o777)

    async def test_told(self) -> None:
        """The record says of each recipient what happened, and where it is."""
        (name,) = await self.keep([b"z" * LARGE])
        self.spooled(name).unlink()
        await self.go_on()
        house = SmallHouse(self.home)
        house.reader.startService()
        found = await house.reader.record(name)
        house.reader.stopService()
        assert found is not None
        for recipient in found["recipients"]:
            self.assertEqual("corrupt", recipient["state"])
            self.assertIn("missing", recipient["detail"])
            self.assertIn(f"corrupt/{name}", recipient["detail"])

    async def test_mended(self) -> None:
        """Put back from a backup, it is delivered after the next start."""
        (name,) = await self.keep([b"z" * LARGE])
        path = self.spooled(name)
        data = path.read_bytes()
        path.write_bytes(data[:-1])
        await self.go_on()
        self.assertEqual(2, self.counts["corrupt"])
        path.write_bytes(data)
        house = await self.go_on()
        self.assertEqual((0, 0), (self.counts["corrupt"], self.counts["due"]))
        (message,) = house.messages()
        self.assertTrue(message.startswith(b"Return-Path: "))
        self.assertTrue(message.endswith(data))

    async def test_forgotten(self) -> None:
        """After the retention its rows go like all others; the pieces stay."""
        (name,) = await self.keep([b"z" * LARGE])
        self.spooled(name).unlink()
        await self.go_on()
        house = SmallHouse(self.home)
        house.ledger.startService()
        connection = sqlite3.connect(self.home / "ledger.db")
        connection.execute("UPDATE recipients SET state = 'corrupt'")
        connection.commit()
        self.assertEqual(1, await prune(house.ledger, REACTOR.seconds() + 10))
        rows = connection.execute("SELECT count(*) FROM entries").fetchone()
        connection.close()
        await house.ledger.stopService()
        self.assertEqual((0,), rows)
        self.assertTrue((self.home / "corrupt" / name).exists())


class DamageTests(SynchronousTestCase):
    """One body at a time."""

    def test_sound(self) -> None:
        """As it was: nothing is wrong; nor with one that nobody counted."""
        self.assertEqual("", damage(Body(3, b"abc", crc=0x352441C2)))
        self.assertEqual("", damage(Body(3, b"abd")))
        self.assertNotEqual("", damage(Body(3, b"abd", crc=0x352441C2)))

    def test_once(self) -> None:
        """A round reads a body once, however many recipients it has."""
        home = os.path.abspath(self.mktemp())
        os.mkdir(home)
        examination = Examination(Disk(), home)
        path = Path(home, "body")
        path.write_bytes(b"abc")
        body = Body(3, path=str(path), crc=0x352441C2)
        one, two = entry_of(body, [mailbox(1), mailbox(2)]).consignments(1)
        self.assertEqual("", examination.fault(one))
        path.unlink()
        self.assertEqual("", examination.fault(two))
        self.assertIn("missing", Examination(Disk(), home).fault(two))

    def test_from_the_door(self) -> None:
        """What nobody has read from the disk yet is not looked at."""
        (new,) = entry_of(Body(3, path="/nowhere")).consignments()
        self.assertEqual("", Examination(Disk(), "/nowhere").fault(new))

    def test_for_now(self) -> None:
        """A disk that cannot be read says nothing about the body."""
        with self.assertRaises(OSError):
            damage(Body(3, path="/" + "x" * 300))

    def test_set_aside_again(self) -> None:
        """What is kept already stays as it is."""
        home = os.path.abspath(self.mktemp())
        os.mkdir(home)
        (consignment,) = entry_of(b"abc").consignments()
        path = set_aside(Disk(), home, consignment)
        later = evolve(consignment, body=Body(0, b""))
        self.assertEqual(path, set_aside(Disk(), home, later))
        self.assertTrue(Path(home, path).read_bytes().endswith(b"abc"))
        self.assertEqual(1, len(os.listdir(os.path.join(home, "corrupt"))))

    def test_delivered_before(self) -> None:
        """What is in its mailbox already needs no body any more."""
        home = os.path.abspath(self.mktemp())
        os.makedirs(f"{home}/mail")
        shelf, disk = Maildir(f"{home}/mail", "mx", Disk()), Disk()
        shelving = Shelving(shelf, disk, home, State.DELIVERED)
        entry = entry_of(b"abc", [mailbox(1), mailbox(2)])
        shelving.deliver(entry.consignments()[:1])
        gone = evolve(entry, body=Body(3, path=f"{home}/gone"))
        outcomes = shelving.deliver(gone.consignments(attempts=1))
        self.assertEqual(
            {1: State.DELIVERED, 2: State.CORRUPT},
            {outcome.number: outcome.state for outcome in outcomes},
        )
