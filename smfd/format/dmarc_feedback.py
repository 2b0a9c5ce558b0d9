"""
A DMARC aggregate report of ours, and the letter it goes with.

Standards: RFC 7489 §7.2.1.1 and appendix C.
"""

import gzip
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from attrs import frozen

from smfd.format.report_letter import ReportLetter
from smfd.format.words import masked

_TEXT = """\
This is a DMARC aggregate report, for programs: what {submitter} saw in one day
of mail in the name of {domain}.
It is sent because {domain} asks for it in its DNS (_dmarc.{domain}).
"""


@frozen
class Row:
    """
    Messages of one kind.

    @ivar dkim: whether an aligned signature passed; C{spf} likewise.
    @ivar signatures: (result, domain, selector) of each.
    @ivar sender: (result, domain) of SPF, or nothing.
    """

    source: str
    number: int
    disposition: str
    dkim: bool
    spf: bool
    author: str
    signatures: Sequence[tuple[str, str, str]] = ()
    sender: tuple[str, str] | None = None


@frozen
class Feedback:
    """
    A report.

    @ivar id: no other of ours has it.
    @ivar begin: seconds since the epoch; C{end}: the last second of it.
    @ivar policy: tags and values of the domain's record.
    """

    submitter: str
    contact: str
    id: str
    domain: str
    begin: int
    end: int
    policy: Sequence[tuple[str, str]]
    rows: Sequence[Row]

    def xml(self) -> bytes:
        """RFC 7489 appendix C."""
        return "".join(self._lines()).encode("ascii", "xmlcharrefreplace")

    def packed(self) -> bytes:
        """The XML by gzip; the same for the same report."""
        return gzip.compress(self.xml(), mtime=0)

    def _lines(self) -> Iterator[str]:
        yield '<?xml version="1.0" encoding="UTF-8"?>\n<feedback>\n'
        yield "<version>1.0</version>\n"
        span = _element("begin", self.begin) + _element("end", self.end)
        meta = (
            _element("org_name", self.submitter),
            _element("email", self.contact),
            _element("report_id", self.id),
            f"<date_range>{span}</date_range>",
        )
        yield f"<report_metadata>{''.join(meta)}</report_metadata>\n"
        policy = [_element(name, value) for name, value in self.policy]
        published = _element("domain", self.domain) + "".join(policy)
        yield f"<policy_published>{published}</policy_published>\n"
        yield from map(_record, self.rows)
        yield "</feedback>\n"


class DMARCLetter(ReportLetter[Feedback]):
    """The letter; it may wait as any other does."""

    @property
    def file(self) -> str:
        """RFC 7489 §7.2.1.1: the name of the report as a file."""
        unique = self.report.id.partition("@")[0]
        span = f"{self.report.begin}!{self.report.end}"
        return f"{self.submitter}!{self.domain}!{span}!{unique}.xml.gz"

    def written(self, packed: bytes) -> bytes:
        """The whole message, CRLF line ends."""
        made = self.opened(_TEXT)
        made.add_attachment(
            packed, maintype="application", subtype="gzip", filename=self.file
        )
        return bytes(made)


def _record(row: Row) -> str:
    dkim, spf = ("pass" if passed else "fail" for passed in (row.dkim, row.spf))
    evaluated = (
        _element("disposition", row.disposition)
        + _element("dkim", dkim)
        + _element("spf", spf)
    )
    results = [
        _element("domain", domain) + _element("selector", selector)
        if selector
        else _element("domain", domain)
        for _, domain, selector in row.signatures
    ]
    signed = "".join(
        f"<dkim>{named}{_element('result', result)}</dkim>"
        for named, (result, _, _) in zip(results, row.signatures, strict=True)
    )
    result, domain = row.sender or ("none", row.author)
    sender = _element("domain", domain) + _element("result", result)
    return (
        f"<record><row>{_element('source_ip', row.source)}"
        f"{_element('count', row.number)}"
        f"<policy_evaluated>{evaluated}</policy_evaluated></row>"
        f"<identifiers>{_element('header_from', row.author)}</identifiers>"
        f"<auth_results>{signed}<spf>{sender}</spf></auth_results></record>\n"
    )


def _element(name: str, value: str | int) -> str:
    return f"<{name}>{escape(masked(str(value)[:255]))}</{name}>"
