"""The front door with everything real behind it, and a wire of our own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smfd.interfaces import IGate, IIncoming, IStage
from smfd.model.envelope import Envelope, Forward
from smfd.model.hop import NextHop, Verification
from smfd.model.session import Session
from smfd.policy.decide import Policy
from smfd.policy.srs import SRS
from smfd.proto.address import Address
from smfd.proto.reply import Reply
from smfd.scan.callout import CallOut, Terms
from smfd.scan.chain import Chain
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.custody import Custody
from smfd.smtpd.guarded import Gates
from smfd.smtpd.mx import MX
from smfd.smtpd.policed import Policed
from smfd.smtpd.recipients import Recipients
from smfd.smtpd.recorder import Recorder
from smfd.smtpd.trace import Tracer
from smfd.store.atomic import Disk
from smfd.store.directory import Directory
from smfd.store.ids import new_id
from smfd.store.maillog import MailLog
from tests.sample import come
from tests.store.making import REACTOR, SmallHouse

ANN, BOB = "ann@home.example", "bob@home.example"
NAME = "mx.home.example"

SENDER = Address("alice", "a.example")
LETTER = b"From: Alice <alice@a.example>\r\nSubject: Hello\r\n\r\nHi.\r\n"
#: More than stays in memory, so that there is a file.
LARGE = LETTER + b"All work and no play.\r\n" * 200


def address(text: str) -> Address:
    """An address, or C{postmaster} alone."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain) if local else Address(text, "")


class FrontTestCase(TestCase):
    """
    One domain with two users, and a door to it.

    @ivar house: what keeps the mail.
    @ivar door: where it comes in.
    """

    async def build(
        self,
        stages: Mapping[str, IStage] | None = None,
        disk: Disk | None = None,
        patience: float = 30.0,
        gates: Sequence[IGate] = (),
        **settings: Any,
    ) -> MX:
        """
        Start all of it.

        @param patience: seconds that a stage may take.
        @param settings: of the door.
        """
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        house = self.house = SmallHouse(self.home, disk or Disk())
        await house.begin()
        self.addCleanup(lambda: Deferred.fromCoroutine(house.stop()))
        self.directory = Directory(self.home / "directory.db", REACTOR)
        self.directory.startService()
        self.addCleanup(self.directory.stopService)
        await self.directory.add_domain("home.example", actor="uid:test")
        for user in ANN, BOB:
            await self.directory.add_account(user, actor="uid:test")
        self.maillog = MailLog(self.home / "mail.log", REACTOR)
        self.addCleanup(self.maillog.stopService)
        self.gates = Gates(gates)
        recorder = Recorder(self.house.ledger, self.maillog, REACTOR, self.gates)
        self.addCleanup(recorder.repeats.stopService)
        house = self.house
        custody = Custody(
            house.spool, house.ledger, house.runner, recorder, header_size=10_000
        )
        whose = self.recipients()
        acceptance = Acceptance(
            custody,
            Chain(stages or {}, patience, REACTOR),
            Policy(),
            self.directory,
            whose,
            Tracer(NAME),
            REACTOR,
            Policed.of(custody, whose, NAME, self.name, None),
            gates=self.gates,
        )
        self.door = MX(
            NAME,
            self.house.spool,
            recorder,
            acceptance,
            REACTOR,
            self.name,
            **settings,
        )
        return self.door

    def recipients(self) -> Recipients:
        """Whose mail it is; next hops are asked by L{verify}."""
        self.asked: list[tuple[str, str]] = []
        self.says = Verification.UNSURE
        callout = CallOut(self.verify, REACTOR, Terms(positive=60.0, unsure=0.0))
        self.srs = SRS(b"secret")
        return Recipients(self.directory, callout, self.srs, REACTOR)

    def verify(self, hop: NextHop, address: str) -> Deferred[Verification]:
        """What C{says} says, of everybody."""
        self.asked.append((str(hop), address))
        return succeed(self.says)

    def name(self) -> str:
        """A new id."""
        return new_id(REACTOR.seconds())

    def session(self, client: str = "192.0.2.1") -> Session:
        """Somebody who said EHLO."""
        now = REACTOR.seconds()
        return Session(self.name(), client, 4242, now, "mx.a.example", True)

    async def rcpt(self, *recipients: str) -> list[Reply]:
        """The replies to RCPT, one for each."""
        session, envelope = self.session(), Envelope(self.name(), SENDER)
        return [
            await come(self.door.rcpt(session, envelope, Forward(address(one))))
            for one in recipients
        ]

    async def arrive(
        self, data: bytes = LETTER, recipients: Sequence[str] = (ANN,)
    ) -> Deferred[Reply]:
        """All of a message, up to the dot; the Deferred is the reply to it."""
        session = self.session()
        envelope = Envelope(self.name(), SENDER)
        for recipient in recipients:
            forward = Forward(address(recipient))
            said = await come(self.door.rcpt(session, envelope, forward))
            self.assertEqual(250, said.code, said)
            found = (*envelope.recipients, forward)
            envelope = evolve(envelope, recipients=found)
        incoming = await come(self.door.data(session, envelope))
        assert IIncoming.providedBy(incoming), incoming
        turn = incoming.write(data)
        if turn is not None:
            await turn
        body = await come(incoming.finish())
        return self.door.message(session, envelope, body)

    async def send(
        self, data: bytes = LETTER, recipients: Sequence[str] = (ANN,)
    ) -> Reply:
        """The reply to a whole message."""
        return await (await self.arrive(data, recipients))

    async def record(self, reply: Reply) -> dict[str, Any]:
        """The record that a reply names, once it is written."""
        name = reply.lines[0].rpartition("id=")[2]
        # Whatever is asked of the ledger makes it write what waits.
        await self.house.ledger.next_try()
        found = await self.house.reader.record(name)
        assert found is not None, reply
        record: dict[str, Any] = found["record"]
        return record

    def logged(self) -> str:
        """All lines of the mail log."""
        self.maillog.stopService()
        path = self.home / "mail.log"
        return path.read_text() if path.exists() else ""

    def spooled(self) -> list[Path]:
        """The files in the spool."""
        return [path for path in (self.home / "spool").rglob("*") if path.is_file()]

    async def until(self, holds: Any) -> None:
        """Wait until something holds."""
        end = REACTOR.seconds() + 20
        while not holds():
            self.assertLess(REACTOR.seconds(), end, "it never came about")
            await deferLater(REACTOR, 0.01)
