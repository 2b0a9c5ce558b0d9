"""The power fails after every step; nothing is lost, doubled or partial."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen
from twisted.trial.unittest import TestCase

from smfd.model.entry import Entry, Recipient
from smfd.store.ids import new_id
from smfd.store.states import DURABLE_STATES, DurableState, state_of
from tests.store.making import REACTOR, SmallHouse, held, mailbox, make_entry, pause
from tests.store.power import FailingPower, Wreck


@frozen
class Shape:
    """A message to be accepted, known again by its marker."""

    marker: bytes
    size: int
    recipients: tuple[Recipient, ...]

    @property
    def data(self) -> bytes:
        """The body: its first and its last line carry the marker."""
        middle = b"x" * self.size
        return self.marker + b"\r\n" + middle + b"\r\n" + self.marker + b"\r\n"


SHAPES = (
    Shape(b"#small#", 10, (mailbox(1),)),
    Shape(b"#large#", 3000, (mailbox(1), held(2), held(3, "v@d.example"))),
    Shape(b"#held#", 10, (held(1),)),
    Shape(b"#many#", 2000, (mailbox(1), mailbox(2, "v@d.example"))),
)


def place(recipient: Recipient) -> str:
    """The folder of the home where a recipient's message ends."""
    return "mail" if recipient.destination == "maildir" else "quarantine"


def copies(home: Path, shape: Shape, recipient: Recipient) -> list[Path]:
    """Files under their names that carry the marker, for one recipient."""
    local, _, domain = recipient.address.partition("@")
    below = home / place(recipient) / domain
    if recipient.destination == "maildir":
        below /= local
    return [
        path
        for path in below.rglob("*")
        if path.is_file()
        and path.parent.name != "tmp"
        and not path.name.startswith(".")
        and shape.marker in path.read_bytes()
    ]


def state(home: Path, shape: Shape, entry_id: str, recipient: Recipient) -> str:
    """What the disk says of one recipient of a message, from the table."""
    connection = sqlite3.connect(home / "ledger.db")
    try:
        row = connection.execute(
            "SELECT state FROM recipients WHERE entry = ? AND number = ?",
            (entry_id, recipient.number),
        ).fetchone()
        kept = connection.execute(
            "SELECT 1 FROM entries WHERE id = ? AND body IS NOT NULL", (entry_id,)
        ).fetchone()
    finally:
        connection.close()
    spooled = (home / "spool" / entry_id[-2:] / entry_id).exists()
    corrupt = row is not None and row[0] == "corrupt"
    found: DurableState = state_of(
        body=spooled or kept is not None,
        due=row is not None and row[0] == "due",
        whole=bool(copies(home, shape, recipient)),
        settled=row is not None and row[0] != "due" and not corrupt,
        corrupt=corrupt,
    )
    return found.means


class PowerCase(TestCase):
    """Wrecks of a house, and what becomes of them."""

    timeout = 40

    def setUp(self) -> None:
        root = Path(os.path.abspath(self.mktemp()))
        self.home = root / "home"
        wrecks = root / "wrecks"
        wrecks.mkdir(parents=True)
        self.home.mkdir()
        self.disk = FailingPower(self.home, wrecks)
        self.entries: dict[bytes, str] = {}

    async def run_through(self, together: int) -> None:
        """Accept and deliver all shapes, each step wrecked."""
        house = SmallHouse(self.home, self.disk)
        for destination in (house.maildir, house.quarantine):
            destination._shelving.together = together
        try:
            house.start()
            for shape in SHAPES:
                await self.accept(house, shape)
            await house.settled()
            while house.files("spool"):
                await pause()
        finally:
            await house.stop()

    async def accept(self, house: SmallHouse, shape: Shape) -> Entry:
        """As a door does it."""
        name = new_id(REACTOR.seconds())
        self.entries[shape.marker] = name
        body = await house.receive(shape.data, name)
        entry = make_entry(body, shape.recipients, entry_id=name)
        await house.ledger.commit(entry)
        self.disk.acknowledged.add(name)
        house.runner.take(entry)
        return entry

    async def restart(self, wreck: Wreck) -> None:
        """Start on what is left, until nothing is due."""
        house = SmallHouse(wreck.home)
        try:
            house.start()
            await house.settled()
        finally:
            await house.stop()

    def read_mail(self, home: Path) -> None:
        """The users read what they have: it moves to cur, with a flag."""
        for path in (home / "mail").glob("*/*/new/*"):
            path.rename(path.parent.parent / "cur" / f"{path.name}:2,S")

    def check(self, wreck: Wreck, shapes: Sequence[Shape] = SHAPES) -> None:
        """Acknowledged: once.  Else: not at all, or once.  Never in part."""
        for shape in shapes:
            name = self.entries.get(shape.marker, "")
            if not name:
                continue
            counts = set()
            for recipient in shape.recipients:
                found = copies(wreck.home, shape, recipient)
                counts.add(len(found))
                for path in found:
                    self.assertTrue(
                        path.read_bytes().endswith(shape.data),
                        f"{wreck.step}: {path} is partial",
                    )
            where = f"after {wreck.step}: {shape.marker!r} {counts}"
            if name in wreck.acknowledged:
                self.assertEqual({1}, counts, where)
            else:
                self.assertIn(counts, ({0}, {1}), where)

    async def wreck_all(self, together: int, cut: bool) -> set[str]:
        """Run, wreck, restart twice, check; the states that were seen."""
        await self.run_through(together)
        seen = set()
        for wreck in self.disk.found:
            if not (wreck.home / "ledger.db").exists():
                continue
            if cut:
                wreck.cut()
            for shape in SHAPES:
                name = self.entries[shape.marker]
                for recipient in shape.recipients:
                    seen.add(state(wreck.home, shape, name, recipient))
            self.read_mail(wreck.home)
            await self.restart(wreck)
            self.check(wreck)
            self.read_mail(wreck.home)
        await self.restart(wreck)
        self.check(wreck)
        self.assertGreater(len(self.disk.found), 50)
        return seen


