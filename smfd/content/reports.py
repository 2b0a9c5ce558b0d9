"""The jobs "dmarc" and "complaint": reports that come by mail."""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from attrs import asdict

from smfd.content.tls_reports import is_tls_report, tls_reports
from smfd.format.arf import NoComplaint, read_complaint
from smfd.format.dmarc_report import LARGEST, NoReport, read_report
from smfd.format.header import read_header
from smfd.format.parts import Part, read_parts

#: Octets of an attachment, reports in a message, and files in an archive.
_ATTACHED = 4 << 20
_REPORTS = 5

#: Octets of XML that are read of one message, and attachments that are none: time
#: is as short for what is no report.
_READ, _WRONG = 2 * LARGEST, 20

#: How many times longer a file may become: XML of many equal rows shrinks well,
#: but not like this.
_RATIO = 400

#: Our own word on who wrote the message.
_PROVEN = re.compile(rb"; *dmarc=pass[^;]* header\.from=([A-Za-z0-9._-]{1,253})")

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"


def read_reports(message: bytes, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """
    Read the reports in a message.

    @param arguments: C{hostname}: what we call ourselves: our word on the
        sender is at the top.
    @return: C{reports}; C{tls}: those on TLS, as JSON; C{sender}: the domain
        that is proven to have sent them, or ""; C{wrong}: why something could
        not be read.
    """
    tls, wrong = tls_reports(message)
    reports, read = [], 0
    for part in _attached(message):
        try:
            for xml in _unpacked(part.decoded(_ATTACHED + 1)):
                read += len(xml)
                reports.append(asdict(read_report(xml)))
        except NoReport as why:
            wrong.append(str(why))
        if len(reports) >= _REPORTS or len(wrong) >= _WRONG or read > _READ:
            break
    return {
        "reports": reports[:_REPORTS],
        "tls": tls,
        "sender": _sender(message, str(arguments["hostname"])),
        "wrong": wrong[:_REPORTS],
    }


def complaint(message: bytes, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """
    Read the complaint that a message is.

    @param arguments: C{hostname}, as above.
    @return: C{id}: our own name for the message it is about, or ""; C{kind}: as
        in L{Complaint <smfd.format.arf.Complaint>}; C{sender} as above.
    """
    hostname = str(arguments["hostname"])
    try:
        found = read_complaint(message, hostname)
    except NoComplaint as why:
        return {"id": "", "kind": "", "sender": "", "wrong": [str(why)]}
    sender = _sender(message, hostname)
    return {"id": found.id, "kind": found.kind, "sender": sender, "wrong": []}


def _attached(message: bytes) -> Iterator[Part]:
    """What could be a report: it is no text for people."""
    for part in read_parts(message).leaves():
        if is_tls_report(part):
            continue
        if part.type not in ("text/plain", "text/html") or _is_xml(part):
            yield part


def _is_xml(part: Part) -> bool:
    return any(name.lower().endswith(".xml") for name in part.names)


def _unpacked(data: bytes) -> Iterator[bytes]:
    """The XML, whatever it is packed in: the first octets say it."""
    if len(data) > _ATTACHED:
        raise NoReport("it is too large")
    if data.startswith(_GZIP):
        yield _gunzipped(data)
    elif data.startswith(_ZIP):
        yield from _unzipped(data)
    elif data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        yield data


def _gunzipped(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        xml = unpacker.decompress(data, _most(len(data)) + 1)
    except zlib.error as error:
        raise NoReport(f"it cannot be unpacked: {error}") from None
    return _bounded(xml, len(data))


def _unzipped(data: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for member in archive.infolist()[:_REPORTS]:
                with archive.open(member) as file:
                    yield _bounded(file.read(_most(len(data)) + 1), len(data))
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
    ) as error:
        raise NoReport(f"it cannot be unpacked: {error}"[:200]) from None


def _most(packed: int) -> int:
    return min(LARGEST, packed * _RATIO + 65536)


def _bounded(xml: bytes, packed: int) -> bytes:
    if len(xml) > _most(packed):
        raise NoReport("it is too large once it is unpacked")
    return xml


def _sender(message: bytes, hostname: str) -> str:
    """Whom our own Authentication-Results, on top of all, names as proven."""
    value = read_header(message[:65536]).first("authentication-results")
    ours, _, rest = value.strip().partition(b";")
    if ours.strip().lower() != hostname.lower().encode():
        return ""
    found = _PROVEN.search(b"; " + b" ".join(rest.split()))
    return found[1].decode().lower() if found else ""
