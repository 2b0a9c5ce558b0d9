"""Tests for L{smfd.smtpd.recipients}, with a real directory and real mail."""

from typing import Any

from attrs import evolve

from smfd.model.envelope import Forward
from smfd.model.hop import Verification
from smfd.proto.address import Address
from smfd.proto.reply import Reply
from smfd.smtpd.mx import MX, OK_RCPT
from smfd.smtpd.recipients import MAILBOXES
from tests.smtpd.fronts import ANN, BOB, LETTER, FrontTestCase, address
from tests.store.making import REACTOR

BY: Any = {"actor": "uid:test"}
HOP = "smtp://192.0.2.9:25"


def _let_in(*asked: object) -> Reply:
    return OK_RCPT


class RecipientsTestCase(FrontTestCase):
    """A domain with two users."""

    async def said(self, *recipients: str) -> list[tuple[int, str]]:
        """Code and status of the reply to each RCPT."""
        return [(r.code, r.status) for r in await self.rcpt(*recipients)]

    async def ends(self, *recipients: str, data: bytes = LETTER) -> list[str]:
        """Where a message to these went, as its record has it."""
        reply = await self.send(data, recipients)
        self.assertEqual(250, reply.code, reply)
        await self.house.settled()
        found: list[str] = (await self.record(reply))["recipients"]
        self.assertEqual(len(found), len(self.house.messages()))
        return found

    def owners(self) -> list[bytes]:
        """The Delivered-To lines of what was delivered."""
        return sorted(
            line.partition(b": ")[2]
            for message in self.house.messages()
            for line in message.split(b"\r\n")
            if line.startswith(b"Delivered-To: ")
        )

    async def out(self, *recipients: str) -> list[tuple[str, str]]:
        """Who in the world a message to these goes on to, and who keeps it."""
        reply = await self.send(LETTER, recipients)
        self.assertEqual(250, reply.code, reply)
        page = await self.house.ledger.due(("", 0), 100)
        return [
            (one.recipient.address, one.recipient.keeper)
            for one in page
            if one.recipient.destination == "remote"
        ]


