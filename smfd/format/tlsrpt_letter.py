"""
A letter with a report on TLS.

Standards: RFC 8460 §5, RFC 6522.
"""

from smfd.format.report_letter import ReportLetter
from smfd.format.tlsrpt import TLSReport

_TEXT = """\
This is a report on TLS, for programs: what came of all connections from
{submitter} to the servers of {domain} on one day.
It is sent because {domain} asks for it in its DNS (_smtp._tls.{domain}).
"""


class TLSLetter(ReportLetter[TLSReport]):
    """The letter."""

    #: RFC 8460 §3: or it waits behind the very fault that it tells of.
    despite_tls = True

    @property
    def file(self) -> str:
        """RFC 8460 §5.1: the name of the report as a file."""
        span = f"{int(self.report.begin)}!{int(self.report.end)}"
        return f"{self.submitter}!{self.domain}!{span}.json.gz"

    def written(self) -> bytes:
        """The whole message, CRLF line ends."""
        made = self.opened(_TEXT)
        made["TLS-Report-Domain"] = self.domain
        made["TLS-Report-Submitter"] = self.submitter
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
