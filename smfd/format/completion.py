"""
What a message lacks that a user hands in.

Standards: RFC 6409 §8.2 (Date), §8.3 (Message-ID), RFC 5322 §3.6.
"""

from smfd.format.header import Header
from smfd.format.received import date

#: Fields that nobody but the sender may see (RFC 5322 §3.6.3).
BLIND = ("bcc", "resent-bcc")


def completion(
    header: Header,
    id: str,  # noqa: A002 - as in the record
    hostname: str,
    at: float,
) -> bytes:
    """
    The fields that are missing, CRLF ended; nothing when all are there.

    @param id: names the message; there is no other with it.
    @param at: when it was handed in, seconds since the epoch.
    """
    lines = []
    if "date" not in header.names:
        lines.append(f"Date: {date(at)}\r\n")
    if "message-id" not in header.names:
        lines.append(f"Message-ID: <{id}@{hostname}>\r\n")
    return "".join(lines).encode()
