"""Mail that goes on to another server: nothing is lost, whatever that one says."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import TestCase

from smfd.delivery.ending import LIFETIME, Kept
from smfd.delivery.leftovers import Leftovers
from smfd.delivery.relay import RelayDestination, Road
from smfd.delivery.runner import Runner
from smfd.delivery.where import Way
from smfd.model.entry import Consignment, Outcome, Recipient, State
from smfd.model.hop import NextHop
from smfd.model.said import Said
from smfd.model.transaction import Body
from smfd.net.smtp_client import Patience
from smfd.net.smtp_client_open import Hops
from smfd.policy.mx import NoWay
from smfd.store.threads import Threads
from tests.delivery.next_hop import Hop
from tests.store.making import REACTOR, SmallHouse, make_entry, pause

MARK = b"X-Spam-Status: No, clean id=1\r\n"
PATIENCE = Patience(connect=5, reply=5, piece=5, end=5)


def far(number: int, address: str = "u@far.example") -> Recipient:
    """A recipient whose mail goes on."""
    return Recipient(number, address, "relay", "clean", "fine", 1.5, MARK)


def letters(count: int) -> list[Consignment]:
    """So many messages for one recipient."""
    found = [make_entry(recipients=[far(1)]).consignments() for _ in range(count)]
    return [each for (each,) in found]


class RelayTestCase(TestCase):
    """A next hop, and the destination that leads to it."""

    timeout = 60
    lifetime = LIFETIME
    connections = 4

    def setUp(self) -> None:
        self.hop = Hop()
        self.home = Path(os.path.abspath(self.mktemp()))
        self.hands = Threads(REACTOR, "onward")
        self.hands.start()
        self.addCleanup(self.hands.stop)
        self.hops = Hops(REACTOR, "mx.example.test", PATIENCE, self.connections)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))
        self.where: NextHop | None = None

    async def close(self) -> None:
        """Hang up and close, as the house does at its end."""
        self.hops.close()
        if self.hop.port is not None:
            await maybeDeferred(self.hop.close)

    def relay(self, **says: Any) -> RelayDestination:
        """The way to the next hop, which listens from now on."""
        self.hop.says.update({k.encode(): v for k, v in says.items()})
        self.where = self.hop.listen()
        return self.destination()

    def destination(self) -> RelayDestination:
        """The way to wherever it is."""

        async def ways(domain: str, own: bool, despite_tls: bool) -> Way:
            if self.where is None:
                raise NoWay(Said("4.4.4", "nobody is named"), False)
            return Way((self.where,))

        road = Road(self.hops, self.hands)
        ending = Kept(self.lifetime)
        return RelayDestination("relay", ways, road, ending, REACTOR, self.home)

    async def deliver(
        self, relay: RelayDestination, batch: Sequence[Consignment]
    ) -> dict[tuple[str, int], Outcome]:
        """What became of each."""
        outcomes = await relay.deliver(batch)
        self.assertEqual(len(batch), len(outcomes))
        return {o.key: o for o in outcomes}


class TransactionTests(RelayTestCase):
    """One batch to one server."""

    async def test_whole(self) -> None:
        """What arrives is what was stored: our lines, the body, without the cuts."""
        relay = self.relay()
        body = b"X-Spam-Flag: YES\r\nSubject: a\r\n\r\n.one\r\n..two\r\n.\r\nend\r\n"
        entry = make_entry(body, [far(1), far(2, "v@far.example")], cuts=((0, 18),))
        told = await self.deliver(relay, entry.consignments())
        self.assertEqual({State.DELIVERED}, {o.state for o in told.values()})
        ((sender, recipients, message),) = self.hop.messages
        self.assertEqual(MARK + entry.top + body[18:], message)
        self.assertEqual((b"u@far.example", b"v@far.example"), recipients)
        size = str(len(message)).encode()
        said = b"MAIL FROM:<a@b.example> SIZE=" + size + b" BODY=8BITMIME"
        self.assertEqual(said, sender)

    async def test_empty(self) -> None:
        """Of a message that was nothing our own lines arrive."""
        entry = make_entry(b"", [far(1)])
        await self.deliver(self.relay(), entry.consignments())
        self.assertEqual(MARK + entry.top, self.hop.messages[0][2])

    async def test_large(self) -> None:
        """A body on the disk is sent piece by piece, to its last octet."""
        relay = self.relay(EHLO=b"250-hop\r\n250 PIPELINING\r\n")
        body = b"Subject: large\r\n\r\n" + b".line of text\r\n" * 100_000
        path = os.path.abspath(self.mktemp())
        Path(path).write_bytes(body)
        entry = make_entry(Body(len(body), path=path), [far(1)])
        await self.deliver(relay, entry.consignments())
        self.assertEqual(MARK + entry.top + body, self.hop.messages[0][2])

    async def test_one_connection(self) -> None:
        """A few messages share a connection, and the next batch takes it again."""
        relay = self.relay()
        for _ in range(2):
            batch = letters(3)
            await self.deliver(relay, batch)
        self.assertEqual((1, 6), (self.hop.connections, len(self.hop.messages)))

    async def test_bounded(self) -> None:
        """However many there are, connections are few."""
        relay = self.relay()
        batch = letters(60)
        await self.deliver(relay, batch)
        self.assertEqual(60, len(self.hop.messages))
        self.assertLessEqual(self.hop.connections, self.connections)

    async def test_one_refused(self) -> None:
        """A recipient who is refused costs the other nothing."""
        relay = self.relay(**{"RCPT TO:<V@": b"550 5.1.1 nobody\r\n"})
        entry = make_entry(recipients=[far(1), far(2, "v@far.example")])
        told = await self.deliver(relay, entry.consignments())
        self.assertEqual(State.DELIVERED, told[entry.id, 1].state)
        refused = told[entry.id, 2]
        self.assertEqual("undeliverable", refused.category)
        self.assertIn("550 5.1.1 nobody", refused.detail)

    async def test_classes(self) -> None:
        """Each way to say no, at each step: for now, or for ever."""
        no = {
            b"MAIL": (b"450 4.1.8 no\r\n", b"550 5.1.8 no\r\n"),
            b"RCPT": (b"452 4.2.2 no\r\n", b"550 5.1.1 no\r\n"),
            b"DATA": (b"451 4.3.0 no\r\n", b"554 5.6.0 no\r\n"),
            b".": (b"451 4.3.0 no\r\n", b"554 5.7.1 no\r\n"),
        }
        relay = self.relay()
        cases = 0
        for step, replies in no.items():
            for reply, category in zip(replies, ("", "undeliverable"), strict=True):
                for ehlo in (b"250 hop\r\n", b"250-hop\r\n250 PIPELINING\r\n"):
                    self.hops.hang_up()
                    self.hop.says = {step: reply, b"EHLO": ehlo}
                    (told,) = (await self.deliver(relay, letters(1))).values()
                    self.assertEqual(
                        (State.DUE, category),
                        (told.state, told.category),
                        (step, reply),
                    )
                    self.assertIn(reply.decode().strip(), told.detail)
                    cases += 1
        self.assertEqual(16, cases)
        self.assertEqual([], self.hop.messages)

    async def test_not_about_the_message(self) -> None:
        """A server that serves nobody is tried again, whatever its codes say."""
        relay = self.relay()
        for says in (
            {b"220": b"554 5.7.1 go away\r\n"},
            {b"220": b"421 busy\r\n"},
            {b"220": b"HTTP/1.1 200 OK\r\n"},
            {b"220": b"220-" + b"x" * 5000 + b"\r\n"},
            {b"220": b"220-x\r\n" * 200},
            {b"220": b"220 hi\r\n250 too early\r\n"},
            {b"220": b""},
            {b"EHLO": b"550 no\r\n"},
            {b"EHLO": b""},
            {b"MAIL": b""},
            {b"DATA": b""},
            {b"DATA": b"250 what message?\r\n"},
            {b".": b""},
            {b".": b"354 more\r\n"},
            {b".": b"250\r\n" * 3, b"EHLO": b"250-\r\n"},
        ):
            self.hops.hang_up()
            self.hop.says = dict(says)
            entry = make_entry(recipients=[far(1)])
            (told,) = (await self.deliver(relay, entry.consignments())).values()
            self.assertEqual((State.DUE, ""), (told.state, told.category), says)

    async def test_down(self) -> None:
        """Where nobody listens, one try is made for all that wait."""
        self.relay()
        await self.hop.close()
        batch = letters(50)
        told = await self.deliver(self.destination(), batch)
        self.assertEqual({State.DUE}, {o.state for o in told.values()})
        self.assertIn(
            "cannot connect to smtp://127.0.0.1", next(iter(told.values())).detail
        )

    async def test_no_hop(self) -> None:
        """A domain whose next hop is gone keeps its mail for now."""
        told = await self.deliver(self.destination(), letters(1))
        self.assertEqual({State.DUE}, {o.state for o in told.values()})

    async def test_impossible(self) -> None:
        """What the server has said it cannot take is not sent, nor waited for."""
        large = make_entry(b"x" * 1_000_000, [far(1)])
        foreign = make_entry(recipients=[far(1, "\xfc@far.example")])
        relay = self.relay()
        batch = [*large.consignments(), *foreign.consignments(), *letters(1)]
        told = await self.deliver(relay, batch)
        self.assertIn("552 5.3.4", told[large.id, 1].detail)
        self.assertIn("553 5.6.7", told[foreign.id, 1].detail)
        categories = [outcome.category for outcome in told.values()]
        self.assertEqual(["undeliverable"] * 2 + [""], categories)
        self.assertEqual((1, 1), (self.hop.connections, len(self.hop.messages)))

    async def test_one_in_utf8(self) -> None:
        """An address that the server cannot read costs no other his mail."""
        to = [far(1), far(2, "\xfc@far.example"), far(3, "zoe@far.example")]
        entry = make_entry(recipients=to)
        told = await self.deliver(self.relay(), entry.consignments())
        categories = [told[entry.id, number].category for number in (1, 2, 3)]
        self.assertEqual(["", "undeliverable", ""], categories)
        self.assertEqual(1, len(self.hop.messages))

    async def test_sips(self) -> None:
        """One that takes a message too slowly has its deadline, though it takes it."""
        self.hops.patience = evolve(PATIENCE, message=0.5)
        self.hop.sip = 4096
        relay = self.relay(EHLO=b"250 hop.example\r\n")
        body = b"x" * 98 + b"\r\n"
        entry = make_entry(body * 400_000, [far(1)])
        (told,) = (await self.deliver(relay, entry.consignments())).values()
        self.assertEqual((State.DUE, ""), (told.state, told.category))
        self.assertIn("does not take the message", told.detail)
        self.assertEqual([], self.hop.messages)

    async def test_drips(self) -> None:
        """One that says a reply octet by octet has no longer than others."""
        self.hops.patience = evolve(PATIENCE, reply=0.5)
        self.hop.drip = True
        relay = self.relay(**{"220": b"220-x\r\n" * 99 + b"220 x\r\n"})
        (told,) = (await self.deliver(relay, letters(1))).values()
        self.assertEqual((State.DUE, ""), (told.state, told.category))
        self.assertIn("no answer within 0.5 seconds", told.detail)

    async def test_damaged(self) -> None:
        """What the disk changed goes nowhere; what is left of it is kept, once."""
        relay = self.relay()
        body = Body(3, b"abd", crc=0x352441C2)
        damaged = make_entry(body, [far(1), far(2, "v@far.example")])
        sound = make_entry(recipients=[far(1)])
        batch = [*damaged.consignments(1), *sound.consignments(1)]
        told = await self.deliver(relay, batch)
        self.assertEqual(State.DELIVERED, told[sound.id, 1].state)
        self.assertEqual(1, len(self.hop.messages))
        for number in (1, 2):
            outcome = told[damaged.id, number]
            self.assertEqual(State.CORRUPT, outcome.state)
            self.assertIn(f"corrupt/{damaged.id}", outcome.detail)
        kept = (self.home / "corrupt" / damaged.id).read_bytes()
        self.assertEqual(damaged.top + b"abd", kept)

    async def test_unreadable(self) -> None:
        """What cannot be read just now is tried again, and the rest goes."""
        relay = self.relay()
        bad = make_entry(Body(3, path="/" + "x" * 300), [far(1)])
        sound = make_entry(recipients=[far(1)])
        batch = [*bad.consignments(1), *sound.consignments(1)]
        told = await self.deliver(relay, batch)
        self.assertEqual(State.DUE, told[bad.id, 1].state)
        self.assertIn("File name too long", told[bad.id, 1].detail)
        self.assertEqual(State.DELIVERED, told[sound.id, 1].state)

    async def test_tired(self) -> None:
        """After five days of no, it is undeliverable."""
        relay = self.relay(RCPT=b"450 4.2.1 later\r\n")
        old = make_entry(recipients=[far(1)], when=REACTOR.seconds() - 5 * 86400 - 60)
        young = make_entry(recipients=[far(1)], when=REACTOR.seconds() - 4 * 86400)
        told = await self.deliver(relay, [*old.consignments(), *young.consignments()])
        self.assertIn("not delivered in 5 days", told[old.id, 1].detail)
        self.assertEqual(
            ["undeliverable", ""], [told[e.id, 1].category for e in (old, young)]
        )


class LMTPTests(RelayTestCase):
    """A reply for each recipient."""

    async def test_verdicts(self) -> None:
        """Of three, one is taken, one not now, one never."""
        self.hop.lmtp = True
        self.hop.says[b"."] = [
            b"250 fine\r\n",
            b"452 4.2.2 full\r\n",
            b"550 5.2.1 no\r\n",
        ]
        self.where = self.hop.listen(os.path.relpath(self.mktemp() + ".sock")[-90:])
        names = [far(n, f"{n}@far.example") for n in (1, 2, 3)]
        entry = make_entry(recipients=names)
        told = await self.deliver(self.destination(), entry.consignments())
        self.assertEqual(
            [(State.DELIVERED, ""), (State.DUE, ""), (State.DUE, "undeliverable")],
            [(told[entry.id, n].state, told[entry.id, n].category) for n in (1, 2, 3)],
        )

    async def test_half(self) -> None:
        """One that answers for half of them is asked again for all."""
        self.hop.lmtp = True
        self.hop.says[b"."] = [b"250 fine\r\n", b""]
        self.where = self.hop.listen()
        entry = make_entry(recipients=[far(1), far(2, "v@far.example")])
        told = await self.deliver(self.destination(), entry.consignments())
        self.assertEqual({State.DUE}, {o.state for o in told.values()})


class HouseTests(RelayTestCase):
    """With the ledger, the runner and the quarantine."""

    def house(self, relay: RelayDestination) -> SmallHouse:
        """A small house whose mail for other servers goes by the relay."""
        house = SmallHouse(self.home)
        house.runner = Runner(
            house.ledger,
            house.spool,
            [house.maildir, house.quarantine],
            Leftovers(house.spool, house.quarantine),
            REACTOR,
            delay=0.005,
            pause=lambda attempts: 0.01,
            elsewhere=[relay],
        )
        return house

    async def test_held(self) -> None:
        """What is refused for ever is in the quarantine, with the words."""
        relay = self.relay(**{"RCPT TO:<V@": b"550 5.1.1 no such user\r\n"})
        house = self.house(relay)
        await house.begin()
        try:
            body = b"Subject: x\r\n\r\nrefused\r\n"
            entry = make_entry(body, [far(1), far(2, "v@far.example")])
            await house.accept(entry)
            await house.settled()
            (held,) = house.messages("quarantine")
            self.assertEqual(entry.top + body, held)
            record = await house.reader.record(entry.id)
            assert record is not None
            told = {r["number"]: r for r in record["recipients"]}
            self.assertEqual(["delivered", "held"], [told[n]["state"] for n in (1, 2)])
            self.assertEqual("undeliverable", told[2]["category"])
            self.assertIn("550 5.1.1 no such user", told[2]["reason"])
        finally:
            await house.stop()

    async def test_later(self) -> None:
        """What is refused for now is tried again until it is taken, once."""
        relay = self.relay(RCPT=[b"450 4.2.1 later\r\n"] * 3 + [b"250 fine\r\n"])
        house = self.house(relay)
        await house.begin()
        try:
            await house.accept(make_entry(recipients=[far(1)]))
            await house.settled()
            self.assertEqual(1, len(self.hop.messages))
        finally:
            await house.stop()

    async def test_noted_soon(self) -> None:
        """What was taken is settled while the next of its batch hangs, for good."""
        relay = self.relay()
        house = self.house(relay)
        relay._road = evolve(relay._road, settle=house.ledger.settle)
        self.hop.says[b"."] = [b"250 fine\r\n", b"250-slow\r\n"]
        await house.begin()
        try:
            bodies = [b"Subject: %d\r\n\r\nHi.\r\n" % n for n in range(2)]
            entries = [make_entry(body, recipients=[far(1)]) for body in bodies]
            for entry in entries:
                await house.accept(entry)

            async def states() -> list[str]:
                records = [await house.reader.record(entry.id) for entry in entries]
                return [r["recipients"][0]["state"] for r in records if r is not None]

            while (found := await states()) != ["delivered", "due"]:
                self.assertEqual(["due", "due"], found)
                await pause()
            self.hop.says[b"."] = b"250 fine\r\n"
            for talker in list(self.hop.open):
                talker.transport.abortConnection()
            await house.settled()
            self.assertEqual(["delivered", "delivered"], await states())
            numbers = [m[2].partition(b"Subject: ")[2][:1] for m in self.hop.messages]
            self.assertEqual(1, numbers.count(b"0"))
        finally:
            await house.stop()
