"""
Ask a next hop whether it knows a recipient, and send it nothing.

Standards: RFC 5321 §3.3, RFC 3463 §3.2.
"""

from attrs import frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from smfd.model.hop import NextHop, Verification
from smfd.net.smtp_client import Trouble
from smfd.net.smtp_client_open import Hops
from smfd.proto.client import Unwilling, question
from smfd.proto.reply import Reply


@frozen
class Callout:
    """
    Asks, within one deadline for all of it.

    @ivar hops: its connections; not those that mail goes by, so that neither
        waits for the other.
    @ivar seconds: until we are unsure.
    """

    hops: Hops
    seconds: float = 10.0

    def verify(self, hop: NextHop, address: str) -> Deferred[Verification]:
        """Whether the hop would take mail for an address; never fails."""
        d = Deferred.fromCoroutine(self._verify(hop, address))
        d.addTimeout(self.seconds, self.hops.reactor)
        return d.addErrback(_unsure)

    async def _verify(self, hop: NextHop, address: str) -> Verification:
        slots = self.hops.slots(hop)
        await slots.acquire()
        try:
            line = await self.hops.line(hop)
            try:
                script = question(address, line.skills)
                answer: Reply = await line.client.say(script, self.seconds)
            except BaseException:
                line.client.drop()
                raise
            await line.client.leave()
            return meaning(answer)
        finally:
            slots.release()


def meaning(answer: Reply) -> Verification:
    """
    What the answer to RCPT says of the recipient.

    A refusal for reasons of policy, or for want of room, says nothing of him.
    """
    if 200 <= answer.code < 300:
        return Verification.KNOWN
    if answer.code < 500 or answer.code == 552:
        return Verification.UNSURE
    if answer.status and not answer.status.startswith("5.1."):
        return Verification.UNSURE
    return Verification.UNKNOWN


def _unsure(failure: Failure) -> Verification:
    failure.trap(Trouble, Unwilling, defer.TimeoutError, defer.CancelledError)
    return Verification.UNSURE
