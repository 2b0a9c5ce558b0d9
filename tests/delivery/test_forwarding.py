"""Tests for L{smfd.delivery.forwarding}: under whose name forwards go out."""

from collections.abc import Sequence
from typing import Any

from attrs import define, evolve
from twisted.internet.defer import Deferred, succeed

from smfd.delivery.forwarding import Forwarding
from smfd.model.entry import Consignment, Entry, Recipient
from smfd.model.transaction import Body
from smfd.policy.origins import is_own
from smfd.policy.srs import SRS
from smfd.proto.address import parse_mailbox
from tests.store.making import make_record
from tests.store.test_directory import DirectoryTestCase

NOW = 1_795_000_000.0
FAR = Recipient(1, "zoe@far.example", "remote", keeper="home.example")


@define
class Behind:
    """The way to the world: remembers under which senders it was asked."""

    senders: list[str]
    name = "remote"

    def deliver(self, consignments: Sequence[Consignment]) -> Deferred[Any]:
        """Note them."""
        self.senders += [one.sender for one in consignments]
        return succeed([])


class ForwardingTests(DirectoryTestCase):
    """The sender of what others wrote is one of ours."""

    async def sender(self, sender: str, to: Recipient = FAR) -> str:
        """Under which sender it goes out."""
        if not hasattr(self, "directory"):
            self.directory = await self.build()
        self.srs = SRS(b"x" * 32)
        behind: Any = Behind([])
        way = Forwarding(behind, self.directory, self.srs, "mx.home.example")
        body, record = Body(1, b"x"), make_record("ID")
        entry = Entry("ID", NOW, sender, body, b"", (), (to,), record)
        await way.deliver(entry.consignments())
        (found,) = behind.senders
        return str(found)

    async def test_ours(self) -> None:
        """What our users wrote, and bounces, go out as they are."""
        for sender in "ann@home.example", "Ann+x@HOME.example", "":
            self.assertEqual(sender, await self.sender(sender))

    async def test_rewritten(self) -> None:
        """Others' mail has a sender that leads back to them, the same at each try."""
        made = await self.sender("Eve.X@sender.example")
        local, _, domain = made.rpartition("@")
        self.assertEqual("home.example", domain)
        back = self.srs.reverse(local, NOW + 86400)
        self.assertEqual("Eve.X@sender.example", str(back))
        self.assertEqual(made, await self.sender("Eve.X@sender.example"))
        self.assertFalse(is_own(made))

    async def test_quoted(self) -> None:
        """A local part in quotes leads back to the very same."""
        for sender in ('"eve x"@sender.example', '"e\\"@\\\\"@sender.example'):
            made = parse_mailbox(await self.sender(sender))
            self.assertEqual(sender, str(self.srs.reverse(made.local, NOW)))

    async def test_keeper_gone(self) -> None:
        """Where the domain that forwarded is hosted no longer, we stand for it."""
        gone = evolve(FAR, keeper="gone.example")
        made = await self.sender("eve@sender.example", gone)
        self.assertTrue(made.endswith("@mx.home.example"), made)

    async def test_too_long(self) -> None:
        """A sender that does not fit becomes nobody, and is still a forward's."""
        made = await self.sender(f"{'e' * 60}@sender.example")
        self.assertEqual("SRS0=long@home.example", made)
        self.assertFalse(is_own(made))
