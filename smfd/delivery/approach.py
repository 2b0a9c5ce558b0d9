"""
The servers of a way, one after the other, until one takes a session.

Standards: RFC 5321 §5.1, §4.2.1.
"""

from attrs import define, field, frozen
from twisted.internet import defer
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.task import deferLater
from twisted.logger import Logger

from smfd.delivery.tlspolicy import TLSPolicies
from smfd.delivery.where import Way
from smfd.delivery.word import (
    BROKEN,
    CLOSED,
    CONGESTED,
    FAULT,
    NOBODY,
    UNSAFE,
)
from smfd.model.hop import NextHop
from smfd.net.smtp_client import Trouble
from smfd.net.smtp_client_open import Hops, Line, NoConnection, NoSession, Stopping
from smfd.net.smtp_client_tls import NotSafe
from smfd.proto.reply import Reply

#: Seconds that we wait for a turn with a server that many speak to.
TURN = 60.0

#: Seconds after which whoever starts anew may try again.
_AGAIN = 1.0


class Busy(Trouble):
    """We speak to that server as much as we may, already."""


@frozen
class Missed:
    """
    Why there is no session.

    @ivar hop: who was tried last.
    @ivar status: see L{Word <smfd.delivery.word.Word>}.
    @ivar greeting: what he said, if he did.
    @ivar wait: seconds until it may be otherwise, where it says nothing of
        the server: others are speaking to him, or we are going.
    """

    hop: NextHop
    why: str
    status: str
    greeting: Reply | None = None
    wait: float = 0.0


class Nobody(Exception):
    """
    Nobody takes a session.

    @ivar missed: why the last one did not.
    """

    def __init__(self, missed: Missed) -> None:
        super().__init__(missed.why)
        self.missed = missed


@define(eq=False)
class Approach:
    """
    Finds somebody to speak to; stays with him as long as he speaks.

    @ivar tls: says how safe it must be.
    @ivar hop: who is spoken to, as he must be.
    """

    way: Way
    hops: Hops
    tls: TLSPolicies | None = None
    hop: NextHop | None = field(default=None, init=False)
    _turns: DeferredSemaphore | None = field(default=None, init=False)
    _line: Line | None = field(default=None, init=False)
    _at: int = field(default=0, init=False)
    _missed: Missed | None = field(default=None, init=False)

    _log = Logger()

    async def line(self) -> Line:
        """
        A connection to the first that takes a session; to be given back.

        @raise Nobody: none does.
        """
        while self._at < len(self.way.hops):
            hop = self.way.hops[self._at]
            try:
                return await self._to(hop)
            except Trouble as error:
                self._missed = _missed(hop, error)
                self._log.info("{hop}: {why}", hop=hop, why=error)
                if self._missed.wait:
                    break
            except Exception as error:
                # Not to be thrown at whoever has sent something already.
                self._log.failure("{hop}: a fault", hop=hop)
                why = f"a fault of ours: {type(error).__name__}"
                self._missed = Missed(hop, why, FAULT)
            self._at += 1
        assert self._missed is not None
        raise Nobody(self._missed)

    def give_back(self) -> None:
        """The connection, if there is one, may be used again."""
        line, self._line = self._line, None
        if line is not None:
            assert self.hop is not None
            self.hops.keep(self.hop, line)
            self._done()

    def hang_up(self) -> None:
        """It may not."""
        line, self._line = self._line, None
        if line is not None:
            line.client.drop()
            self._done()

    @property
    def more(self) -> bool:
        """Whether there is somebody behind the one who is spoken to."""
        return self._at + 1 < len(self.way.hops)

    def pass_over(self, why: str) -> None:
        """Whoever is spoken to breaks it off each time: on to the next."""
        self._missed = Missed(self.way.hops[self._at], why, BROKEN)
        self._at += 1

    async def _to(self, hop: NextHop) -> Line:
        policy, note = self.way.policy, None
        if policy is not None and self.tls is not None:
            hop = await self.tls.hop(hop, policy, self.way.secure)
            note = self.tls.note(policy)
        turns = self.hops.slots(hop)
        await self._turn(turns)
        try:
            line = await self.hops.line(hop, note)
        except BaseException:
            turns.release()
            raise
        self.hop, self._turns, self._line = hop, turns, line
        return line

    async def _turn(self, turns: DeferredSemaphore) -> None:
        turn = turns.acquire()
        if turn.called:
            return
        try:
            await turn.addTimeout(TURN, self.hops.reactor)
        except defer.TimeoutError:
            raise Busy("it is spoken to already, by as many as may") from None
        # Not from within the end of another's turn: a thousand who find nobody
        # there must not cost a thousand times its stack.
        await deferLater(self.hops.reactor, 0.0)

    def _done(self) -> None:
        turns, self._turns = self._turns, None
        assert turns is not None
        turns.release()


def _missed(hop: NextHop, error: Trouble) -> Missed:
    if isinstance(error, Stopping):
        return Missed(hop, str(error), CLOSED, wait=_AGAIN)
    if isinstance(error, NoConnection):
        return Missed(hop, str(error), NOBODY)
    if isinstance(error, NoSession):
        # RFC 5321 §4.2.1 lets 5yz be for ever.  In a greeting it speaks of us,
        # a block list mostly, and of no recipient: his mail waits until that is
        # settled, or its time is over.
        if error.answer is None:
            return Missed(hop, str(error), UNSAFE)
        why = f"it serves nobody now: {error}"
        return Missed(hop, why, CLOSED, error.answer)
    if isinstance(error, Busy):
        return Missed(hop, str(error), CONGESTED, wait=TURN)
    status = UNSAFE if isinstance(error, NotSafe) else BROKEN
    return Missed(hop, str(error), status)
