"""The end of DATA, and the door before it, with faults at every turn."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.delivery.hand import Hand
from smfd.model.directory import Account, Domain
from smfd.model.entry import Consignment, Entry, Recipient
from smfd.model.envelope import Forward
from smfd.model.record import Record
from smfd.model.transaction import Body
from smfd.policy.decide import Policy
from smfd.proto.reply import Reply
from smfd.scan.chain import Chain
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.mx import MX, PATIENCE
from smfd.smtpd.recorder import Recorder
from smfd.smtpd.trace import Tracer
from tests import sample


class Ground:
    """
    Directory, spool, ledger, runner and mail log in one, which may fail.

    @ivar broken: the names of methods that raise.
    @ivar gone: bodies that were thrown away.
    @ivar suspect: why the ledger is not believed any more.
    """

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.committed: list[Entry] = []
        self.noted: list[Record] = []
        self.lines: list[dict[str, object]] = []
        self.gone: list[Body] = []
        self.waiter: Deferred[None] | None = None
        self.suspect = ""

    def _try(self, name: str) -> None:
        if name in self.broken:
            raise RuntimeError(f"{name} broke")

    def account(self, address: str) -> Deferred[Account | None]:
        """Everybody at example.test lives here."""
        here = address.endswith("@example.test") and not address.startswith("nobody")
        return succeed(Account(address) if here else None)

    def domain(self, name: str) -> Deferred[Domain | None]:
        """One domain is hosted."""
        return succeed(Domain(name) if name == "example.test" else None)

    def has_room(self, size: int) -> bool:
        """There is."""
        return True

    def receive(self, name: str) -> str:
        """Where the body goes."""
        return f"here comes {name}"

    def sync(self, body: Body) -> Deferred[None]:
        """It is in memory."""
        return succeed(None)

    def discard(self, body: Body) -> None:
        """Throw it away."""
        self.gone.append(body)

    def commit(self, entry: Entry) -> Deferred[None]:
        """Make it ours, or not."""
        if "commit" in self.broken:
            return fail(RuntimeError("the disk broke"))
        self.committed.append(entry)
        return succeed(None)

    def note(self, record: Record) -> None:
        """Keep a record."""
        self.noted.append(record)

    def take(self, entry: Entry) -> None:
        """Deliver."""
        self._try("take")

    def pressure(self) -> Deferred[None] | None:
        """Whether delivery keeps up."""
        return self.waiter

    def line(self, id: str, **values: object) -> None:  # noqa: A002
        """Log."""
        self._try("line")
        self.lines.append({"id": id, **values})


def made(ground: Any, clock: Clock) -> tuple[Acceptance, MX]:
    """Both, on one ground."""
    recorder = Recorder(ground, ground, clock)
    acceptance = Acceptance(
        Chain({}, 1.0, clock),
        Policy(),
        ground,
        ground,
        ground,
        ground,
        Tracer("mx.example.test"),
        recorder,
        clock,
    )
    door = MX("mx.example.test", ground, ground, recorder, acceptance, clock, _name)
    return acceptance, door


def _name() -> str:
    return "0000000000000009"


class AcceptanceTests(SynchronousTestCase):
    """Ours, or not ours, and nothing between."""

    def setUp(self) -> None:
        """A message to one mailbox."""
        self.ground = Ground()
        self.acceptance, _ = made(self.ground, Clock())

    def send(self, data: bytes = sample.CLEAN) -> Reply:
        """The reply to a message."""
        t = sample.transaction(data)
        d = self.acceptance.message(t.session, t.envelope, t.body)
        return self.successResultOf(d)

    def test_accepted(self) -> None:
        """What is committed is answered 250 with its id."""
        self.assertEqual(250, self.send().code)
        self.assertEqual(["0000000000000001"], [e.id for e in self.ground.committed])
        self.assertEqual([], self.ground.gone)

    def test_fault_behind_the_commit(self) -> None:
        """
        What is committed stays ours though delivery or the log breaks: the
        body is kept, and the client does not send it twice.
        """
        for name in ("take", "line"):
            self.ground.broken = {name}
            self.assertEqual(250, self.send().code)
            self.assertEqual([], self.ground.gone)
            self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_fault_before_the_commit(self) -> None:
        """What is not committed is deferred, its body gone, with a record."""
        self.ground.broken = {"commit"}
        reply = self.send()
        self.assertEqual((451, "4.3.0"), (reply.code, reply.status))
        self.assertNotIn("disk", reply.lines[0])
        self.assertEqual(1, len(self.ground.gone))
        (record,) = self.ground.noted
        self.assertEqual(("message", "deferred"), (record.kind, record.verdict))
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_doubtful_commit(self) -> None:
        """The row may be there after a restart: its body is kept till then."""
        self.ground.broken = {"commit"}
        self.ground.suspect = "the sync failed"
        self.assertEqual(451, self.send().code)
        self.assertEqual([], self.ground.gone)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_hops(self) -> None:
        """A hundred hops are a long way, one more is a loop (RFC 5321 §6.3)."""
        hop = b"Received: from a by b; Sat, 21 Nov 2026 12:00:00 +0000\r\n"
        self.assertEqual(250, self.send(hop * 100 + sample.CLEAN).code)
        self.assertEqual(554, self.send(hop * 101 + sample.CLEAN).code)


class DoorTests(SynchronousTestCase):
    """What is refused, and what waits."""

    def setUp(self) -> None:
        """A door."""
        self.ground, self.clock = Ground(), Clock()
        _, self.door = made(self.ground, self.clock)
        self.asked = sample.transaction()

    def rcpt(self, text: str) -> Reply:
        """The reply to RCPT."""
        t = self.asked
        forward = Forward(sample.address(text))
        return self.successResultOf(self.door.rcpt(t.session, t.envelope, forward))

    def test_refused_recipient_is_recorded(self) -> None:
        """Who is refused can find out why: a record and a line, by the id."""
        for text, status in (
            ("nobody@example.test", "5.1.1"),
            ("a@else.test", "5.7.1"),
        ):
            reply = self.rcpt(text)
            self.assertEqual((550, status), (reply.code, reply.status))
            record, line = self.ground.noted.pop(), self.ground.lines.pop()
            self.assertIn(f"id={record.id}", reply.lines[0])
            self.assertEqual(("refusal", "refused"), (record.kind, record.verdict))
            self.assertEqual((text,), record.recipients)
            self.assertEqual("ann@sender.test", record.sender)
            self.assertEqual((record.id, f"<{text}>"), (line["id"], line["to"]))
            self.assertEqual("<ann@sender.test>", line["from"])

    def test_refused_connection_is_recorded(self) -> None:
        """So is a connection too many, which has neither sender nor recipient."""
        self.door.connections = 0
        reply = self.successResultOf(self.door.connected(self.asked.session))
        self.assertEqual(421, reply.code)
        (record,), (line,) = self.ground.noted, self.ground.lines
        self.assertEqual(("refusal", "deferred"), (record.kind, record.verdict))
        self.assertEqual((), record.recipients)
        self.assertEqual(("", ""), (line["from"], line["to"]))

    def test_a_turn_has_a_deadline(self) -> None:
        """When delivery never catches up, DATA is deferred and not kept waiting."""
        waiter: Deferred[None] = Deferred()
        self.ground.waiter = waiter
        d = self.door.data(self.asked.session, self.asked.envelope)
        self.clock.advance(PATIENCE - 1)
        self.assertNoResult(d)
        self.clock.advance(1)
        reply = self.successResultOf(d)
        assert isinstance(reply, Reply)
        self.assertEqual((451, "4.3.2"), (reply.code, reply.status))

    def test_a_turn_comes(self) -> None:
        """When delivery catches up, the message comes in."""
        waiter: Deferred[None] = Deferred()
        self.ground.waiter = waiter
        d = self.door.data(self.asked.session, self.asked.envelope)
        waiter.callback(None)
        self.assertEqual("here comes 0000000000000001", self.successResultOf(d))


class HandTests(SynchronousTestCase):
    """Who waits for a turn, and who has stopped waiting."""

    def setUp(self) -> None:
        """A hand that is full."""
        self.hand = Hand(window=2, memory=1000)
        recipient = Recipient(1, "bob@example.test", "maildir")
        body = Body(1, b"x")
        for name in "ab":
            self.hand.add(Consignment(name, 0.0, "", body, b"", (), recipient))

    def wait(self) -> Deferred[None]:
        """Wait for a turn."""
        waiting = self.hand.lighter()
        assert waiting is not None
        return waiting

    def _empty(self) -> None:
        for name in "ab":
            self.hand.remove((name, 1))

    def test_room(self) -> None:
        """Everybody is woken when there is room."""
        waiting = [self.wait(), self.wait()]
        self._empty()
        for d in waiting:
            self.assertIsNone(self.successResultOf(d))

    def test_gone(self) -> None:
        """A client that hangs up while it waits is not remembered."""

        for _ in range(1000):
            d = self.wait()
            d.addErrback(lambda _: None)
            d.cancel()
        self.assertEqual([], self.hand._waiters)
        self._empty()
