"""
Complaints: what others' users, or their filters, say of mail that came from us.

All of it is a stranger's: read with limits, believed of nobody.

Standards: RFC 5965, RFC 6591 (reports of failed authentication).
"""

import re
from ipaddress import ip_address

from attrs import frozen

from smfd.format.header import Header, read_header
from smfd.format.parts import Limits, Part, read_parts
from smfd.format.words import clean, to_text

#: Octets of a complaint that are read, and of the header it is about.
LARGEST = 1 << 20
_HEADER = 65_536

#: Names of one kind that are kept, and octets of each.
_MOST, _LONGEST = 20, 320

_LIMITS = Limits(depth=5, parts=50, header=_HEADER, decoded=LARGEST)

_REPORT = "message/feedback-report"
_ABOUT = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/global-headers",
    # RFC 5965 §2: one of these; this one is common all the same.
    "message/rfc822-headers",
)

#: RFC 5965 §3.1 and §7.3, RFC 6591 §3.1.
KINDS = ("abuse", "auth-failure", "fraud", "not-spam", "other", "virus")

_NUMBER = re.compile(r"[0-9]{1,9}")


class NoComplaint(ValueError):
    """It is none, or none that can be read; the text is for people."""


@frozen
class Complaint:
    """
    One complaint, about one message or some that are alike.

    @ivar kind: one of L{KINDS}; what is not known is "other" (RFC 5965 §3.1).
    @ivar source: the IP address that the mail came from, or "".
    @ivar sender: of the envelope, or "".
    @ivar recipients: those who complain; often nobody says.
    @ivar domains: whom it is about, as they see it.
    @ivar incidents: for how many it stands.
    @ivar id: our own name for the message; "" when it does not show one.
    @ivar message_id: that in its header, with its brackets; or "".
    @ivar agent: the program that wrote it.
    """

    kind: str
    source: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    incidents: int = 1
    id: str = ""
    message_id: str = ""
    agent: str = ""


def read_complaint(data: bytes, hostname: str) -> Complaint:
    """
    Read a whole message.

    @param hostname: what we call ourselves in Received.
    @raise NoComplaint: it is none.
    """
    parts = read_parts(data[:LARGEST], _LIMITS).parts
    report = next((part for part in parts if part.type == _REPORT), None)
    if report is None:
        raise NoComplaint("It has no part of the type message/feedback-report.")
    fields = read_header(report.decoded(_HEADER).lstrip(b"\r\n"), _HEADER, 500)
    kind = _first(fields, "feedback-type").lower()
    if not kind:
        raise NoComplaint("It does not say what kind of complaint it is.")
    about = _about(parts[report.number + 1 :])
    incidents = _first(fields, "incidents")
    return Complaint(
        kind if kind in KINDS else "other",
        _ip_address(_first(fields, "source-ip")),
        _bare(_first(fields, "original-mail-from")),
        tuple(_bare(text) for text in _all(fields, "original-rcpt-to")),
        tuple(name.lower() for name in _all(fields, "reported-domain")),
        max(1, int(incidents)) if _NUMBER.fullmatch(incidents) else 1,
        _own_id(about, hostname),
        _message_id(about),
        _first(fields, "user-agent"),
    )


def _about(parts: tuple[Part, ...]) -> Header:
    """The header of the message that it is about; an empty one if there is none."""
    for part in parts:
        if part.type in _ABOUT:
            return read_header(part.decoded(_HEADER).lstrip(b"\r\n"), _HEADER, 500)
    return Header((), 0)


def _own_id(about: Header, hostname: str) -> str:
    """What we called it; RFC 5321 §4.4: the topmost of ours is the true one."""
    name = re.escape(hostname.encode())
    ours = re.compile(rb"\bby\s+" + name + rb"\s+with\s+\w+\s+id\s+([0-9a-z]{16})\b")
    for found in about.all("received"):
        match = ours.search(found.value[:2000])
        if match is not None:
            return match[1].decode()
    return ""


def _message_id(about: Header) -> str:
    text = _text(about.first("message-id"))
    return text if text[:1] == "<" and text[-1:] == ">" and " " not in text else ""


def _first(fields: Header, name: str) -> str:
    return _text(fields.first(name))


def _all(fields: Header, name: str) -> tuple[str, ...]:
    texts = [_text(found.value) for found in fields.all(name)[:_MOST]]
    return tuple(text for text in texts if text)


def _text(value: bytes) -> str:
    return clean(to_text(value[:_LONGEST])[0]).strip()


def _bare(text: str) -> str:
    """An address without its brackets; "<>" is nobody."""
    address = text.strip("<> ")
    return "" if any(c.isspace() for c in address) else address


def _ip_address(text: str) -> str:
    """The address; some write a name behind it."""
    try:
        return str(ip_address(text.partition(" ")[0].removeprefix("IPv6:")))
    except ValueError:
        return ""
