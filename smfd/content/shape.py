"""
Numbers and plain facts about a message, by name, for C{eval:shape} rules.

The names are listed in L{measure}; defects and oddities appear under
C{header-}, C{mime-}, C{url-} and C{attachment-}.
"""

import re
from collections import Counter
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from smfd.content.features import Features, address
from smfd.content.urls import Url, read_urls

_WORD = re.compile(r"[^\W\d_]{3,40}")
_FOREIGN = re.compile("[\u0370-\u03ff\u0400-\u052f]")
_LATIN = re.compile("[A-Za-z]")
_INVISIBLE = re.compile("[\u00ad\u034f\u180e\u200b-\u200d\u2060-\u2064\ufe00-\ufe0f]")
_DOMAIN_SAID = re.compile(
    r"^(?:https?://)?((?:[a-z0-9-]{1,63}\.){1,6}[a-z]{2,24})(?:[/:?#]|$)", re.IGNORECASE
)
_SIGNS = ("$", "€", "£", "USD", "EUR", "GBP")
_MONEY = re.compile(r"(?:[$€£]|USD|EUR|GBP) ?\d{1,3}(?:[.,]\d{3})+")

_LOWER = bytes(range(97, 123))
_UPPER = bytes(range(65, 91))

#: Characters of text that are looked at one by one.
_MOST = 20000


def measure(seen: Features) -> None:
    """
    Fill in the shape of a message.

    C{body-chars html-chars plain-chars urls hosts images forms scripts frames
    hidden-chars comment-chars pixels broken-words link-mismatch
    subject-capitals subject-length mixed-script invisible-chars
    received recipients from-is-to reply-elsewhere name-is-address
    date-shift-hours date-invalid large-sums capitals attachments}.
    """
    shape = seen.shape
    shape.update(_of_text(seen))
    shape.update(_of_page(seen))
    shape.update(_of_header(seen))
    shape.update(_date_shift(seen))
    marks = Counter(mark for found in seen.attachments for mark in found.marks)
    oddities = Counter(oddity for url in seen.urls for oddity in url.oddities)
    shape.update({f"attachment-{mark}": n for mark, n in marks.items()})
    shape.update({f"url-{oddity}": n for oddity, n in oddities.items()})
    shape.update({f"mime-{defect}": 1.0 for defect in seen.parts.defects})
    header = seen.parts.parts[0].header
    shape.update({f"header-{defect}": 1.0 for defect in header.defects})


def _of_text(seen: Features) -> dict[str, float]:
    """Numbers about subject and visible text."""
    text = seen.text[:_MOST]
    subject = seen.subject
    letters = sum(map(str.isalpha, subject))
    capitals = sum(map(str.isupper, subject))
    return {
        "body-chars": len(seen.text),
        "plain-chars": seen.plain,
        "html-chars": seen.html,
        "attachments": len(seen.attachments),
        "subject-length": len(subject),
        "subject-capitals": capitals / letters if letters >= 8 else 0,
        "mixed-script": 0 if text.isascii() else sum(1 for _ in _mixed(text)),
        "invisible-chars": 0 if text.isascii() else len(_INVISIBLE.findall(text)),
        "large-sums": _sums(text),
        "capitals": _shouted(text),
    }


def _sums(text: str) -> int:
    """How many large sums are named."""
    if not any(sign in text for sign in _SIGNS):
        return 0
    return len(_MONEY.findall(text))


def _shouted(text: str) -> float:
    """The share of capital letters, of text that is not short."""
    octets = text.encode("ascii", "ignore")
    lower = len(octets) - len(octets.translate(None, _LOWER))
    upper = len(octets) - len(octets.translate(None, _UPPER))
    return upper / (upper + lower) if upper + lower >= 200 else 0.0


def _mixed(text: str) -> Iterator[str]:
    """Words that are spelled in two scripts at once."""
    for match in _WORD.finditer(text):
        word = match[0]
        if not word.isascii() and _FOREIGN.search(word) and _LATIN.search(word):
            yield word


def _of_page(seen: Features) -> dict[str, float]:
    """Numbers about what HTML shows and hides."""
    page = seen.page
    return {
        "urls": len(seen.urls),
        "hosts": len({url.host for url in seen.urls}),
        "images": page.tags["img"],
        "forms": page.tags["form"],
        "scripts": page.tags["script"],
        "frames": page.tags["iframe"] + page.tags["frame"],
        "hidden-chars": page.hidden,
        "comment-chars": page.comment,
        "pixels": page.pixels,
        "broken-words": page.broken,
        "link-mismatch": sum(1 for _ in _mismatched(seen)),
    }


def _mismatched(seen: Features) -> Iterator[str]:
    """Anchors that say one domain and lead to another."""
    for target, said in seen.page.links[:200]:
        spoken = _DOMAIN_SAID.match(said)
        if spoken is None:
            continue
        urls: tuple[Url, ...] = read_urls([target])
        if urls and _site(urls[0].host) != _site(spoken[1].lower()):
            yield said


def _site(host: str) -> str:
    """The last labels of a host, as far as they name an owner."""
    labels = host.split(".")
    short = len(labels) >= 3 and len(labels[-2]) <= 3 and len(labels[-1]) == 2
    return ".".join(labels[-3 if short else -2 :])


def _of_header(seen: Features) -> dict[str, float]:
    """Numbers about who writes to whom."""
    sender = address(seen.header("from").decode())
    recipients = seen.header("tocc").decode()
    answer = address(seen.header("reply-to").decode())
    name = seen.header("from", "name").decode()
    spoken = address(name) if "@" in name else ""
    return {
        "received": len(seen.parts.parts[0].header.all("received")),
        "recipients": recipients.count("@"),
        "from-is-to": float(bool(sender) and sender == address(recipients)),
        "reply-elsewhere": float(bool(answer) and _domain(answer) != _domain(sender)),
        "name-is-address": float(bool(spoken) and _domain(spoken) != _domain(sender)),
    }


def _domain(mailbox: str) -> str:
    """The site of a mailbox."""
    return _site(mailbox.rpartition("@")[2])


def _date_shift(seen: Features) -> dict[str, float]:
    """Hours from the topmost Received field to Date; later is positive."""
    header = seen.parts.parts[0].header
    stamp = header.first("received").rpartition(b";")[2]
    sent = _time(header.first("date"))
    if sent is None:
        return {"date-invalid": float(bool(header.first("date").strip()))}
    given = seen.given.get("received")
    came = float(given) if given else _time(stamp)
    return {"date-shift-hours": (sent - came) / 3600} if came is not None else {}


def _time(value: bytes) -> float | None:
    """Seconds since the epoch of a date, if it is one."""
    try:
        return parsedate_to_datetime(value[:100].decode("latin-1")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
