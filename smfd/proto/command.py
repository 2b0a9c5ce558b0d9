"""
A command line becomes a verb and what it says.

Standards: RFC 5321 §4.1.1, RFC 1870 §6, RFC 6152 §2, RFC 6531 §3.4,
RFC 3461 §4 and §5, RFC 3030 §2, RFC 4954 §5.
"""

import re
from collections.abc import Callable
from typing import Any

from attrs import frozen

from smfd.proto.address import Address, parse_domain, parse_path
from smfd.proto.line import NOT_SMTP
from smfd.proto.phrase import UNKNOWN
from smfd.proto.reply import Malformed, Reply, reply
from smfd.proto.xtext import check_envid, check_orcpt, decode

CONTROL = reply(500, "5.5.2", "Control characters are refused")
EIGHT_BIT = reply(500, "5.5.2", "Only MAIL and RCPT may hold UTF-8")

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# A path ends at the first ">" outside quotes.
_PATH = re.compile(r'<((?>(?:[^">\\]++|"(?>(?:[^"\\]++|\\.)*)")*))>(.*)')
# RFC 5321 §4.1.2: esmtp-param.
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20=\x7f]*))?")
# What is shown in headers and logs must not be taken for something else.
_HELO = re.compile(r"[A-Za-z0-9._:\[\]=+/~@-]{1,255}")
_SIZE = re.compile(r"[0-9]{1,20}")
_HTTP = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
_DSN = {"RET", "ENVID"}
_NOTIFY = {"SUCCESS", "FAILURE", "DELAY"}


@frozen
class Hello:
    """
    EHLO or HELO.

    @ivar extended: it was EHLO.
    """

    name: str
    extended: bool


@frozen
class Mail:
    """
    MAIL FROM.

    @ivar sender: the reverse-path; None is the null path.
    @ivar size: as announced, or None.
    """

    sender: Address | None
    size: int | None = None
    body: str = "7BIT"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""


@frozen
class Rcpt:
    """
    RCPT TO.

    @ivar address: without a domain it is C{<postmaster>}.
    @ivar orcpt: the original recipient as given, or "".
    """

    address: Address
    notify: tuple[str, ...] = ()
    orcpt: str = ""


@frozen
class Bdat:
    """
    One chunk.

    @ivar size: its octets.
    @ivar last: no more follow.
    """

    size: int
    last: bool


def split(line: bytes) -> tuple[str, str] | Reply:
    """Cut a line into its verb, in upper case, and the rest."""
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        return _split_utf8(line)
    if not text.isprintable():
        # RFC 5321 §4.1.1: white space at the end does no harm.
        text = text.rstrip(" \t")
        if not text.isprintable():
            return CONTROL
    verb, _, argument = text.partition(" ")
    return verb.upper(), argument.strip(" ")


def _split_utf8(line: bytes) -> tuple[str, str] | Reply:
    try:
        text = line.decode("utf-8").rstrip(" \t")
    except UnicodeDecodeError:
        return reply(500, "5.5.2", "This is neither ASCII nor UTF-8")
    if _CONTROLS.search(text):
        return CONTROL
    verb, _, argument = text.partition(" ")
    if verb.upper() not in {"MAIL", "RCPT", "EHLO", "HELO"}:
        return EIGHT_BIT
    return verb.upper(), argument.strip(" ")


def unknown(verb: str) -> Reply:
    """What is said to a verb that is none."""
    # What speaks another protocol must not be talked into this one.
    if verb in _HTTP or verb.startswith("SSH-") or verb.endswith(":"):
        return NOT_SMTP
    return UNKNOWN


def parse_hello(argument: str, extended: bool) -> Hello:
    """Read what the client calls itself; it need not be true."""
    if not argument:
        raise Malformed("Say who you are: a domain or an address literal")
    if not _HELO.fullmatch(argument):
        raise Malformed("This is neither a domain nor an address literal")
    if argument[0] == "[":
        try:
            parse_domain(argument)
        except Malformed as problem:
            raise Malformed(str(problem)) from None
    return Hello(argument, extended)


def parse_mail(
    argument: str, dsn: bool = True, smtputf8: bool = True, auth: bool = False
) -> Mail:
    """
    Read the argument of MAIL.

    @param dsn: RET and ENVID are offered.
    @param smtputf8: SMTPUTF8 is.
    @param auth: AUTH is; whom it names is nobody here (RFC 4954 §5).
    """
    path, rest = _cut(argument, "FROM:")
    if not rest:
        return Mail(_sender(path, False))
    offered = {"SIZE", "BODY"}
    for keywords, on in ((_DSN, dsn), ({"SMTPUTF8"}, smtputf8), ({"AUTH"}, auth)):
        offered |= keywords if on else set()
    read: dict[str, Any] = {}
    for keyword, value in _parameters(rest).items():
        if keyword not in offered:
            raise _unknown(keyword)
        read[keyword.lower()] = _MAIL[keyword](value)
    read.pop("auth", None)
    return Mail(_sender(path, "smtputf8" in read), **read)


