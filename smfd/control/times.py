"""
Times as people write and read them.

Standards: RFC 3339 (a profile of ISO 8601).
"""

import re
from datetime import UTC, datetime, timedelta

from smfd.model.directory import Refused

#: Days that can be looked back.
FARTHEST = 400

_SPAN = re.compile(r"(\d{1,6})\s*([smhdw])\Z")
_UNITS = {
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
}


def utc(seconds: float) -> str:
    """Seconds since the epoch as C{2026-03-30T12:00:00Z}."""
    try:
        time = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        time = datetime.fromtimestamp(0, UTC)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def span(seconds: int) -> str:
    """So much time as people say it, rounded up: C{90 seconds}, C{25 hours}."""
    for size, unit in (3600, "hours"), (60, "minutes"):
        if seconds > 2 * size:
            return f"{-(-seconds // size)} {unit}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def check_days(days: int) -> None:
    """
    Check how far back somebody wants to look.

    @raise Refused: not at all, or too far.
    """
    if not 1 <= days <= FARTHEST:
        raise Refused(
            "invalid", f"{days} days cannot be shown.", f"Write 1 to {FARTHEST}."
        )


def moment(text: str, now: float, *, ahead: bool = False) -> float | None:
    """
    Read a time: C{2026-03-30T12:00:00Z}, C{2026-03-30}, or C{2h} ago.

    Without a zone it is UTC.

    @param ahead: C{2h} is in two hours.
    @return: seconds since the epoch, or None when nothing is written.
    """
    written = text.strip()
    if not written:
        return None
    span = _SPAN.match(written)
    if span:
        seconds = timedelta(**{_UNITS[span[2]]: int(span[1])}).total_seconds()
        return now + seconds if ahead else now - seconds
    try:
        read = datetime.fromisoformat(written)
        if read.tzinfo is None:
            read = read.replace(tzinfo=UTC)
        return read.timestamp()
    except (ValueError, OverflowError):
        raise Refused(
            "invalid",
            f"{text[:80]!r} is not a time.",
            "Write 2026-03-30, 2026-03-30T12:00:00Z, or 2h, 3d for "
            + ("how long from now." if ahead else "how long ago."),
        ) from None
