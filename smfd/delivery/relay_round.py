"""
One batch on its way to one next hop.

Standards: RFC 5321 §4.2.5.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from smfd.delivery.relay_body import Pages
from smfd.interfaces import IHands
from smfd.model.entry import Consignment
from smfd.model.hop import NextHop
from smfd.net.smtp_client import Trouble
from smfd.net.smtp_client_open import Hops, Line, NoConnection
from smfd.proto import client
from smfd.proto.client import Unwilling
from smfd.proto.reply import Reply

#: Messages that one connection should have before a second is opened.
_EACH = 4

#: Failures one after the other, after which the hop is left alone for now.
_ENOUGH = 2


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


@frozen
class Word:
    """What came of one consignment: the answer, or why there was none."""

    consignment: Consignment
    answer: Reply | None
    why: str = ""


@define(eq=False)
class Round:
    """
    Sends shipments to a hop, over a few connections.

    @ivar words: what came of each, as it becomes known.
    """

    hop: NextHop
    hops: Hops
    hands: IHands
    waiting: deque[Shipment]
    words: list[Word] = field(factory=list, init=False)
    _failures: int = field(default=0, init=False)

    _log = Logger()

    async def run(self) -> list[Word]:
        """Send all; fires when there is a word for every one."""
        most = self.hops.connections
        lines = max(1, min(most, -(-len(self.waiting) // _EACH)))
        await gatherResults(
            [Deferred.fromCoroutine(self._line()) for _ in range(lines)]
        )
        return self.words

    async def _line(self) -> None:
        """Work over one connection, as long as there is work."""
        slots = self.hops.slots(self.hop)
        await slots.acquire()
        line: Line | None = None
        try:
            while self.waiting:
                shipment = self.waiting.popleft()
                line = await self._ship(shipment, line)
        finally:
            if line is not None:
                self.hops.keep(self.hop, line)
            slots.release()

    async def _ship(self, shipment: Shipment, line: Line | None) -> Line | None:
        """Send one; the connection, if it can be used again."""
        try:
            if line is None or not line.client.usable:
                line = await self.hops.line(self.hop)
            answers = await self._transaction(shipment, line)
        except (Trouble, Unwilling) as error:
            self._failed(shipment, error)
        except Exception as error:
            self._log.failure("{id}: a fault", id=shipment.consignments[0].entry_id)
            self._say(shipment, f"a fault of ours: {type(error).__name__}")
        else:
            self._failures = 0
            pairs = zip(shipment.consignments, answers, strict=True)
            self.words += [Word(c, answer) for c, answer in pairs]
            return line
        if line is not None:
            line.client.drop()
        return None

    async def _transaction(self, shipment: Shipment, line: Line) -> Sequence[Reply]:
        pages, patience = shipment.pages, self.hops.patience
        recipients = tuple(c.recipient.address for c in shipment.consignments)
        sender = shipment.consignments[0].sender
        parcel = client.Parcel(sender, recipients, pages.size)
        lmtp = self.hop.protocol == "lmtp"
        script = client.envelope(parcel, line.skills)
        sent: client.Envelope = await line.client.say(script, patience.reply)
        if sent.go:
            end = client.verdicts(sent, lmtp)
            pieces = pages.reader(self.hands)
            answers: Any = await line.client.send(pieces, patience, end)
            return tuple(answers)
        if sent.stuck or not await line.client.say(client.reset(), patience.reply):
            line.client.drop()
        return sent.answers

    def _failed(self, shipment: Shipment, error: Exception) -> None:
        why = str(error)
        self._say(shipment, why)
        self._failures += 1
        if self._failures >= _ENOUGH or isinstance(error, NoConnection):
            # A hop that is down costs one time-out, and not one for each.
            while self.waiting:
                self._say(self.waiting.popleft(), why)

    def _say(self, shipment: Shipment, why: str) -> None:
        self.words += [Word(c, None, why) for c in shipment.consignments]


def shipments(consignments: Iterable[Consignment]) -> deque[Shipment]:
    """Those who get the same octets together, in the order of their entries."""
    found: dict[tuple[str, bytes], list[Consignment]] = {}
    for c in consignments:
        found.setdefault((c.entry_id, c.recipient.top), []).append(c)
    return deque(Shipment(tuple(group)) for group in found.values())