class AliasTests(RecipientsTestCase):
    """Addresses that stand for others."""

    async def test_alias(self) -> None:
        """Everybody behind an alias gets it, once, however often he is named."""
        await self.build()
        await self.directory.put_alias("team@home.example", (ANN, BOB), **BY)
        await self.directory.put_alias("all@home.example", ("team@home.example",), **BY)
        names = ("All@home.example", ANN, "team@home.example")
        self.assertEqual([ANN, BOB], await self.ends(*names))

    async def test_named(self) -> None:
        """The record and the log name the alias and the tag, not the mailbox twice."""
        await self.build()
        await self.directory.put_alias("team@home.example", (ANN, BOB), **BY)
        await self.directory.put_forward(ANN, (BOB,), True, **BY)
        names = ("Team@home.example", "Bob@home.example", "bob+x@home.example", ANN)
        reply = await self.send(LETTER, names)
        record = await self.record(reply)
        self.assertEqual(["Team@home.example", "bob+x@home.example"], record["named"])
        self.assertIn("orig_to=<Team@home.example> <bob+x@home.example>", self.logged())

    async def test_forward(self) -> None:
        """A forward sends mail elsewhere, and keeps a copy when it is told to."""
        await self.build()
        await self.directory.put_forward(ANN, (BOB,), False, **BY)
        self.assertEqual([BOB], await self.ends(ANN))

    async def test_forward_keeps(self) -> None:
        """Two who forward to each other and keep copies both have it."""
        await self.build()
        await self.directory.put_forward(ANN, (BOB,), True, **BY)
        await self.directory.put_forward(BOB, (ANN,), True, **BY)
        self.assertEqual([BOB, ANN], await self.ends(BOB))

    async def test_tag(self) -> None:
        """The owner sees the tag he was written to with; others see none."""
        await self.build()
        await self.directory.put_alias("team@home.example", (BOB,), **BY)
        await self.ends("Ann+Shop@home.example", "team+x@home.example")
        self.assertEqual([b"ann+shop@home.example", BOB.encode()], self.owners())

    async def test_exact_wins(self) -> None:
        """An address of its own wins over the one without its tag."""
        await self.build()
        await self.directory.put_alias("a-b@home.example", (BOB,), **BY)
        self.directory._delimiter = "-"
        await self.directory.add_account("a@home.example", **BY)
        self.assertEqual([BOB], await self.ends("a-b@home.example"))

    async def test_catch_all(self) -> None:
        """Without a catch-all the unknown are refused, with one they are not."""
        await self.build()
        unknown = "nobody@home.example"
        self.assertEqual([(550, "5.1.1")], await self.said(unknown))
        await self.directory.set_domain("home.example", catch_all=BOB, **BY)
        self.assertEqual([BOB], await self.ends(unknown, "else@home.example"))

    async def test_dangling(self) -> None:
        """What leads nowhere is our fault: come again, for it can be mended."""
        await self.build()
        await self._lead("x", "gone")
        await self._lead("both", "gone@home.example ann")
        self.assertEqual([(451, "4.2.4")], await self.said("x@home.example"))
        self.assertEqual([ANN], await self.ends("both@home.example"))

    async def test_circle(self) -> None:
        """A circle that came about behind our back ends, and is told."""
        await self.build()
        await self._lead("a", "b")
        await self._lead("b", "a")
        self.assertEqual([(451, "4.2.4")], await self.said("a@home.example"))

    async def test_deep(self) -> None:
        """So many aliases one behind the other, and no more."""
        await self.build()
        await self._lead("a0", "ann")
        for n in range(1, 12):
            await self._lead(f"a{n}", f"a{n - 1}")
        self.assertEqual(
            [(250, "2.1.5"), (451, "4.2.4")],
            await self.said("a9@home.example", "a10@home.example"),
        )

    async def test_gone_between(self) -> None:
        """An alias that is broken between RCPT and the dot: come again."""
        await self.build()
        await self.directory.put_alias("x@home.example", (ANN,), **BY)
        await self._lead("x", "y")
        await self._lead("y", "x")
        self.patch(MX, "rcpt", _let_in)
        reply = await self.send(recipients=("x@home.example",))
        self.assertEqual((451, "4.2.4"), (reply.code, reply.status))

    async def test_mailboxes(self) -> None:
        """A message ends in so many mailboxes, and no more."""
        await self.build()
        self.assertEqual(10_000, MAILBOXES)
        await self.directory.put_alias("team@home.example", (ANN, BOB), **BY)
        recipients = self.door.acceptance.recipients
        object.__setattr__(recipients, "mailboxes", 1)
        reply = await self.send(recipients=("team@home.example",))
        self.assertEqual((452, "4.5.3"), (reply.code, reply.status))
        self.assertEqual([], self.house.messages())

    async def _lead(self, local: str, target: str) -> None:
        """An alias that the directory would not make, as a fault could."""

        def write(connection: Any, doing: object) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO aliases VALUES (?,?,0,?,0,0)",
                (
                    f"{local}@home.example",
                    "home.example",
                    f"{target}@home.example",
                ),
            )

        await self.directory.act("uid:test", write)


class ShareTests(RecipientsTestCase):
    """Which mailboxes are whose, for doors that answer each recipient."""

    async def test_shares(self) -> None:
        """Each recipient's mailboxes, by the names they are delivered to by."""
        await self.build()
        far: Any = {"kind": "relay", "next_hop": HOP, "verify": "none"}
        await self.directory.add_domain("far.example", **far, **BY)
        await self.directory.put_alias("team@home.example", (ANN, BOB), **BY)
        names = (
            "X@far.example",
            "team@home.example",
            "ANN@home.example",
            "x@far.example",
        )
        wanted = [Forward(address(name)) for name in names]
        ends = await self.door.acceptance.recipients.ends(wanted, ())
        self.assertEqual(
            (("X@far.example",), (ANN, BOB), (ANN,), ("X@far.example",)), ends.shares
        )
        self.assertEqual(
            ["X@far.example", ANN, BOB], [str(one.address) for one in ends.forwards]
        )

    async def test_original(self) -> None:
        """Behind an alias the name that the sender wrote is known (RFC 3461)."""
        await self.build()
        await self.directory.put_alias("team@home.example", (ANN, BOB), **BY)
        recipients = self.door.acceptance.recipients
        wanted = (
            Forward(address("Team+x@home.example")),
            Forward(address("ann+x@home.example")),
        )
        ends = await recipients.ends(wanted, ())
        self.assertEqual(
            ["rfc822;Team+2Bx@home.example"] * 2, [f.orcpt for f in ends.forwards]
        )
        asked = evolve(wanted[0], orcpt="rfc822;other@x", notify=("NEVER",))
        ends = await recipients.ends((asked,), ())
        self.assertEqual(
            [("rfc822;other@x", ("NEVER",))] * 2,
            [(f.orcpt, f.notify) for f in ends.forwards],
        )
        self.assertEqual("", (await recipients.ends(wanted[1:], ())).forwards[0].orcpt)


