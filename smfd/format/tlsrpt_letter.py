"""
A letter with a report on TLS.

Standards: RFC 8460 §5, RFC 6522.
"""

from email.message import EmailMessage
from email.policy import SMTP

from attrs import frozen

from smfd.format.received import date
from smfd.format.tlsrpt import TLSReport

_TEXT = """\
This is a report on TLS, for programs: what came of all connections from
{submitter} to the servers of {domain} on one day.
It is sent because {domain} asks for it in its DNS (_smtp._tls.{domain}).
"""


@frozen
class TLSLetter:
    """
    The letter.

    @ivar submitter: our domain.
    @ivar sender: an address there.
    @ivar recipient: who wants it.
    @ivar domain: whom it is about.
    @ivar at: seconds since the epoch.
    """

    submitter: str
    sender: str
    recipient: str
    domain: str
    report: TLSReport
    at: float

    @property
    def file(self) -> str:
        """RFC 8460 §5.1: the name of the report as a file."""
        span = f"{int(self.report.begin)}!{int(self.report.end)}"
        return f"{self.submitter}!{self.domain}!{span}.json.gz"

    @property
    def despite_tls(self) -> bool:
        """RFC 8460 §3: it arrives whatever is wrong with TLS there."""
        return True

    @property
    def subject(self) -> str:
        """RFC 8460 §5.3."""
        names = f"Report Domain: {self.domain} Submitter: {self.submitter}"
        return f"{names} Report-ID: <{self.report.id}>"

    def written(self) -> bytes:
        """The whole message, CRLF line ends."""
        made = EmailMessage(SMTP)
        made["From"] = f"<{self.sender}>"
        made["To"] = f"<{self.recipient}>"
        made["Subject"] = self.subject
        made["Date"] = date(self.at)
        made["Message-ID"] = f"<{self.report.id}>"
        made["TLS-Report-Domain"] = self.domain
        made["TLS-Report-Submitter"] = self.submitter
        # RFC 3834 §5: nobody answers it.
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(_TEXT.format(submitter=self.submitter, domain=self.domain))
        made.add_attachment(
            self.report.packed(),
            maintype="application",
            subtype="tlsrpt+gzip",
            filename=self.file,
        )
        made.replace_header("Content-Type", "multipart/report")
        made.set_param("report-type", "tlsrpt")
        made.set_param("boundary", f"=_{self.report.id.partition('@')[0]}")
        return bytes(made)
