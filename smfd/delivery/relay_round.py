"""
One batch on its way to the servers of one domain.

Standards: RFC 5321 §4.2.5, §4.5.3.1.10.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.logger import Logger

from smfd.delivery.approach import Approach, Missed, Nobody
from smfd.delivery.relay_body import Pages
from smfd.delivery.word import BROKEN, CONGESTED, Word
from smfd.interfaces import IHands
from smfd.model.entry import Consignment
from smfd.model.hop import NextHop
from smfd.net.smtp_client import Trouble
from smfd.net.smtp_client_open import Line
from smfd.policy.paces import NONE, Pause
from smfd.proto import client
from smfd.proto.client import Unwilling
from smfd.proto.parcel import Wish
from smfd.proto.reply import Reply

#: Transactions that break one after the other, until a server is passed over.
_ENOUGH = 2

#: Seconds that mail waits at most before its way is looked for anew.
_PAUSE = 900.0

#: How long a message to a server waits (its name, our address).
Pace = Callable[[str, str], Pause]


def at_once(host: str, source: str) -> Pause:
    """As fast as they take it."""
    return NONE


@frozen
class Shipment:
    """
    The recipients of one entry who get the same octets: one transaction.
    """

    consignments: tuple[Consignment, ...]

    @property
    def pages(self) -> Pages:
        """What is sent."""
        c = self.consignments[0]
        return Pages(c.recipient.top + c.top, c.body, c.cuts)

    @property
    def parcel(self) -> client.Parcel:
        """What is said of it."""
        c = self.consignments[0]
        recipients = [consignment.recipient for consignment in self.consignments]
        return client.Parcel(
            c.sender,
            tuple(recipient.address for recipient in recipients),
            self.pages.size,
            c.asked.smtputf8,
            c.asked.ret,
            c.asked.envid,
            tuple(Wish(recipient.notify, recipient.orcpt) for recipient in recipients),
        )


@define
class Watch:
    """
    How long the parts of a try took.

    @ivar begun: when the batch was begun, as all of these by one clock.
    @ivar taken: when its turn came.
    @ivar ready: when there was a connection; 0 when there was none yet.
    """

    begun: float
    taken: float
    ready: float = 0.0

    def delays(self, received: float, now: float) -> tuple[float, ...]:
        """Seconds: queued, in hand, until the connection, in the transaction."""
        ready = self.ready or now
        times = (received, self.begun, self.taken, ready, now)
        pairs = zip(times, times[1:], strict=False)
        return tuple(max(0.0, later - earlier) for earlier, later in pairs)


@define(eq=False)
class Round:
    """
    Sends shipments over one connection at a time.

    A server's answer is the answer of its domain: who is told "later" by one
    is not brought to the next, which would only say the same of a greylist, or
    take what the first will not.

    @ivar tell: is called with what came of each, as it becomes known.
    @ivar pace: asked before each message.
    """

    approach: Approach
    hands: IHands
    waiting: deque[Shipment]
    tell: Callable[[Word], object]
    pace: Pace = at_once
    _failures: int = field(default=0, init=False)
    _watch: Watch = field(init=False)
    _sending: bool = field(default=False, init=False)

    _log = Logger()

    async def run(self) -> None:
        """Send all; returns when there is a word for every one."""
        self._watch = Watch(self._now, self._now)
        line: Line | None = None
        try:
            while self.waiting:
                self._watch = Watch(self._watch.begun, self._now)
                line = await self._ship(self.waiting.popleft(), line)
            self.approach.give_back()
        finally:
            self.approach.hang_up()

    @property
    def _now(self) -> float:
        now: float = self.approach.hops.reactor.seconds()
        return now

    async def _ship(self, shipment: Shipment, line: Line | None) -> Line | None:
        """Send one; the connection, if it can be used again."""
        try:
            line = await self._fit(line)
        except Nobody as error:
            self._nobody(shipment, error.missed)
            return None
        self._watch.ready = self._now
        pause = self._pause()
        if pause.seconds:
            self._later([shipment, *self.waiting], pause)
            self.waiting.clear()
            return line
        return await self._over(shipment, line)

    async def _fit(self, line: Line | None) -> Line:
        """A connection that can be used once more."""
        if line is not None:
            if self.approach.hops.again(line):
                return line
            self.approach.give_back()
        return await self.approach.line()

    async def _over(self, shipment: Shipment, line: Line) -> Line | None:
        again, self._sending = line.used > 0, False
        line.used += 1
        try:
            answers = await self._transaction(shipment, line)
        except (Trouble, Unwilling) as error:
            if self._sending or not (again or self._elsewhere(error)):
                self._broken(shipment, line, str(error))
            else:
                # Nobody has anything of this message.
                self.waiting.appendleft(shipment)
        except Exception as error:
            self._log.failure("{id}: a fault", id=shipment.consignments[0].entry_id)
            why = f"a fault of ours: {type(error).__name__}"
            self._say(shipment, Word(shipment.consignments[0], None, why))
        else:
            self._failures = 0
            self._answered(shipment, line, answers)
            return line
        self.approach.hang_up()
        return None

    def _answered(
        self, shipment: Shipment, line: Line, answers: Sequence[Reply]
    ) -> None:
        """Tell each; who found no room beside others goes with the next message."""
        hop, notifies = self.approach.hop, line.skills.notifies
        taken = any(answer.positive for answer in answers)
        left: list[Consignment] = []
        for c, answer in zip(shipment.consignments, answers, strict=True):
            if taken and _crowded(answer):
                left.append(c)
            else:
                self._tell(Word(c, answer, hop=hop, tls=line.tls, notifies=notifies))
        if left:
            self.waiting.appendleft(Shipment(tuple(left)))

    async def _transaction(self, shipment: Shipment, line: Line) -> Sequence[Reply]:
        hops, hop = self.approach.hops, self.approach.hop
        assert hop is not None
        script = client.envelope(shipment.parcel, line.skills)
        seconds = hops.patience.envelope(len(shipment.consignments))
        sent: client.Envelope = await line.client.say(script, seconds)
        if sent.go:
            self._sending = True
            end = client.verdicts(sent, hop.protocol == "lmtp")
            pieces = shipment.pages.reader(self.hands)
            answers: Any = await line.client.send(
                pieces, hops.patience, end, sent.framing()
            )
            return tuple(answers)
        if sent.stuck or not await self._reset(line):
            line.client.drop()
        return sent.answers

    async def _reset(self, line: Line) -> bool:
        if not line.client.usable:
            return False
        try:
            seconds = self.approach.hops.patience.reply
            forgotten: bool = await line.client.say(client.reset(), seconds)
        except (Trouble, Unwilling):
            # What it answered before stands.
            return False
        return forgotten

    def _pause(self) -> Pause:
        hop = self.approach.hop
        assert hop is not None
        return self.pace(hop.host, hop.origin.address)

    def _later(self, shipments: Iterable[Shipment], pause: Pause) -> None:
        # Another address of ours may stand in long before this one may send.
        seconds = min(pause.seconds, _PAUSE)
        for shipment in shipments:
            c, hop = shipment.consignments[0], self.approach.hop
            word = Word(c, None, pause.why, CONGESTED, hop, wait=seconds)
            self._say(shipment, word)

    def _nobody(self, shipment: Shipment, missed: Missed) -> None:
        """Nobody is there for this one, and for the others neither."""
        word = Word(
            shipment.consignments[0],
            None,
            missed.why,
            missed.status,
            missed.hop,
            greeting=missed.greeting,
            of_site=not missed.wait,
            wait=missed.wait,
        )
        for each in (shipment, *self.waiting):
            self._say(each, word)
        self.waiting.clear()

    def _elsewhere(self, error: Exception) -> bool:
        """
        Whether it goes to the next server at once (RFC 5321 §5.1): to who says
        421 it does not, for that is an answer.
        """
        if isinstance(error, Unwilling) or not self.approach.more:
            return False
        self._pass_over(str(error))
        return True

    def _pass_over(self, why: str) -> None:
        self._failures = 0
        self.approach.pass_over(why)

    def _broken(self, shipment: Shipment, line: Line, why: str) -> None:
        hop: NextHop | None = self.approach.hop
        word = Word(shipment.consignments[0], None, why, BROKEN, hop, line.tls)
        self._say(shipment, word)
        self._failures += 1
        if self._failures >= _ENOUGH:
            self._pass_over(why)

    def _say(self, shipment: Shipment, word: Word) -> None:
        for c in shipment.consignments:
            self._tell(evolve(word, consignment=c))

    def _tell(self, word: Word) -> None:
        delays = self._watch.delays(word.consignment.received, self._now)
        self.tell(evolve(word, delays=delays))


def _crowded(answer: Reply) -> bool:
    """RFC 5321 §4.5.3.1.10: too many recipients for one message."""
    return answer.code == 452 and answer.status in ("", "4.5.3")


def shipments(consignments: Iterable[Consignment]) -> deque[Shipment]:
    """
    Those who get the same octets together, in the order of their entries.

    Whose address is in UTF-8 goes apart: a server that takes none (RFC 6531 §3.2)
    takes the message for the others.
    """
    found: dict[tuple[str, bytes, bool], list[Consignment]] = {}
    for c in consignments:
        to = c.recipient
        found.setdefault((c.entry_id, to.top, to.address.isascii()), []).append(c)
    return deque(Shipment(tuple(group)) for group in found.values())
