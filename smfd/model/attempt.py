"""What came of one try to hand a message on, as others want to know it."""

from attrs import frozen

from smfd.model.entry import Consignment
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
    """

    time: float
    consignment: Consignment
    host: str
    address: str = ""
    source: str = ""
    tls: str = ""
    answer: Reply | None = None
    why: str = ""

    @property
    def site(self) -> str:
        """The domain that it was for."""
        return self.consignment.recipient.address.rpartition("@")[2]