def parse_rcpt(argument: str, utf8: bool = False, dsn: bool = True) -> Rcpt:
    """
    Read the argument of RCPT.

    @param utf8: MAIL asked for SMTPUTF8.
    @param dsn: NOTIFY and ORCPT are offered.
    """
    path, rest = _cut(argument, "TO:")
    address = parse_path(path, utf8)
    if address is None:
        raise Malformed("The null path receives no mail", "5.1.3")
    if not rest:
        return Rcpt(address)
    notify: tuple[str, ...] = ()
    orcpt = ""
    for keyword, value in _parameters(rest).items():
        if keyword == "NOTIFY" and dsn:
            notify = _notify(value)
        elif keyword == "ORCPT" and dsn:
            orcpt = check_orcpt(value, utf8)
        else:
            raise _unknown(keyword)
    return Rcpt(address, notify, orcpt)


def parse_bdat(argument: str) -> Bdat:
    """Read the argument of BDAT."""
    size, _, last = argument.partition(" ")
    # RFC 3030 §2: chunk-size is digits; end-marker is LAST.
    if not _SIZE.fullmatch(size) or last.strip().upper() not in {"", "LAST"}:
        raise Malformed("Syntax: BDAT octets [LAST]")
    return Bdat(int(size), bool(last))


def _cut(argument: str, keyword: str) -> tuple[str, str]:
    """Cut off the keyword; the path, and the parameters behind it."""
    if argument[: len(keyword)].upper() != keyword:
        raise Malformed(f"Syntax: {keyword}<address> [parameters]")
    # RFC 5321 §3.3 has no space here; many clients send one, harmlessly.
    found = _PATH.fullmatch(argument[len(keyword) :].lstrip(" "))
    if found is None:
        raise Malformed(f"The address needs angle brackets: {keyword}<address>")
    path, rest = found.groups()
    if rest and rest[0] != " ":
        raise Malformed("A space goes between the path and a parameter")
    return path, rest


def _sender(path: str, utf8: bool) -> Address | None:
    try:
        sender = parse_path(path, utf8)
    except Malformed as problem:
        if problem.reply.status != "5.1.3":
            raise
        # RFC 3463 §3.2: X.1.3 is about recipients, X.1.7 about senders.
        raise Malformed(str(problem), "5.1.7") from None
    if sender is not None and not sender.domain:
        raise Malformed("A sender needs a domain", "5.1.7")
    return sender


def _parameters(text: str) -> dict[str, str | None]:
    given: dict[str, str | None] = {}
    for word in text.split():
        found = _PARAMETER.fullmatch(word)
        if found is None:
            raise Malformed("A parameter is not well formed: keyword[=value]")
        keyword = found[1].upper()
        if keyword in given:
            raise Malformed(f"The parameter {keyword[:32]} is given twice")
        given[keyword] = found[2]
    return given


def _unknown(keyword: str) -> Malformed:
    # RFC 5321 §4.1.1.11.
    return Malformed(f"The parameter {keyword[:32]} is not known", code=555)


def _size(value: str | None) -> int:
    # RFC 1870 §3: 1*20DIGIT.
    if not value or not _SIZE.fullmatch(value):
        raise Malformed("SIZE is a number of octets")
    return int(value)


def _body(value: str | None) -> str:
    body = (value or "").upper()
    if body == "BINARYMIME":
        raise Malformed("BODY=BINARYMIME is not offered", code=555)
    if body not in {"7BIT", "8BITMIME"}:
        raise Malformed("BODY is 7BIT or 8BITMIME")
    return body


def _smtputf8(value: str | None) -> bool:
    if value is not None:
        raise Malformed("SMTPUTF8 has no value")
    return True


def _auth(value: str | None) -> str:
    # RFC 4954 §5: an xtext, "<>" for nobody.
    decode(value or "")
    return ""


def _ret(value: str | None) -> str:
    ret = (value or "").upper()
    if ret not in {"FULL", "HDRS"}:
        raise Malformed("RET is FULL or HDRS")
    return ret


def _notify(value: str | None) -> tuple[str, ...]:
    words = tuple((value or "").upper().split(","))
    # RFC 3461 §4.1: NEVER stands alone.
    if words == ("NEVER",):
        return words
    if not set(words) <= _NOTIFY or len(set(words)) < len(words):
        raise Malformed("NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY")
    return words


_MAIL: dict[str, Callable[[str | None], object]] = {
    "SIZE": _size,
    "BODY": _body,
    "SMTPUTF8": _smtputf8,
    "AUTH": _auth,
    "RET": _ret,
    "ENVID": check_envid,
}