class RecordTests(RecipientsTestCase):
    """Who was asked for is written down."""

    async def test_alias(self) -> None:
        """The record says which recipient stood for whom; a tag is no alias."""
        await self.build()
        await self.directory.put_alias("team@home.example", (ANN, BOB), **BY)
        for name, said in (
            (
                "Team@home.example",
                "Team@home.example: ann@home.example bob@home.example",
            ),
            ("ANN+x@home.example", ""),
        ):
            record = await self.record(await self.send(recipients=(name,)))
            found = [
                f["evidence"] for f in record["findings"] if f["symbol"] == "ALIAS"
            ]
            self.assertEqual([said] if said else [], found)


class LoopTests(RecipientsTestCase):
    """Mail that was here before (R54)."""

    async def test_loop(self) -> None:
        """Our own Delivered-To with the same address ends it."""
        await self.build()
        for once in b"ann@home.example", b" ANN@Home.Example ":
            data = b"Delivered-To: %s\r\n%s" % (once, LETTER)
            reply = await self.send(data)
            self.assertEqual((554, "5.4.6"), (reply.code, reply.status))
        record = await self.record(reply)
        self.assertEqual([ANN], record["recipients"])
        self.assertEqual([], self.house.messages())

    async def test_others(self) -> None:
        """Whoever has it does not get it again; the others do, and it is said."""
        await self.build()
        data = b"Delivered-To: ann@home.example\r\n" + LETTER
        reply = await self.send(data, (ANN, BOB))
        await self.house.settled()
        record = await self.record(reply)
        self.assertEqual([BOB], record["recipients"])
        self.assertIn("DELIVERED_BEFORE", repr(record))

    async def test_forwarded(self) -> None:
        """Delivered to somebody else before is no loop."""
        await self.build()
        data = b"Delivered-To: bob@home.example\r\n" + LETTER
        self.assertEqual([ANN], await self.ends(ANN, data=data))


class RelayTests(RecipientsTestCase):
    """Domains whose mailboxes are elsewhere (C16)."""

    async def relay(self, **changes: Any) -> None:
        """A domain that is relayed."""
        await self.build()
        settings = {"kind": "relay", "next_hop": HOP, **changes}
        await self.directory.add_domain("far.example", **settings, **BY)

    async def test_callout(self) -> None:
        """The next hop is asked; what it does not say is not known."""
        await self.relay()
        for says, code, status in (
            (Verification.UNSURE, 450, "4.1.1"),
            (Verification.UNKNOWN, 550, "5.1.1"),
            (Verification.KNOWN, 250, "2.1.5"),
        ):
            self.says = says
            name = f"U.{says.value}@far.example"
            self.assertEqual([(code, status)] * 2, await self.said(name, name))
            self.assertIn((HOP, name), self.asked)
        # The postmaster is somebody, whatever they say there.
        self.says = Verification.UNKNOWN
        self.assertEqual([(250, "2.1.5")], await self.said("postmaster@far.example"))

    async def test_broken(self) -> None:
        """A question that fails is no answer."""
        await self.relay()
        callout = self.door.acceptance.recipients.callout
        self.patch(callout, "verify", lambda hop, address: 1 / 0)
        self.assertEqual([(450, "4.1.1")], await self.said("x@far.example"))

    async def test_none(self) -> None:
        """Without verification everybody is taken, and nobody is asked."""
        await self.relay(verify="none")
        self.assertEqual([(250, "2.1.5")], await self.said("anybody@far.example"))
        self.assertEqual([], self.asked)

    async def test_list(self) -> None:
        """Whoever is listed is taken, with a tag too, and nobody else."""
        await self.relay(verify="list")
        await self.directory.list_recipients(("Cid@far.example",), **BY)
        self.assertEqual(
            [(250, "2.1.5"), (250, "2.1.5"), (550, "5.1.1")],
            await self.said("cid@far.example", "CID+x@far.example", "d@far.example"),
        )
        # A list that does not count any more lets nobody in.
        await self.directory.set_domain("far.example", verify="directory", **BY)
        self.assertEqual([(550, "5.1.1")], await self.said("cid@far.example"))

    async def test_accounts(self) -> None:
        """With verification by directory the accounts we hold are known."""
        await self.relay(verify="directory")
        await self.directory.add_account("eve@far.example", **BY)
        self.assertEqual(
            [(250, "2.1.5"), (550, "5.1.1")],
            await self.said("eve@far.example", "x@far.example"),
        )

    async def test_alias_there(self) -> None:
        """One that stands for one is asked for; one that stands for many is not."""
        await self.relay()
        await self.directory.put_alias("one@home.example", ("x@far.example",), **BY)
        await self.directory.put_alias("two@home.example", ("x@far.example", ANN), **BY)
        self.says = Verification.UNKNOWN
        self.assertEqual(
            [(550, "5.1.1"), (250, "2.1.5")],
            await self.said("one@home.example", "two@home.example"),
        )
        self.assertEqual([(HOP, "x@far.example")], self.asked)


