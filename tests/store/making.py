"""Entries, records and whole small houses for tests of the store."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from smfd.delivery.leftovers import Leftovers
from smfd.delivery.maildir import MaildirDestination
from smfd.delivery.quarantine import QuarantineDestination
from smfd.delivery.runner import Runner, backoff
from smfd.model.entry import REMOTE, Entry, Recipient
from smfd.model.finding import Finding, Listed, Result
from smfd.model.record import Record
from smfd.model.transaction import Body
from smfd.model.verdict import Disposition, Fate
from smfd.store.atomic import Disk
from smfd.store.ids import new_id
from smfd.store.ledger import Ledger
from smfd.store.reader import Reader
from smfd.store.spool import Spool
from smfd.store.threads import Threads
from tests.sample import come

#: The reactor, for whoever wants it as an argument of any type.
REACTOR: Any = reactor

TOP = b"Received: from somewhere by us\r\n"
OWN_TOP = b"Return-Path: <a@b.example>\r\n"


def make_record(record_id: str, when: float = 0.0, subject: str = "Hello") -> Record:
    """A record with something in every field."""
    return Record(
        id=record_id,
        kind="message",
        time=when or time.time(),
        flow="inbound",
        client="192.0.2.1",
        helo="client.example",
        tls="TLSv1.3",
        sender="a@b.example",
        recipients=("u@d.example",),
        verdict="clean",
        reply="250 2.0.0 Accepted",
        subject=subject,
        size=10,
        score=1.5,
        findings=(
            Finding("spf", "SPF_PASS", Result.PASS, -0.1, "it may", "ip4", 1.2),
            Listed("lists", "LIST_ALLOW", Result.PASS, recipient="u@d.example"),
        ),
        fates=(Fate("u@d.example", Disposition.DELIVER, "clean", "fine", 1.5, 5.0),),
    )


def make_entry(
    body: Body | bytes = b"Subject: Hello\r\n\r\nHi.\r\n",
    recipients: Sequence[Recipient] | None = None,
    cuts: tuple[tuple[int, int], ...] = (),
    entry_id: str = "",
    when: float = 0.0,
    subject: str = "Hello",
) -> Entry:
    """An entry to one mailbox, unless told otherwise."""
    if isinstance(body, bytes):
        body = Body(len(body), body)
    if recipients is None:
        recipients = (mailbox(1),)
    when = when or time.time()
    entry_id = entry_id or new_id(when)
    return Entry(
        entry_id,
        when,
        "a@b.example",
        body,
        TOP,
        cuts,
        tuple(recipients),
        make_record(entry_id, when, subject),
    )


def mailbox(number: int, address: str = "u@d.example") -> Recipient:
    """A recipient whose message goes to the mailbox."""
    return Recipient(number, address, "maildir", "clean", "fine", 1.5, OWN_TOP)


def held(number: int, address: str = "u@d.example") -> Recipient:
    """A recipient whose message is held."""
    return Recipient(number, address, "quarantine", "spam", "too much", 9.0)


def remote(
    number: int, address: str = "v@far.example", notify: str = "", orcpt: str = ""
) -> Recipient:
    """A recipient whose message goes out into the world."""
    return Recipient(number, address, REMOTE, notify=notify, orcpt=orcpt)


async def pause(seconds: float = 0.01) -> None:
    """Let the reactor turn."""
    await deferLater(REACTOR, seconds)


@define(eq=False)
class SmallHouse:
    """Everything that keeps mail, on one folder."""

    home: Path
    disk: Disk = field(factory=Disk)
    inline: int = 1000
    pause: Callable[[int], float] = backoff
    ledger: Ledger = field(init=False)
    reader: Reader = field(init=False)
    spool: Spool = field(init=False)
    hands: Threads = field(init=False)
    maildir: MaildirDestination = field(init=False)
    quarantine: QuarantineDestination = field(init=False)
    runner: Runner = field(init=False)

    def __attrs_post_init__(self) -> None:
        home, disk = self.home, self.disk
        self.ledger = Ledger(home, REACTOR, REACTOR, disk, patience=0.005)
        self.reader = Reader(home, REACTOR)
        self.spool = Spool(
            home / "spool", REACTOR, REACTOR, disk, self.inline, minimum_free=0
        )
        self.hands = Threads(REACTOR, "delivery")
        self.maildir = MaildirDestination(home, "mx.example", self.hands, disk)
        self.quarantine = QuarantineDestination(home, self.hands, disk)
        self.runner = Runner(
            self.ledger,
            self.spool,
            [self.maildir, self.quarantine],
            Leftovers(self.spool, self.quarantine),
            REACTOR,
            delay=0.005,
            pause=self.pause,
        )

    def start(self) -> None:
        """Start all of it."""
        self.hands.start()
        for service in (
            self.ledger,
            self.reader,
            self.spool,
            self.maildir,
            self.quarantine,
            self.runner,
        ):
            service.startService()

    async def begin(self) -> None:
        """Start, and wait until the first sweep has asked all it asks."""
        self.start()
        for _ in range(2):
            await self.ledger.next_try()

    async def stop(self) -> None:
        """Stop in the order that a parent service does."""
        ended: list[Deferred[None] | None] = [
            service.stopService()
            for service in (
                self.runner,
                self.quarantine,
                self.maildir,
                self.spool,
                self.reader,
                self.ledger,
            )
        ]
        for end in ended:
            if end is not None:
                await end
        self.hands.stop()

    async def receive(self, data: bytes, message_id: str = "") -> Body:
        """A body as it comes from the wire, synced."""
        incoming = self.spool.receive(message_id or new_id(time.time()))
        for start in range(0, len(data), 65536):
            turn = incoming.write(data[start : start + 65536])
            if turn is not None:
                await turn
        body = await come(incoming.finish())
        await self.spool.sync(body)
        return body

    async def accept(self, entry: Entry) -> None:
        """Commit an entry and hand it on, as a door does."""
        await self.ledger.commit(entry)
        self.runner.take(entry)

    def accept_later(self, entry: Entry) -> "Deferred[None]":
        """The same, beside others."""
        return Deferred.fromCoroutine(self.accept(entry))

    async def settled(self) -> None:
        """Wait until nothing is due; give up when it never is."""
        for _ in range(1500):
            if not self.runner.backlog and not (await self.reader.counts())["due"]:
                return
            await pause()
        raise AssertionError("something is due for ever")

    def messages(self, kind: str = "mail") -> list[bytes]:
        """Every whole message below a folder of the home."""
        return [path.read_bytes() for path in self.files(kind)]

    def files(self, kind: str = "mail") -> list[Path]:
        """Every file of a whole message below a folder of the home."""
        found = []
        for folder, _, names in os.walk(self.home / kind):
            if Path(folder).name == "tmp":
                continue
            found += [Path(folder, n) for n in names if not n.startswith(".")]
        return sorted(found)
