"""Tests for L{smfd.smtpd.mx}, with everything real behind it."""

import sqlite3
from ipaddress import ip_network

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from smfd.interfaces import IIncoming
from smfd.model.envelope import Envelope
from smfd.proto.reply import Reply
from smfd.smtpd.mx import PATIENCE
from tests.sample import come
from tests.smtpd.fronts import ANN, SENDER, FrontTestCase
from tests.smtpd.test_acceptance import GatedDisk


class ConnectionTests(FrontTestCase):
    """How many may come."""

    async def test_per_address(self) -> None:
        """Too many from one address: 421, and others still come in."""
        door = await self.build(per_address=2)
        sessions = [self.session() for _ in range(3)]
        codes = [(await come(door.connected(session))).code for session in sessions]
        self.assertEqual([220, 220, 421], codes)
        self.assertEqual(
            220, (await come(door.connected(self.session("192.0.2.2")))).code
        )
        # The one that was turned away counts until it is gone.
        door.closed(sessions[2], "")
        door.closed(sessions[0], "")
        self.assertEqual(220, (await come(door.connected(self.session()))).code)

    async def test_exempt(self) -> None:
        """Networks that are exempt have no limit of their own."""
        exempt = (ip_network("127.0.0.0/8"), ip_network("fe80::/10"))
        door = await self.build(per_address=1, exempt=exempt)
        for client, second in (("127.0.0.9", 220), ("fe80::1%eth0", 220), ("::1", 421)):
            codes = [
                (await come(door.connected(self.session(client)))).code for _ in "12"
            ]
            self.assertEqual([220, second], codes)

    async def test_in_all(self) -> None:
        """Too many in all: also those who are exempt wait outside."""
        exempt = (ip_network("127.0.0.0/8"),)
        door = await self.build(connections=2, exempt=exempt)
        sessions = [self.session(f"127.0.0.{n}") for n in range(3)]
        said = [await come(door.connected(session)) for session in sessions]
        self.assertEqual([220, 220, 421], [one.code for one in said])
        self.assertTrue(said[2].closes)
        record = await self.record(said[2])
        self.assertEqual(
            ("refusal", "127.0.0.2", "deferred"),
            (record["kind"], record["client"], record["verdict"]),
        )
        self.assertIn("reply=421 4.7.0 ", self.logged())

    async def test_forgotten(self) -> None:
        """Of a client that is gone nothing is kept."""
        door = await self.build()
        session = self.session()
        await come(door.connected(session))
        door.closed(session, "timeout")
        self.assertEqual((0, {}), (door._open, dict(door._from)))
        self.assertIn("closed=timeout", self.logged())


class RecipientTests(FrontTestCase):
    """Who is here."""

    async def test_known(self) -> None:
        """Users, their tags, and postmaster with a domain or without one."""
        await self.build()
        for one in (ANN, "ANN+shop@home.example", "postmaster@home.example"):
            self.assertEqual([250], [said.code for said in await self.rcpt(one)])
        self.assertEqual([250], [said.code for said in await self.rcpt("Postmaster")])

    async def test_refused(self) -> None:
        """A stranger's domain is not relayed for, a stranger here is unknown."""
        await self.build()
        said = await self.rcpt("nobody@home.example", "ann@else.example")
        self.assertEqual(
            [(550, "5.1.1"), (550, "5.7.1")], [(one.code, one.status) for one in said]
        )
        for one, recipient in zip(
            said, ("nobody@home.example", "ann@else.example"), strict=True
        ):
            record = await self.record(one)
            self.assertEqual(
                ("refusal", "refused", [recipient], "alice@a.example"),
                (
                    record["kind"],
                    record["verdict"],
                    list(record["recipients"]),
                    record["sender"],
                ),
            )
        lines = [line for line in self.logged().splitlines() if "=refused" in line]
        for line, recipient in zip(
            lines, ("nobody@home.example", "ann@else.example"), strict=True
        ):
            self.assertIn("from=<alice@a.example>", line)
            self.assertIn(f"to=<{recipient}>", line)

    async def test_no_directory(self) -> None:
        """When nobody can be looked up it is our fault, and no 550."""
        await self.build()
        self.directory.stopService()
        with self.assertRaises(Exception):  # noqa: B017 - the protocol says 451
            await self.rcpt(ANN)


class TurnTests(FrontTestCase):
    """When delivery is behind."""

    async def test_a_turn_has_a_deadline(self) -> None:
        """When delivery never catches up, DATA is deferred and not kept waiting."""
        door = await self.build()
        door.clock = clock = Clock()
        waiter: Deferred[None] = Deferred()
        self.patch(self.house.runner, "pressure", lambda: waiter)
        d = maybeDeferred(door.data, self.session(), Envelope(self.name(), SENDER))
        clock.advance(PATIENCE - 1)
        self.assertNoResult(d)
        clock.advance(1)
        said = self.successResultOf(d)
        assert isinstance(said, Reply)
        self.assertEqual((451, "4.3.2"), (said.code, said.status))

    async def test_a_turn_comes(self) -> None:
        """When delivery catches up, the message comes in."""
        door = await self.build()
        waiter: Deferred[None] = Deferred()
        self.patch(self.house.runner, "pressure", lambda: waiter)
        d = maybeDeferred(door.data, self.session(), Envelope(self.name(), SENDER))
        self.assertNoResult(d)
        waiter.callback(None)
        incoming = self.successResultOf(d)
        assert IIncoming.providedBy(incoming), incoming
        incoming.abandon()


class RoomTests(FrontTestCase):
    """When the disk is nearly full."""

    async def test_full(self) -> None:
        """Before a message is sent: 452, with a record."""
        door = await self.build()
        self.house.spool.minimum_free = 1 << 60
        session = self.session()
        for said in (
            await come(door.mail(session, Envelope(self.name(), SENDER))),
            await come(door.data(session, Envelope(self.name(), SENDER))),
        ):
            assert isinstance(said, Reply)
            self.assertEqual((452, "4.3.1"), (said.code, said.status))
            self.assertEqual("deferred", (await self.record(said))["verdict"])

    async def test_suspect(self) -> None:
        """While the ledger's disk is not trusted: 451 at MAIL and DATA (R5)."""
        disk = GatedDisk()
        door = await self.build(disk=disk)
        disk.trouble = sqlite3.OperationalError("disk I/O error")
        disk.trouble.sqlite_errorcode = sqlite3.SQLITE_IOERR
        self.assertEqual(451, (await self.send()).code)
        session = self.session()
        for said in (
            await come(door.mail(session, Envelope(self.name(), SENDER))),
            await come(door.data(session, Envelope(self.name(), SENDER))),
        ):
            assert isinstance(said, Reply)
            self.assertEqual((451, "4.3.0"), (said.code, said.status))
            name = said.lines[0].rpartition("id=")[2]
            # The ledger keeps no record now; the log does.
            self.assertIn(f" {name}: client=192.0.2.1", self.logged())
        self.flushLoggedErrors()

    async def test_announced(self) -> None:
        """A SIZE that there is no room for is refused at MAIL (RFC 1870 6.1)."""
        door = await self.build()
        small, huge = (
            Envelope("1", SENDER, size=1000),
            Envelope("2", SENDER, size=1 << 60),
        )
        session = self.session()
        self.assertEqual(250, (await come(door.mail(session, small))).code)
        self.assertEqual(452, (await come(door.mail(session, huge))).code)