class WorldTests(RecipientsTestCase):
    """Addresses whose mail goes on to the world."""

    async def test_forward(self) -> None:
        """It goes on for the domain that forwards, and stays if a copy is kept."""
        await self.build()
        await self.directory.put_forward(ANN, ("Ann.B+x@Far.example",), False, **BY)
        there = [("Ann.B+x@far.example", "home.example")]
        self.assertEqual(there, await self.out(ANN))
        self.assertEqual([], self.house.messages())
        await self.directory.put_forward(ANN, ("Ann.B+x@far.example",), True, **BY)
        self.assertEqual(there * 2, await self.out("ann+tag@home.example"))
        await self.until(lambda: len(self.house.messages()) == 1)
        self.assertEqual([b"ann+tag@home.example"], self.owners())

    async def test_once(self) -> None:
        """Whoever is behind several addresses gets it once."""
        await self.build()
        far = ("zoe@far.example",)
        await self.directory.put_forward(ANN, far, False, **BY)
        await self.directory.put_alias("x@home.example", (*far, BOB, ANN), **BY)
        out = await self.out(ANN, "x@home.example")
        self.assertEqual(["zoe@far.example"], [address for address, _ in out])
        await self.until(lambda: len(self.house.messages()) == 1)
        self.assertEqual([BOB.encode()], self.owners())

    async def test_comes_back(self) -> None:
        """What has been here is not sent round again."""
        await self.build()
        await self.directory.put_forward(ANN, ("zoe@far.example",), False, **BY)
        await self.out(ANN)
        (one,) = await self.house.ledger.due(("", 0), 100)
        top = one.recipient.top
        self.assertEqual(b"Delivered-To: ann@home.example\r\n", top)
        reply = await self.send(top + LETTER, (ANN,))
        self.assertEqual((554, "5.4.6"), (reply.code, reply.status))

    async def test_too_many(self) -> None:
        """A message does not become more than it may, here and in the world."""
        await self.build()
        recipients = self.door.acceptance.recipients
        object.__setattr__(recipients, "mailboxes", 5)
        far = [f"u{n}@far.example" for n in range(5)]
        await self.directory.put_forward(ANN, far, False, **BY)
        reply = await self.send(LETTER, (ANN,))
        self.assertEqual((452, "4.5.3"), (reply.code, reply.status))

    async def test_now_ours(self) -> None:
        """Once its domain is hosted here, an address is looked for here."""
        await self.build()
        await self.directory.put_forward(ANN, ("zoe@far.example",), False, **BY)
        await self.directory.add_domain("far.example", **BY)
        self.assertEqual([(451, "4.2.4")], await self.said(ANN))
        await self.directory.add_account("zoe@far.example", **BY)
        self.assertEqual(["zoe@far.example"], await self.ends(ANN))


class RewrittenTests(RecipientsTestCase):
    """Answers to senders that we rewrote (SRS)."""

    def rewritten(self, original: str, age: float = 0.0) -> str:
        """The address we forwarded for, so many days ago."""
        local, _, domain = original.rpartition("@")
        now = REACTOR.seconds() - age * 86400
        return str(self.srs.rewrite(Address(local, domain), "home.example", now))

    async def test_reversed(self) -> None:
        """What is sent back reaches who it was for."""
        await self.build()
        self.assertEqual([ANN], await self.ends(self.rewritten(ANN).lower()))

    async def test_way_out(self) -> None:
        """What comes back for one who is not here goes on to him, and is not kept."""
        await self.build()
        name = self.rewritten("x@else.example")
        self.assertEqual([(250, "2.1.5")], await self.said(name))
        self.assertEqual([("x@else.example", "home.example")], await self.out(name))
        self.assertEqual([], self.house.messages())

    async def test_forged(self) -> None:
        """Forged or stale, it is nobody: we relay for none of them."""
        await self.build()
        good = self.rewritten("x@else.example")
        bad = good.replace("else.example", "elsf.example")
        old = self.rewritten(ANN, age=30)
        for name in bad, old, "SRS0=x@home.example", "srs1=a=b==c@home.example":
            self.assertEqual([(550, "5.1.1")], await self.said(name), name)
        strange = good.replace("home.example", "strange.example")
        self.assertEqual([(550, "5.7.1")], await self.said(strange))
