"""
What a sender is told of his message: a delivery status notification.

For people first, then for programs, then what it is about.  All that others
said, servers and senders, may be hostile: nothing of it begins a line, a field
or a part.

Standards: RFC 3461 §6, RFC 3464, RFC 6522, RFC 6533, RFC 3834 §5.
"""

from collections.abc import Callable, Iterator, Sequence
from email.header import Header as Words

from attrs import frozen

from smfd.format.dsn_words import meaning
from smfd.format.header import read_header
from smfd.format.received import date
from smfd.format.words import clean, decode_words, masked

#: Octets of the original's header, or of all of it, that are given back (R55).
RETURNED = 40_000

#: The most recipients that are named to people; programs get all.
_NAMED = 100

_SUBJECTS = {
    "failed": "Not delivered",
    "delayed": "Not delivered yet",
    "delivered": "Delivered",
    "relayed": "Passed on",
    "expanded": "Delivered to a list",
}

_OPENINGS = {
    "failed": "Your message was not delivered to {whom}, and is not tried again:",
    "delayed": "Your message is not delivered to {whom} yet. You need not do "
    "anything: it is tried again and again.",
    "delivered": "Your message was delivered to {whom}:",
    "relayed": "Your message was passed on for {whom}, to a server that does not "
    "say what becomes of it. You will hear no more of it:",
    "expanded": "Your message was delivered to {whom}, behind which are others:",
}


@frozen
class Original:
    """
    The message that it is about.

    @ivar id: our name for it.
    @ivar sender: who is told; not empty.
    @ivar received: when it came, seconds since the epoch.
    @ivar header: CRLF line ends, without the empty line.
    @ivar body: the rest, when the sender wants it back and it is small; else None.
    @ivar envid: the sender's name for it (RFC 3461 §4.4), decoded, or "".
    """

    id: str
    sender: str
    received: float
    header: bytes
    body: bytes | None = None
    envid: str = ""


@frozen
class Report:
    """
    What became of one recipient.

    @ivar action: "failed", "delayed", "delivered", "relayed" or "expanded"
        (RFC 3464 §2.3.3).
    @ivar time: when, seconds since the epoch.
    @ivar status: an enhanced status code, RFC 3463.
    @ivar code: of the reply; 0 when there was none.
    @ivar text: its words, or ours.
    @ivar host: the server that said so, or that was tried; or "".
    @ivar until: when delayed, how long it is tried; else 0.
    @ivar original: the recipient as the sender wrote him, address type and
        address, decoded (RFC 3461 §4.2); or None.
    """

    address: str
    action: str
    time: float
    status: str
    code: int = 0
    text: str = ""
    host: str = ""
    until: float = 0.0
    original: tuple[str, str] | None = None

    @property
    def reply(self) -> str:
        """The words as they were said, with code and status; "" for no reply."""
        if not self.code:
            return ""
        # RFC 3463 §3.1: a status without detail is ours, for a reply without any;
        # of another class than the code, it is of what came of it.
        own = self.status[:1] != str(self.code)[0] or self.status.endswith(".0.0")
        return f"{self.code} {'' if own else f'{self.status} '}{self.text}"


#: What brought a report about; see L{meaning <smfd.format.dsn_words.meaning>}.
Cause = Callable[[Report], str]


def _unknown(report: Report) -> str:
    return ""


def dsn(
    *,
    hostname: str,
    postmaster: str,
    id: str,  # noqa: A002 - as in the record
    at: float,
    original: Original,
    reports: Sequence[Report],
    remark: str = "",
    cause: Cause = _unknown,
) -> bytes:
    """
    The whole message, CRLF line ends; its envelope has the null sender.

    It is ASCII but for what is given back, unless the sender's address is not:
    then it is an internationalized message (RFC 6533).

    @param postmaster: the address of people who can help.
    @param at: seconds since the epoch.
    @param reports: at least one.
    @param remark: what else people should know.
    @param cause: asked of those who are named to people.
    """
    utf8 = not original.sender.isascii()
    about = read_header(original.header, RETURNED)
    subject = decode_words(about.first("subject"), 500)[:200]
    hello = f"This is the mail system at {hostname}."
    told = (*_named(reports, cause), *_about(original, subject, remark))
    parts = [
        _people((hello, "", *told)),
        _programs(hostname, original, reports, utf8),
        _returned(original),
    ]
    boundary = _boundary(id, parts)
    head = [
        f"From: Mail Delivery System <{_line(postmaster)}>",
        f"To: <{_line(original.sender, 400)}>",
        f"Subject: {_words(f'{_SUBJECTS[_first(reports)]}: {subject}', 'Subject')}",
        f"Date: {date(at)}",
        f"Message-ID: <{id}@{hostname}>",
        *_thread(about.first("message-id")),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{boundary}"',
    ]
    between = f"\r\n--{boundary}\r\n".encode()
    whole = "\r\n".join(head).encode() + b"\r\n\r\nThis is a MIME message.\r\n"
    return whole + between + between.join(parts) + f"\r\n--{boundary}--\r\n".encode()


