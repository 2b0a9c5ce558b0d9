"""Gates before the front door."""

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.internet.task import deferLater
from zope.interface import implementer

from smfd.interfaces import Answer, IGate, IIncoming, IVisit
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Result
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.proto.reply import Reply, reply
from smfd.smtpd.guarded import Guarded
from smfd.smtpd.visit import Visit
from tests.sample import come
from tests.smtpd.fronts import ANN, LETTER, SENDER, FrontTestCase, address
from tests.store.making import REACTOR

BUSY = reply(450, "4.7.0", "Come back later")
BAD = reply(554, "5.7.1", "We know you", closes=True)


@implementer(IGate)
@define(eq=False)
class Gate(Visit):
    """
    Refuses by a script; it is its own and only visit.

    @ivar says: the reply to each question that is refused; an exception is
        raised.
    @ivar slow: answers come later.
    """

    says: dict[str, Reply | Exception] = field(factory=dict)
    slow: bool = False
    asked: list[str] = field(factory=list)
    records: list[Record] = field(factory=list)

    def visit(self, session: Session) -> IVisit | None:
        """Whoever comes, unless the script says that it is nobody."""
        return None if "visit" in self.says else self

    def _answer(self, question: str) -> Answer:
        self.asked.append(question)
        answer = self.says.get(question)
        if isinstance(answer, Exception):
            raise answer
        if self.slow:
            return deferLater(REACTOR, 0.001, lambda: answer)
        return answer

    def connected(self, session: Session) -> Answer:
        """As the script says."""
        return self._answer("connected")

    def hello(self, session: Session) -> Answer:
        """As the script says."""
        return self._answer("hello")

    def mail(self, session: Session, envelope: Envelope) -> Answer:
        """As the script says."""
        return self._answer("mail")

    def rcpt(self, session: Session, envelope: Envelope, forward: Forward) -> Answer:
        """As the script says."""
        return self._answer("rcpt")

    def message(self, session: Session, envelope: Envelope, body: Body) -> Answer:
        """As the script says."""
        return self._answer("message")

    def findings(self, envelope: Envelope) -> Sequence[Finding]:
        """One about the source."""
        said = Finding("source", "SOURCE_X", Result.SUSPECT, 1.5, "looks odd")
        return (said,) if "odd" in self.says else ()

    def noted(self, session: Session, record: Record) -> None:
        """Remember it."""
        self.records.append(record)

    def closed(self) -> None:
        """Remember that, too."""
        self.asked.append("closed")