class PowerTests(PowerCase):
    """A table of durable states, and nothing beside it."""

    async def test_killed(self) -> None:
        """We are killed after any step: all that was written is there."""
        seen = await self.wreck_all(together=100, cut=False)
        self.assertEqual({s.means for s in DURABLE_STATES if not s.corrupt}, seen)

    async def test_power_cut(self) -> None:
        """The power fails after any step: what was not synced is gone."""
        await self.wreck_all(together=100, cut=True)

    async def test_power_cut_together(self) -> None:
        """The same when a batch is synced by one sync of the file system."""
        await self.wreck_all(together=1, cut=True)


class CorruptTests(TestCase):
    """A damaged body is in a state of its own, too."""

    async def test_in_the_table(self) -> None:
        """Cut short or gone: the table knows what it is."""
        shape = SHAPES[1]
        for keep in (True, False):
            home = Path(os.path.abspath(self.mktemp()))
            house = SmallHouse(home)
            await house.begin()
            body = await house.receive(shape.data)
            os.truncate(body.path, 1)
            if not keep:
                os.unlink(body.path)
            name = Path(body.path).name
            entry = make_entry(body, shape.recipients, entry_id=name)
            await house.ledger.commit(entry)
            await house.stop()
            house = SmallHouse(home)
            await house.begin()
            await house.settled()
            await house.stop()
            found = state(home, shape, name, shape.recipients[0])
            self.assertIn("damaged" if keep else "lost", found)


class ReleaseTests(PowerCase):
    """A release is a new message and the end of an item, or neither."""

    SHAPE = Shape(b"#held#", 3000, (held(1),))

    async def run_through(self, together: int) -> None:
        """Hold a message, then release it."""
        house = SmallHouse(self.home, self.disk)
        try:
            house.start()
            first = await self.accept(house, self.SHAPE)
            await house.settled()
            item = f"{first.id}-1"
            found = await house.reader.held_item(item)
            assert found is not None
            new = new_id(REACTOR.seconds())
            self.entries[b"new"] = new
            body = await house.spool.adopt(new, str(self.home / found["path"]))
            await house.spool.sync(body)
            entry = make_entry(body, [mailbox(1)], entry_id=new)
            await house.ledger.commit(entry, release=item, actor="anna")
            self.disk.acknowledged.add(new)
            house.runner.take(entry)
            await house.settled()
            while house.files("quarantine"):
                await pause()
        finally:
            await house.stop()

    def check(self, wreck: Wreck, shapes: Sequence[Shape] = SHAPES) -> None:
        """In the mailbox once or held once, and never in both."""
        delivered = copies(wreck.home, self.SHAPE, mailbox(1))
        connection = sqlite3.connect(wreck.home / "ledger.db")
        states = connection.execute(
            "SELECT state FROM recipients WHERE entry = ?",
            (self.entries[b"#held#"],),
        ).fetchall()
        connection.close()
        if self.entries[b"#held#"] in wreck.acknowledged:
            self.assertEqual(1, len(states))
        if states == [("held",)]:
            self.assertEqual([], delivered, wreck.step)
            self.assertEqual(1, len(copies(wreck.home, self.SHAPE, held(1))))
        if self.entries[b"new"] in wreck.acknowledged:
            self.assertEqual([("released",)], states)
        if states == [("released",)]:
            self.assertEqual(1, len(delivered), wreck.step)
            self.assertTrue(delivered[0].read_bytes().endswith(self.SHAPE.data))

    async def wreck_all(self, together: int, cut: bool) -> set[str]:
        """Run, wreck, restart, check."""
        await self.run_through(together)
        for wreck in self.disk.found:
            if cut:
                wreck.cut()
            if (wreck.home / "ledger.db").exists():
                await self.restart(wreck)
                self.check(wreck)
        return set()

    async def test_killed(self) -> None:
        """We are killed after any step of a release."""
        await self.wreck_all(together=100, cut=False)

    async def test_power_cut(self) -> None:
        """The power fails after any step of a release."""
        await self.wreck_all(together=100, cut=True)