def _first(reports: Sequence[Report]) -> str:
    """The gravest of what is told."""
    actions = {report.action for report in reports}
    return next(action for action in _SUBJECTS if action in actions)


def _people(lines: Sequence[str]) -> bytes:
    text = "\r\n".join(lines)
    charset = "us-ascii" if text.isascii() else "utf-8"
    head = (
        f"Content-Type: text/plain; charset={charset}\r\n"
        f"Content-Transfer-Encoding: {_encoding(text.isascii())}\r\n"
        "Content-Description: Notification\r\n\r\n"
    )
    return head.encode() + text.encode() + b"\r\n"


def _about(original: Original, subject: str, remark: str) -> Iterator[str]:
    yield "The message it is about:"
    yield ""
    yield from _wrapped(f"Subject:  {subject or '(none)'}", "    ")
    yield f"    Received: {date(original.received)}"
    yield f"    Number:   {original.id}"
    if remark:
        yield ""
        yield from _wrapped(remark, "")


def _named(reports: Sequence[Report], cause: Cause) -> Iterator[str]:
    """The gravest first."""
    for action in _SUBJECTS:
        of_it = [report for report in reports if report.action == action]
        if of_it:
            yield from _told(action, of_it, cause)


def _told(action: str, reports: Sequence[Report], cause: Cause) -> Iterator[str]:
    whom = "one recipient" if len(reports) == 1 else f"{len(reports)} recipients"
    yield from _wrapped(_OPENINGS[action].format(whom=whom), "")
    yield ""
    for report in reports[:_NAMED]:
        yield f"<{_line(report.address, 400)}>"
        if report.original is not None and report.original[1] != report.address:
            yield f"    (you wrote to {_line(report.original[1])})"
        yield from _explained(report, cause)
        yield ""
    if len(reports) > _NAMED:
        yield f"... and {len(reports) - _NAMED} more; the next part names them all."
        yield ""


def _explained(report: Report, cause: Cause) -> Iterator[str]:
    if report.action in ("failed", "delayed"):
        said = meaning(report.status, cause(report))
        words = said.what if report.action == "delayed" else f"{said.what} {said.next}"
        yield from _wrapped(words, "    ")
    if report.until:
        yield f"    It is tried until {date(report.until)}."
    if report.text and report.action in ("failed", "delayed"):
        who = f"The server {_line(report.host)} said" if report.host else "In detail"
        if report.host and not report.code:
            who = f"With the server {_line(report.host)}"
        yield from _wrapped(f"{who}: {report.reply or report.text}", "    ")


def _programs(
    hostname: str, original: Original, reports: Sequence[Report], utf8: bool
) -> bytes:
    """RFC 3464 §2: fields of the message, then those of each recipient."""
    fields = []
    if original.envid:
        fields.append(_field("Original-Envelope-Id", original.envid))
    fields += [
        _field("Reporting-MTA", f"dns; {hostname}"),
        _field("Arrival-Date", date(original.received)),
    ]
    groups = ["\r\n".join(fields)]
    groups += ["\r\n".join(_recipient(r, original.id, utf8)) for r in reports]
    # RFC 6533 §4: the type for what has UTF-8 in it.
    kind = "global-delivery-status" if utf8 else "delivery-status"
    text = "\r\n\r\n".join(groups) + "\r\n"
    head = (
        f"Content-Type: message/{kind}\r\n"
        f"Content-Transfer-Encoding: {_encoding(text.isascii())}\r\n"
        "Content-Description: Delivery report\r\n\r\n"
    )
    return (head + text).encode()