class GateTests(FrontTestCase):
    """Who is let pass, and what becomes of who is not."""

    async def talk(self, *gates: Gate) -> list[int]:
        """The replies to a connection, HELO, MAIL and RCPT."""
        door = Guarded(await self.build(gates=gates), self.gates)
        session = self.session()
        envelope, forward = Envelope(self.name(), SENDER), Forward(address(ANN))
        said = [
            await come(door.connected(session)),
            await come(door.hello(session)),
            await come(door.mail(session, envelope)),
            await come(door.rcpt(session, envelope, forward)),
        ]
        door.closed(session, "")
        self.said = said
        return [answer.code for answer in said]

    async def test_open(self) -> None:
        """Gates that let pass change nothing, and each is asked everything."""
        for slow in (False, True):
            gates = Gate(slow=slow), Gate(slow=slow)
            self.assertEqual([220, 250, 250, 250], await self.talk(*gates))
            for gate in gates:
                asked = ["connected", "hello", "mail", "rcpt", "closed"]
                self.assertEqual(asked, gate.asked)

    async def test_shut(self) -> None:
        """The first that refuses ends it, with an id and a record."""
        for slow in (False, True):
            for n, question in enumerate(("connected", "hello", "mail", "rcpt")):
                first, second = Gate({question: BUSY}, slow), Gate(slow=slow)
                codes = await self.talk(first, second)
                expected = [220, 250, 250, 250]
                expected[n] = 450
                self.assertEqual(expected, codes)
                self.assertNotIn(question, second.asked)
                record = await self.record(self.said[n])
                self.assertEqual("deferred", record["verdict"])
                self.assertIn("Come back later", record["reply"])
                self.assertEqual([record["id"]], [r.id for r in first.records])
                self.assertEqual([record["id"]], [r.id for r in second.records])

    async def test_recipient(self) -> None:
        """Who was refused a recipient can be found by it."""
        await self.talk(Gate({"rcpt": BAD}))
        record = await self.record(self.said[3])
        self.assertEqual([ANN], record["recipients"])
        self.assertTrue(self.said[3].closes)

    async def test_door_first(self) -> None:
        """A connection that the door refuses is no gate's business."""
        gate = Gate()
        door = Guarded(await self.build(gates=[gate], connections=0), self.gates)
        self.assertEqual(421, (await come(door.connected(self.session()))).code)
        self.assertEqual([], gate.asked)

    async def test_broken(self) -> None:
        """A gate that fails lets pass: our fault must not refuse good mail."""
        questions = ("connected", "hello", "mail", "rcpt")
        broken = Gate({question: ValueError("fault") for question in questions})
        shut = Gate({"rcpt": BUSY})
        self.assertEqual([220, 250, 250, 450], await self.talk(broken, shut))
        self.assertEqual(4, len(self.flushLoggedErrors(ValueError)))

    async def test_gone(self) -> None:
        """
        A client that hangs up while a gate is at it is no fault, and no guest.

        Each scanner of ports that did not wait for a late greeting left a
        traceback in the log.
        """
        first, second = Gate(slow=True), Gate()
        door = Guarded(await self.build(gates=(first, second)), self.gates)
        session = self.session()
        for question in door.connected, door.hello:
            waiting = maybeDeferred(question, session)
            waiting.cancel()
            await self.assertFailure(waiting, CancelledError)
        self.assertEqual([], second.asked)
        self.assertEqual([], self.flushLoggedErrors())

    async def test_all_are_told(self) -> None:
        """When one gate fails at the end, the others hear of it all the same."""
        broken, other = Gate(), Gate()
        self.patch(broken, "asked", None)
        door = Guarded(await self.build(gates=(broken, other)), self.gates)
        session = self.session()
        await come(door.connected(session))
        door.closed(session, "")
        self.assertEqual(["connected", "closed"], other.asked)
        self.assertEqual(2, len(self.flushLoggedErrors(AttributeError)))

    async def send_past(self, *gates: Gate) -> Reply:
        """The reply to a message behind these."""
        door = Guarded(await self.build(gates=gates), self.gates)
        session = self.session()
        await come(door.connected(session))
        envelope = Envelope(self.name(), SENDER, (Forward(address(ANN)),))
        incoming = await come(door.data(session, envelope))
        assert IIncoming.providedBy(incoming), incoming
        incoming.write(LETTER)
        body = await come(incoming.finish())
        return await come(door.message(session, envelope, body))

    async def test_message(self) -> None:
        """A whole message can be refused too, before anybody looks at it."""
        for slow in (False, True):
            said = await self.send_past(Gate({"message": BAD}, slow))
            self.assertEqual(554, said.code)
            self.assertEqual([ANN], (await self.record(said))["recipients"])

    async def test_nobody(self) -> None:
        """Whom no gate looks at is let pass, and no gate hears of him."""
        gate = Gate({"visit": BAD, "hello": BAD})
        self.assertEqual([220, 250, 250, 250], await self.talk(gate))
        self.assertEqual([], gate.asked)
        self.assertEqual(0, len(self.gates))

    async def test_findings(self) -> None:
        """What a gate knows of the source stands in the message's record."""
        gate = Gate({"odd": BAD})
        record = await self.record(await self.send_past(gate))
        found = [(f["symbol"], f["score"]) for f in record["findings"]]
        self.assertIn(("SOURCE_X", 1.5), found)
        self.assertEqual(1.5, record["score"])
        self.assertEqual([record["id"]], [r.id for r in gate.records])
