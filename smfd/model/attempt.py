"""What came of one try to hand a message on, as others want to know it."""

from attrs import frozen

from smfd.model.entry import Consignment, State, site_of
from smfd.proto.reply import Reply


@frozen
class Attempt:
    """
    One consignment, tried once.

    @ivar time: seconds since the epoch.
    @ivar host: the server that answered, or that was tried; "" when none was.
    @ivar address: its IP address, or "".
    @ivar source: the IP address we came from, or "".
    @ivar tls: "" in the clear, else the version, and how the server was
        verified: "TLSv1.3 dane", "TLSv1.3 sts", "TLSv1.2 opportunistic".
    @ivar answer: what it said; None when it said nothing.
    @ivar why: what went wrong where there is no answer.
    @ivar state: what it came to: DELIVERED, DUE to be tried again, FAILED, or
        HELD where a person must look.
    @ivar port: of the server, or 0.
    @ivar status: the enhanced status code of what it came to, or "".
    @ivar spared: the server was not asked: he has as much of ours as he may.
    @ivar delays: seconds: in the queue, in hand, until there was a connection,
        and for the transaction; none where there was no try.
    """

    time: float
    consignment: Consignment
    host: str
    address: str = ""
    source: str = ""
    tls: str = ""
    answer: Reply | None = None
    why: str = ""
    state: State = State.DUE
    delays: tuple[float, ...] = ()
    port: int = 0
    status: str = ""
    spared: bool = False

    @property
    def site(self) -> str:
        """The domain that it was for."""
        return site_of(self.consignment.recipient.address)
