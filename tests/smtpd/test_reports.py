"""Where reports to senders go, with a real directory."""

from typing import Any

from attrs import evolve

from smfd.delivery.bounce import Bounces, Terms
from smfd.delivery.bounce_letter import Way
from smfd.model.entry import Recipient, State
from smfd.proto.address import Address
from smfd.smtpd.reports import Post
from tests.smtpd.fronts import ANN, BOB, NAME, FrontTestCase
from tests.store.making import REACTOR, make_entry

BY: Any = {"actor": "uid:test"}


class PostTests(FrontTestCase):
    """From the sender's address to his mailbox."""

    async def post(self) -> Post:
        """In a house with two users."""
        await self.build()
        acceptance = self.door.acceptance
        return Post(acceptance.custody, acceptance.recipients, self.directory)

    async def test_ours(self) -> None:
        """To a mailbox of ours, and to those behind an alias or a tag."""
        post = await self.post()
        await self.directory.put_alias("team@home.example", (ANN, BOB), **BY)
        ann, bob = Way(ANN, "maildir"), Way(BOB, "maildir")
        self.assertEqual([ann], await post.ways("Ann@home.example"))
        self.assertEqual([ann], await post.ways("ann+list@home.example"))
        self.assertEqual([ann, bob], await post.ways("team@home.example"))
        self.assertEqual([], list(await post.ways("gone@home.example")))

    async def test_elsewhere(self) -> None:
        """To the world for all others, and to domains of ours with other servers."""
        post = await self.post()
        await self.directory.add_domain(
            "far.home.example", kind="relay", next_hop="smtp://192.0.2.9:25", **BY
        )
        name = "zoe@other.example"
        self.assertEqual([Way(name, "remote")], await post.ways(name))
        name = '"eve x"@far.example'
        self.assertEqual([Way(name, "remote")], await post.ways(name))
        name = "zoe@far.home.example"
        self.assertEqual([Way(name, "relay")], await post.ways(name))

    async def test_forwarded(self) -> None:
        """To where his mail goes on to, and to his mailbox if a copy is kept."""
        post = await self.post()
        there = Way("Ann.B@far.example", "remote")
        for keep, here in ((False, []), (True, [Way(ANN, "maildir")])):
            await self.directory.put_forward(ANN, ("Ann.B@far.example",), keep, **BY)
            self.assertEqual([*here, there], await post.ways(ANN))

    async def test_rewritten(self) -> None:
        """To the sender behind a sender that we rewrote (SRS)."""
        post = await self.post()
        zoe = Address("zoe", "other.example")
        ours = self.srs.rewrite(zoe, "home.example", REACTOR.seconds())
        ways = await post.ways(str(ours))
        self.assertEqual([Way("zoe@other.example", "remote")], ways)

    async def test_deep(self) -> None:
        """Who cannot be found behind his aliases cannot be told."""
        post = await self.post()
        for name, to in ("a", ANN), ("b", "a@home.example"), ("c", "b@home.example"):
            await self.directory.put_alias(f"{name}@home.example", (to,), **BY)
        self.assertEqual([Way(ANN, "maildir")], await post.ways("c@home.example"))
        post = evolve(post, recipients=evolve(post.recipients, deep=1))
        self.assertEqual([], list(await post.ways("c@home.example")))

    async def test_whole(self) -> None:
        """A message that fails brings its sender a letter, and a line in the log."""
        post = await self.post()
        ledger, hands, terms = self.house.ledger, self.house.hands, Terms(gather=0.02)
        bounces = Bounces(
            ledger, post.ways, post.keep, hands, NAME, self.name, REACTOR, terms
        )
        bounces.startService()
        self.addCleanup(bounces.stopService)
        entry = make_entry(recipients=[Recipient(1, "u@far.example", "remote")])
        entry = evolve(entry, sender=ANN)
        await ledger.commit(entry)
        words = "550 5.1.1 host mx.far.example: no such user"
        (consignment,) = entry.consignments()
        await ledger.settle([consignment.outcome(State.FAILED, words)])
        await self.until(self.house.messages)
        (report,) = self.house.messages()
        self.assertIn(b"Delivered-To: ann@home.example\r\n", report)
        self.assertIn(b"There is no such mailbox.", report)
        self.assertEqual([], await ledger.notices())
        self.assertIn("to=<ann@home.example>=clean", self.logged())
