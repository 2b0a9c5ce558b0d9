"""
The trace fields we put on top of a message.

Nothing a client said gets in here unescaped: no new field, no new line, no
comment that ends early.

Standards: RFC 5321 §4.4, RFC 3848, RFC 5322 §3.3.
"""

import re
import time
from functools import lru_cache

_ODD = re.compile(r"[^A-Za-z0-9.:\-_\[\]]")
# RFC 5322 §3.2.2: ctext but for brackets, which would tempt readers of addresses.
_UNCOMMON = re.compile(r"[^ !#-'*-;=?-\[\]-~]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]


def plain(text: str, limit: int = 255) -> str:
    """What may stand in a trace field of something a client said."""
    return _ODD.sub("?", text[:limit])


def date(seconds: float) -> str:
    """A date as in RFC 5322 §3.3, in UTC and in English whatever the locale."""
    return _date(int(seconds))


@lru_cache(maxsize=4)  # Thousands of messages come in one second.
def _date(seconds: int) -> str:
    t = time.gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"
    )


def protocol(
    *, extended: bool, tls: bool, utf8: bool, authenticated: bool, lmtp: bool = False
) -> str:
    """The "with" word: RFC 3848, RFC 6531 §4.3."""
    if not extended:
        return "SMTP"
    word = "LMTP" if lmtp else "SMTP" if utf8 else "ESMTP"
    return (
        ("UTF8" if utf8 else "")
        + word
        + ("S" if tls else "")
        + ("A" if authenticated else "")
    )


def received(
    *,
    helo: str,
    client: str,
    by: str,
    word: str,
    id: str,  # noqa: A002 - the clause's own name, RFC 5321 §4.4
    at: float,
    tls: str = "",
    certificate: str = "",
    recipient: str = "",
    account: str = "",
) -> bytes:
    """
    A Received field.

    @param word: see L{protocol}.
    @param client: an IP address; empty for one on this machine.
    @param tls: protocol and cipher, shown as a comment.
    @param certificate: what the client showed, likewise.
    @param recipient: the only one, or "": a list would tell who else got it.
    @param account: who handed it in, by a L{pseudonym
        <smfd.format.pseudonym.pseudonym>}.
    """
    literal = f"[IPv6:{client}]" if ":" in client else f"[{client}]"
    if not client:
        literal = "localhost"
    lines = [f"Received: from {plain(helo) or literal} ({literal})"]
    if account:
        lines.append(f"\t(account {account})")
    if tls:
        lines.append(f"\t(using {_ODD.sub(' ', tls)[:80]})")
    if certificate:
        lines.append(f"\t(client certificate {_shown(certificate)})")
    lines.append(f"\tby {by} with {word} id {id}")
    if recipient:
        lines.append(f"\tfor <{recipient}>")
    return ("\r\n".join(lines) + f";\r\n\t{date(at)}\r\n").encode()


def _shown(certificate: str) -> str:
    """A comment's text; the fingerprint and the word at its end are kept."""
    subject, *rest = certificate.rsplit(" ", 2)
    return " ".join([_UNCOMMON.sub("?", subject)[:200], *rest])


def delivered(sender: str, recipient: str) -> bytes:
    """
    RFC 5321 §4.4: final delivery puts the reverse-path on top.

    @param sender: as text; "" is the null path.
    @param recipient: whose copy it is.
    """
    sender, recipient = _CONTROL.sub("?", sender), _CONTROL.sub("?", recipient)
    return f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode()


def spam_status(
    *,
    spam: bool,
    category: str,
    score: float | None,
    threshold: float | None,
    id: str,  # noqa: A002 - as in the record
) -> bytes:
    """
    What the recipient's programs may sort by.

    It tells no rule's name (C12, S41).
    """
    sum_ = "" if score is None else f" score={score:g} required={threshold or 0:g}"
    yes = "Yes" if spam else "No"
    flag = b"X-Spam-Flag: YES\r\n" if spam else b""
    return flag + f"X-Spam-Status: {yes}, {category}{sum_} id={id}\r\n".encode()
