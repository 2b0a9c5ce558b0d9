"""
From a message that has come to one that is ours, or never was.

250 is sent after the ledger's commit and never before.  What cannot be judged
or kept is deferred; nothing is lost.

Standards: RFC 5321 §4.2.5, §6.1.
"""

from collections.abc import Callable, Coroutine, Sequence
from time import perf_counter
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from smfd.delivery.runner import Runner
from smfd.delivery.signer import Signer
from smfd.format.header import Header, read_header
from smfd.model.entry import Entry
from smfd.model.envelope import Envelope
from smfd.model.notice import NoticeKey
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body, Transaction
from smfd.model.verdict import Verdict
from smfd.proto.reply import Reply
from smfd.scan.turns import Crowded
from smfd.smtpd.answers import said as _said
from smfd.smtpd.recorder import Recorder
from smfd.store.ledger import Ledger, NoSpace
from smfd.store.spool import Spool

LOCAL_ERROR = "Local error, try again later"


@frozen(slots=False)
class Arrival:
    """
    A message that has come whole.

    @ivar begun: L{perf_counter} when that was.
    @ivar synced: fires when the disk has it.
    """

    session: Session
    envelope: Envelope
    body: Body
    header: Header
    begun: float
    synced: Deferred[None]


#: Judges a message, and keeps or refuses it.
Judge = Callable[[Arrival], Coroutine[Any, Any, Reply]]


@frozen
class Custody:
    """
    Keeps messages, or gives them up.

    @ivar header_size: the most octets a header may have.
    @ivar header_fields: the most fields it may have.
    @ivar signer: signs what leaves; None: nobody does.
    """

    spool: Spool
    ledger: Ledger
    runner: Runner
    recorder: Recorder
    header_size: int = 262_144
    header_fields: int = 2_000
    signer: Signer | None = None

    _log = Logger()

    def turn(self) -> Deferred[None] | None:
        """None while delivery keeps up; else fires when a message may come."""
        return self.runner.pressure()

    def take(
        self, session: Session, envelope: Envelope, body: Body, judge: Judge
    ) -> Deferred[Reply]:
        """
        Have it judged, and answer for it.

        The client may hang up meanwhile: what was begun is finished, so that
        a message is either ours and on its way or was never ours.
        """
        answer: Deferred[Reply] = Deferred()
        done = Deferred.fromCoroutine(self._take(session, envelope, body, judge))
        done.addBoth(answer.callback)
        return answer

    async def _take(
        self, session: Session, envelope: Envelope, body: Body, judge: Judge
    ) -> Reply:
        try:
            return await judge(await self._arrival(session, envelope, body))
        except Crowded:
            said = _said(451, "4.3.2", "Too many messages wait, try again", envelope)
        except NoSpace:
            said = _said(452, "4.3.1", "Insufficient system storage", envelope)
        except Exception:
            self._log.failure("{id}: acceptance failed", id=envelope.id)
            said = _said(451, "4.3.0", LOCAL_ERROR, envelope)
        if not self.ledger.suspect:
            # A commit whose sync failed may be there after all at the next
            # start, and its row would name this file.  The sweep finds it.
            self.spool.discard(body)
        self.recorder.broke(session, envelope, body, said)
        return said

    async def _arrival(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Arrival:
        begun = perf_counter()
        head = body.data
        if head is None:
            head = await self.spool.head(body, self.header_size + 1)
        # The disk works while the stages look.  Not before: a body that cannot
        # be synced is gone at once, and there would be no head to read.
        synced = self.spool.sync(body)
        header = read_header(head, self.header_size, self.header_fields)
        return Arrival(session, envelope, body, header, begun, synced)

    async def record(
        self, arrival: Arrival, transaction: Transaction, verdict: Verdict, said: Reply
    ) -> Record:
        """The record of what will be ours, once the disk has its body."""
        await arrival.synced
        return self.recorder.record(transaction, verdict, said, arrival.begun)

    async def signed(self, entry: Entry, header: Header | None = None) -> Entry:
        """
        The same with our signature, if it leaves.

        @param header: see L{Signer.signed}.
        """
        if self.signer is None:
            return entry
        return await self.signer.signed(entry, header)

    async def sealed(self, entry: Entry, header: Header, results: str) -> Entry:
        """
        The same with our word for what we found, if it is forwarded.

        @param results: see L{Signer.sealed}.
        """
        if self.signer is None:
            return entry
        return await self.signer.sealed(entry, header, results)

    async def keep(self, entry: Entry, said: Reply) -> Reply:
        """Make it ours, and say so."""
        await self.commit(entry)
        return said

    async def commit(self, entry: Entry, answers: Sequence[NoticeKey] = ()) -> None:
        """
        Make it ours.

        @param answers: the notices that it says.
        """
        await self.ledger.commit(entry, answers=answers)
        self.afterwards(self.runner.take, entry)
        self.afterwards(self.recorder.log, entry.record)

    def afterwards(self, act: Callable[..., object], *args: object) -> None:
        """
        Do what comes behind the decision.

        It is ours from then on, or never will be, whatever fails: no fault may
        throw the body away, or have the client send it again.
        """
        try:
            act(*args)
        except Exception:
            self._log.failure("a fault behind the decision")

    def refuse(
        self,
        arrival: Arrival,
        transaction: Transaction,
        verdict: Verdict | None,
        said: Reply,
    ) -> Reply:
        """
        It never was ours; what is left of it is its record.

        @param verdict: None when it was refused unseen.
        """
        arrival.synced.addErrback(lambda _: None)
        self.spool.discard(arrival.body)
        record = self.recorder.record(transaction, verdict, said, arrival.begun)
        self.ledger.note(record)
        self.recorder.log(record)
        return said
