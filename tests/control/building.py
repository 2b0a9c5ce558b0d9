"""A house with everything real in it but the virus scanner."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from attrs import define
from twisted.application.service import MultiService
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from smfd.control.house import Actor, Document, Facts, House
from smfd.control.passwords import Passwords
from smfd.control.quota import Quota
from smfd.delivery.leftovers import Leftovers
from smfd.delivery.maildir import MaildirDestination
from smfd.delivery.quarantine import QuarantineDestination
from smfd.delivery.retention import Retention
from smfd.delivery.runner import Runner
from smfd.interfaces import IStage
from smfd.model.directory import Refused
from smfd.model.entry import NOTHING, Asked, Entry, Recipient
from smfd.model.finding import Finding, Result
from smfd.model.quota import Allowance
from smfd.model.record import Record
from smfd.model.transaction import Body, Transaction
from smfd.model.verdict import Disposition, Fate
from smfd.store.counters import Counters
from smfd.store.directory import Directory
from smfd.store.directory_holds import Holds
from smfd.store.directory_limits import Allowances
from smfd.store.ids import new_id
from smfd.store.ledger import FILE, Ledger
from smfd.store.reader import Reader
from smfd.store.search import Search
from smfd.store.search_index import LedgerRecords
from smfd.store.spool import Spool
from smfd.store.threads import Threads

#: Typed as what we need of it: everything.
reactor: Any = installed

#: What the doors put on top for one recipient.
_TOP = b"Return-Path: <x@a.example>\r\nX-Spam-Flag: YES\r\n"

OPERATOR = Actor("uid:tester")


@implementer(IStage)
@define
class Scanner:
    """
    A virus stage that says what the test wants.

    @ivar says: PASS, FAIL, ...; None: it cannot tell, and fails.
    @ivar seen: the bodies it was shown.
    """

    says: Result | None = Result.PASS
    seen: int = 0
    name = "virus"

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """One finding, or failure."""
        self.seen += 1
        if self.says is None:
            raise OSError("no clamd")
        finding = Finding("virus", "VIRUS_X", self.says, reason="because of a test")
        return succeed([finding])


class HouseTestCase(TestCase):
    """
    A house with one domain, two users, and a scanner that finds nothing.

    @ivar house: the house.
    @ivar written: the letters to people of ours.
    """

    async def build(self) -> House:
        """Start it in a fresh folder."""
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.scanner = Scanner()
        self.written: list[tuple[Sequence[str], str, str, str]] = []
        spool = Spool(self.home / "spool", reactor, reactor, minimum_free=0)
        ledger = Ledger(self.home, reactor, reactor)
        reader = Reader(self.home, reactor)
        hands, desk = Threads(reactor, "delivery"), Threads(reactor, "search")
        hands.start()
        desk.start()
        self.addCleanup(desk.stop)
        maildir = MaildirDestination(self.home, "mx.home.example", hands)
        quarantine = QuarantineDestination(self.home, hands)
        runner = Runner(
            ledger,
            spool,
            (maildir, quarantine),
            Leftovers(spool, quarantine),
            reactor,
            delay=0.0,
        )
        self.retention = Retention(ledger, quarantine)
        directory = Directory(self.home / "directory.db", reactor)
        counters = Counters(self.home / "counters.db", reactor, reactor)
        self.house = House(
            home=str(self.home),
            directory=directory,
            ledger=ledger,
            reader=reader,
            search=Search(self.home, LedgerRecords(self.home / FILE), desk, reactor),
            spool=spool,
            passwords=Passwords(reactor),
            take=runner.take,
            virus=self.scanner,
            clock=reactor,
            ids=lambda: new_id(reactor.seconds()),
            write=lambda *letter: self.written.append(letter),
            quota=Quota.of(
                counters,
                Allowances.of(directory, Allowance(messages=100)),
                Holds.of(directory),
                reactor,
            ),
            facts=Facts("mx.home.example", "1", 0.0, "builtin", ("SPF is off.",)),
        )
        self.services = MultiService()
        for service in (
            ledger,
            reader,
            self.house.directory,
            counters,
            spool,
            maildir,
            quarantine,
            self.house.search,
            self.house.passwords,
            runner,
        ):
            service.setServiceParent(self.services)
        self.services.startService()
        self.addCleanup(hands.stop)
        self.addCleanup(self.services.stopService)
        await self.house.directory.add_domain("home.example", actor="uid:test")
        for name in "ann", "bob":
            await self.house.directory.add_account(
                f"{name}@home.example", actor="uid:test"
            )
        return self.house

    async def receive(
        self,
        destination: str = "quarantine",
        category: str = "spam",
        *,
        to: Sequence[str] = ("ann@home.example",),
        account: str = "",
        keeper: str = "home.example",
        asked: Asked = NOTHING,
        reason: str = "",
        top: bytes = b"",
        head: bytes = b"Received: from test\r\n",
        data: bytes = b"From: <x@a.example>\r\nSubject: Pills\r\n\r\nBuy\r\n",
        **fields: Any,
    ) -> str:
        """A message that was judged so, until it is where it belongs."""
        now = reactor.seconds()
        name = self.house.ids()
        disposition = {
            "quarantine": Disposition.QUARANTINE,
            "maildir": Disposition.DELIVER,
        }[destination]
        reason = reason or f"it is {category}"
        record = Record(
            id=name,
            kind="message",
            time=now,
            flow="inbound",
            client="192.0.2.1",
            helo="mx.a.example",
            tls="",
            sender="x@a.example",
            recipients=tuple(to),
            verdict=category,
            reply=f"250 2.0.0 Thanks id={name}",
            subject="Pills",
            account=account,
            header_from="x@a.example",
            size=len(data),
            score=7.5,
            findings=(Finding("content", "PILLS", Result.SUSPECT, 7.5, "sells"),),
            fates=tuple(Fate(a, disposition, category, reason, 7.5, 5.0) for a in to),
        )
        recipients = tuple(
            Recipient(
                n, a, destination, category, reason, 7.5, top or _TOP, keeper=keeper
            )
            for n, a in enumerate(to, 1)
        )
        body = Body(len(data), data)
        entry = Entry(
            name,
            now,
            "x@a.example",
            body,
            head,
            (),
            recipients,
            record,
            account,
            asked,
        )
        await self.house.ledger.commit(entry)
        self.house.take(entry)
        await self.settled()
        return name

    async def settled(self) -> None:
        """Wait until nothing is due."""
        while (await self.house.reader.counts())["due"]:
            await deferLater(reactor, 0.01, lambda: None)

    def inbox(self, user: str = "ann") -> list[bytes]:
        """What is new in a mailbox."""
        folder = self.home / "mail" / "home.example" / user / "new"
        return [path.read_bytes() for path in sorted(folder.glob("*"))]

    def kept(self) -> list[Path]:
        """The files in the quarantine."""
        return [p for p in (self.home / "quarantine").rglob("*") if p.is_file()]

    async def assert_refused(self, kind: str, asked: Any) -> str:
        """It is refused for that kind of reason; what it says."""
        text = ""
        try:
            await asked
        except Refused as refused:
            self.assertEqual(kind, refused.kind, refused.sentence)
            self.assertTrue(refused.sentence.endswith("."), refused.sentence)
            text = refused.sentence
        else:
            self.fail("not refused")
        return text


def later(asked: Any) -> "Deferred[Document]":
    """Start a use case without waiting for it."""
    return maybeDeferred(partial(Deferred.fromCoroutine, asked))
