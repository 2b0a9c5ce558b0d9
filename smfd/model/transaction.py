"""One message on its way through the house, RFC 5321 §3.3."""

from enum import Enum

from attrs import field, frozen

from smfd.format.header import Header
from smfd.model.envelope import Envelope
from smfd.model.finding import Finding
from smfd.model.session import Session


class Flow(Enum):
    """Where a message comes from and goes to; chooses the stages."""

    # Members are one of a kind; Enum itself would hash their names, in Python.
    __hash__ = object.__hash__

    INBOUND = "inbound"
    LOCAL = "local"
    OUTBOUND = "outbound"


@frozen(slots=False)
class Body:
    """
    The message as received: CRLF line ends, dots unstuffed.

    @ivar size: octets.
    @ivar data: the octets themselves, when they are few.
    @ivar path: else the spool file that holds them.
    @ivar crc: their CRC-32 when it was taken, to know them again by.
    """

    size: int
    data: bytes | None = None
    path: str = ""
    crc: int | None = field(default=None, eq=False)


@frozen(slots=False)
class Transaction:
    """
    What the stages look at.

    @ivar id: names the message in the reply, the log and the record.
    @ivar header: the header fields, read with limits.
    @ivar findings: what the stages before reported.
    """

    id: str
    flow: Flow
    received: float
    session: Session
    envelope: Envelope
    body: Body
    header: Header
    findings: tuple[Finding, ...] = ()

    def found(self, *findings: Finding) -> "Transaction":
        """The same with more findings."""
        return self.weighed((*self.findings, *findings))

    def weighed(self, findings: tuple[Finding, ...]) -> "Transaction":
        """The same with other findings.  (Twice as fast as C{attrs.evolve}.)"""
        return Transaction(
            self.id,
            self.flow,
            self.received,
            self.session,
            self.envelope,
            self.body,
            self.header,
            findings,
        )
