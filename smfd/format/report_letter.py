"""
Letters with reports, for programs.

Standards: RFC 7489 §7.2.1.1 (DMARC), RFC 8460 §5.3 (TLS).
"""

from email.message import EmailMessage
from email.policy import SMTP
from typing import ClassVar, Generic, Protocol, TypeVar

from attrs import frozen

from smfd.format.received import date


class Reported(Protocol):
    """What a letter brings."""

    @property
    def id(self) -> str:
        """No other of ours has it; it is the letter's Message-ID."""


R = TypeVar("R", bound=Reported)


@frozen
class ReportLetter(Generic[R]):
    """
    A letter.

    @ivar sender: an address of ours.
    @ivar recipient: who wants it.
    @ivar submitter: what we are called in it.
    @ivar domain: whom it is about.
    @ivar at: seconds since the epoch.
    @cvar despite_tls: whether it must arrive whatever is wrong with TLS there.
    """

    sender: str
    recipient: str
    submitter: str
    domain: str
    report: R
    at: float
    despite_tls: ClassVar[bool] = False

    @property
    def subject(self) -> str:
        """RFC 7489 §7.2.1.1, RFC 8460 §5.3: programs read it."""
        names = f"Report Domain: {self.domain} Submitter: {self.submitter}"
        return f"{names} Report-ID: <{self.report.id}>"

    def opened(self, text: str) -> EmailMessage:
        """
        The message, its report not yet in it.

        @param text: for people; C{{submitter}} and C{{domain}} are filled in.
        """
        made = EmailMessage(SMTP)
        made["From"] = f"<{self.sender}>"
        made["To"] = f"<{self.recipient}>"
        made["Subject"] = self.subject
        made["Date"] = date(self.at)
        made["Message-ID"] = f"<{self.report.id}>"
        # RFC 3834 §5: nobody answers it.
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(text.format(submitter=self.submitter, domain=self.domain))
        return made
