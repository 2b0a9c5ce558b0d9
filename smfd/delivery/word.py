"""What came of one consignment on its way to another server."""

from attrs import frozen

from smfd.model.entry import Consignment
from smfd.model.hop import NextHop
from smfd.model.said import Said
from smfd.proto.answers import words
from smfd.proto.parcel import UNASKED
from smfd.proto.reply import Reply

#: RFC 3463 §3.5: nobody is there, and it came to no end.
NOBODY, BROKEN = "4.4.1", "4.4.2"
#: RFC 3463 §3.4, §3.8: it serves nobody now, or not as safely as it must.
CLOSED, UNSAFE = "4.3.2", "4.7.0"
#: RFC 3463 §3.5: as much as may be, already.
CONGESTED = "4.4.5"
#: A fault of ours.
FAULT = "4.3.0"


@frozen
class Word:
    """
    What came of a consignment: the answer, or why there was none.

    @ivar answer: of the other server, or what stands for it.
    @ivar why: where there is no answer.
    @ivar status: what kind of reason (RFC 3463), where there is no answer.
    @ivar hop: who answered, or was tried last; None when nobody was.
    @ivar tls: as in L{Line <smfd.net.smtp_client_open.Line>}.
    @ivar greeting: what the server said that serves nobody now.
    @ivar of_site: see L{Outcome <smfd.model.entry.Outcome>}.
    @ivar wait: seconds until it makes sense to try again; 0 for who knows.
    @ivar delays: see L{Attempt <smfd.model.attempt.Attempt>}.
    @ivar notifies: the server tells the sender what he asked to be told.
    """

    consignment: Consignment
    answer: Reply | None
    why: str = ""
    status: str = FAULT
    hop: NextHop | None = None
    tls: str = ""
    greeting: Reply | None = None
    of_site: bool = False
    wait: float = 0.0
    delays: tuple[float, ...] = ()
    notifies: bool = False

    @property
    def spared(self) -> bool:
        """Nobody was asked: we hold it back ourselves."""
        return self.answer is None and self.status == CONGESTED

    @property
    def words(self) -> str:
        """The answer or the reason, in a line."""
        return self.why if self.answer is None else words(self.answer)

    @property
    def said(self) -> Said:
        """The same with who said it."""
        host = self.hop.host or self.hop.path if self.hop else ""
        address = self.hop.address if self.hop else ""
        if self.answer is None:
            return Said(self.status, self.why, 0, host, address)
        answer = self.answer
        # RFC 3463 §3.1: nothing more is known than the class.
        status = answer.status or f"{answer.code // 100}.0.0"
        text = " / ".join(answer.lines)[:1000]
        code = 0 if answer in UNASKED else answer.code
        return Said(status, text, code, host, address)
