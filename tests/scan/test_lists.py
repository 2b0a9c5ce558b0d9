"""Tests for L{smfd.scan.lists}."""

from collections.abc import Sequence
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from smfd.format.header import read_header
from smfd.interfaces import IStage
from smfd.model.directory import ListEntry
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Listed, Result
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.proto.address import Address
from smfd.scan.lists import ListsStage
from smfd.store.directory import Directory
from smfd.store.directory_entries import Lists


def mail(
    *recipients: str, header: str = "x@a.example", sender: str = "x@a.example"
) -> Transaction:
    """A message to mailboxes of home.example."""
    data = f"From: <{header}>\r\n\r\nHi\r\n".encode()
    local, _, domain = sender.rpartition("@")
    return Transaction(
        "id",
        Flow.INBOUND,
        0.0,
        Session("s", "192.0.2.1", 25, 0.0),
        Envelope(
            "id",
            Address(local, domain) if sender else None,
            tuple(Forward(Address(name, "home.example")) for name in recipients),
        ),
        Body(len(data), data),
        read_header(data),
    )


class ListsStageTests(TestCase):
    """What the lists say about a sender, for each recipient."""

    async def scan(
        self, transaction: Transaction, *entries: ListEntry
    ) -> Sequence[Finding]:
        """Scan with a directory of three users and these entries."""
        directory = self.directory = Directory(Path(self.mktemp()), reactor)
        directory.startService()
        self.addCleanup(directory.stopService)
        await directory.add_domain("home.example", actor="uid:test")
        for name in "ann", "bob", "cid":
            await directory.add_account(f"{name}@home.example", actor="uid:test")
        lists = Lists(directory)
        for entry in entries:
            await lists.add(entry, actor="uid:test")
        stage = ListsStage(lists, reactor)
        verifyObject(IStage, stage)
        return await stage.scan(transaction)

    async def test_three_recipients(self) -> None:
        """One allows the sender, one blocks him, one has no opinion."""
        found = await self.scan(
            mail("ann", "bob", "cid"),
            ListEntry(0, "ann@home.example", True, "x@a.example"),
            ListEntry(0, "bob@home.example", False, "a.example"),
        )
        said = {(f.recipient, f.symbol) for f in found if isinstance(f, Listed)}
        self.assertEqual(
            {("ann@home.example", "LIST_ALLOW"), ("bob@home.example", "LIST_BLOCK")},
            said,
        )

    async def test_identity(self) -> None:
        """A forged author is told from the sender of the envelope."""
        (found,) = await self.scan(
            mail("ann", header="boss@b.example"),
            ListEntry(0, "ann@home.example", True, "boss@b.example"),
        )
        assert isinstance(found, Listed)
        self.assertEqual(("header", True), (found.identity, found.allow))
        self.assertEqual(Result.PASS, found.result)
        self.assertIn("the recipient's own list allows the author", found.reason)
        self.assertIn("header=boss@b.example", found.evidence)
        self.assertIsNone(found.score)

    async def test_order(self) -> None:
        """What counts more is said first."""
        found = await self.scan(
            mail("ann", sender=""),
            ListEntry(0, "operator", True, "a.example"),
            ListEntry(0, "home.example", False, "a.example"),
            ListEntry(0, "operator", False, "*.example", locked=True),
            ListEntry(0, "ann@home.example", False, "x@a.example"),
        )
        scopes = [f.scope for f in found if isinstance(f, Listed)]
        self.assertEqual(["locked", "user", "domain", "operator"], scopes)

    async def test_expired(self) -> None:
        """An entry past its end says nothing."""
        soon = reactor.seconds() + 1000
        entry = ListEntry(0, "operator", False, "a.example", expires=soon)
        self.assertEqual(2, len(await self.scan(mail("ann"), entry)))
        later = Clock()
        later.advance(soon + 1)
        self.assertEqual(
            (), await ListsStage(Lists(self.directory), later).scan(mail("ann"))
        )

    async def test_nothing_to_say(self) -> None:
        """No entry, no finding."""
        self.assertEqual((), await self.scan(mail("ann")))
        other = ListEntry(0, "operator", False, "b.example")
        self.assertEqual((), await self.scan(mail("ann"), other))

    async def test_no_author(self) -> None:
        """A From that cannot be read has no author; the envelope still counts."""
        found = await self.scan(
            mail("ann", header=">,<"), ListEntry(0, "operator", False, "a.example")
        )
        self.assertEqual(
            ["envelope"], [f.identity for f in found if isinstance(f, Listed)]
        )

    async def test_tagged(self) -> None:
        """user+tag@ is judged by the lists of user@."""
        (found,) = await self.scan(
            mail("ann+shop", header=">,<"),
            ListEntry(0, "ann@home.example", False, "a.example"),
        )
        assert isinstance(found, Listed)
        self.assertEqual("ann+shop@home.example", found.recipient)
