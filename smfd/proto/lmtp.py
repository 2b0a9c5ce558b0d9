"""
The server's side of an LMTP conversation, without a network.

It is SMTP's but for the greeting, and for the answer to a message: there is
one for each recipient that was accepted, in their order.

Standards: RFC 2033.
"""

from smfd.proto import phrase
from smfd.proto.event import Event
from smfd.proto.extension import Offer
from smfd.proto.limits import Limits
from smfd.proto.reply import Replies, Reply
from smfd.proto.server import ServerMachine, Step


class LMTPMachine(ServerMachine):
    """
    One conversation.

    The answer to a message may be L{Replies}, one for each recipient; another
    reply is said to every one of them.
    """

    hello_first = phrase.LHLO_FIRST
    help = phrase.LMTP_HELP

    __slots__ = ("_owed",)

    def __init__(self, limits: Limits, offer: Offer, secure: bool = False) -> None:
        super().__init__(limits, offer, secure)
        self._owed = 1

    def answer(self, answer: Reply) -> bytes:
        """Close the open question; what to send for it."""
        owed, self._owed = self._owed, 1
        octets = super().answer(answer)
        # Who hangs up says so once.
        return octets if self.closed or isinstance(answer, Replies) else octets * owed

    def _arrived(self) -> Event:
        # RFC 2033 §4.2: after the end of DATA, and after the last BDAT.
        if self._transfer.last:
            self._owed = max(1, self._recipients)
        return super()._arrived()


def _table() -> dict[str, tuple[Step, ...]]:
    said = {phrase.HELLO_FIRST: phrase.LHLO_FIRST}
    table = {
        verb: tuple(said.get(s, s) if isinstance(s, Reply) else s for s in steps)
        for verb, steps in ServerMachine.table.items()
        # RFC 2033 §4.1: neither is known here.
        if verb not in {"EHLO", "HELO"}
    }
    table["LHLO"] = ServerMachine.table["EHLO"]
    return table


LMTPMachine.table = _table()