def _recipient(report: Report, name: str, utf8: bool) -> Iterator[str]:
    if report.original is not None:
        kind, address = report.original
        # RFC 3464 §2.3.1: as the sender wrote it.
        yield _address("Original-Recipient", kind, address, utf8)
    yield _address("Final-Recipient", "rfc822", report.address, utf8)
    yield _field("Action", report.action)
    yield _field("Status", report.status)
    if report.host:
        yield _field("Remote-MTA", f"dns; {report.host}")
    if report.code:
        yield _field("Diagnostic-Code", f"smtp; {report.reply}")
    elif report.text:
        yield _field("Diagnostic-Code", f"x-smfd; {report.text}")
    yield _field("Last-Attempt-Date", date(report.time))
    yield _field("Final-Log-Id", name)
    if report.until:
        yield _field("Will-Retry-Until", date(report.until))


def _address(name: str, kind: str, address: str, utf8: bool) -> str:
    """RFC 6533 §3: what is not ASCII has a type of its own, and two spellings."""
    if kind in ("rfc822", "utf-8"):
        kind = "rfc822" if address.isascii() else "utf-8"
    if not utf8 and not address.isascii():
        spelled = (c if c.isascii() else f"\\x{{{ord(c):02X}}}" for c in address)
        address = "".join(spelled)
    return _field(name, f"{kind}; {address}", utf8)


def _field(name: str, value: str, utf8: bool = False) -> str:
    """One field, folded; nothing in it begins another."""
    text = _line(value)
    if not utf8:
        text = text.encode("ascii", "replace").decode()
    return "\r\n ".join(_lines(f"{name}: {text}"))


def _returned(original: Original) -> bytes:
    """
    What it is about: its header, or all of it.

    RFC 3461 §4.3: RET=FULL asks for the whole; what is large comes as a header.
    """
    header, body = original.header, original.body
    if len(header) > RETURNED:
        header = header[: header.rfind(b"\r\n", 0, RETURNED) + 2]
        body = None
    if body is not None and len(header) + len(body) > RETURNED:
        body = None
    kind = _kind(header, body is not None)
    whole = header if body is None else header + b"\r\n" + body
    head = (
        f"Content-Type: {kind}\r\n"
        f"Content-Transfer-Encoding: {_encoding(whole.isascii())}\r\n"
        "Content-Description: The message it is about\r\n\r\n"
    )
    return head.encode() + whole


def _kind(header: bytes, whole: bool) -> str:
    """RFC 6533 §4: one name for ASCII and broken headers, another for UTF-8."""
    plain = header.isascii() or not _is_utf8(header)
    if whole:
        return "message/rfc822" if plain else "message/global"
    return "text/rfc822-headers" if plain else "message/global-headers"


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def _encoding(plain: bool) -> str:
    return "7bit" if plain else "8bit"


def _boundary(name: str, parts: Sequence[bytes]) -> str:
    """RFC 2046 §5.1.1: it stands in no part, whoever wrote what is in there."""
    number = 0
    while True:
        boundary = f"={number}={name}="
        if not any(boundary.encode() in part for part in parts):
            return boundary
        number += 1


def _thread(message_id: bytes) -> Iterator[str]:
    """RFC 3834 §3.1.6: readers show it beside the message it is about."""
    name = message_id.strip()
    if name[:1] == b"<" and name[-1:] == b">" and len(name) <= 250:
        text = name.decode("ascii", "replace")
        if text.isascii() and text.isprintable() and " " not in text:
            yield f"In-Reply-To: {text}"
            yield f"References: {text}"


def _words(text: str, name: str) -> str:
    """A field's text: encoded where it must be (RFC 2047), and folded."""
    if text.isascii() and text.isprintable():
        return "\r\n ".join(_lines(text))
    whole = _line(text)
    return Words(whole, "utf-8", 70, name).encode(linesep="\r\n")


def _lines(text: str, width: int = 76) -> list[str]:
    """Lines of so many characters, broken at spaces; a longer word stays whole."""
    lines = []
    text = text.strip()
    while len(text) > width:
        end = text.rfind(" ", 0, width + 1)
        if end < 0:
            end = text.find(" ", width)
        if end < 0:
            break
        lines.append(text[:end].rstrip())
        text = text[end:].lstrip()
    lines.append(text)
    return lines


def _wrapped(text: str, indent: str) -> list[str]:
    """Lines for people; none is longer than a line may be."""
    width = 76 - len(indent)
    return [
        indent + line[start : start + width]
        for line in _lines(_line(text, 2000), width)
        for start in range(0, len(line), width)
    ]


def _line(text: str, most: int = 900) -> str:
    """One line without controls and half characters, of so many octets at most."""
    text = text[:most]
    if text.isascii() and text.isprintable():
        return text
    octets = text.encode("utf-8", "replace")[:most]
    return masked(clean(octets.decode("utf-8", "ignore")))
