"""
A letter from the house to one of its people.

Standards: RFC 5322, RFC 3834 §5 (nobody answers it).
"""

from email.message import EmailMessage
from email.policy import SMTP

from smfd.format.received import date


def letter(
    *,
    hostname: str,
    recipient: str,
    subject: str,
    text: str,
    id: str,  # noqa: A002 - as in the record
    at: float,
) -> bytes:
    """
    The whole message, CRLF line ends.

    @param recipient: a mailbox here; the letter is from its postmaster.
    @param subject: any characters; it becomes one line, 200 of them at most.
    @param text: what people read; lines end with a line feed.
    @param at: seconds since the epoch.
    """
    domain = recipient.rpartition("@")[2]
    made = EmailMessage(SMTP.clone(utf8=not recipient.isascii()))
    made["From"] = f"Mail system <postmaster@{domain}>"
    made["To"] = f"<{recipient}>"
    made["Subject"] = _plain(" ".join(subject.split()))[:200]
    made["Date"] = date(at)
    made["Message-ID"] = f"<{id}@{hostname}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(_plain(text))
    return bytes(made)


def _plain(text: str) -> str:
    """What can be written: no half characters, and no control but line ends."""
    whole = text.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in whole)
