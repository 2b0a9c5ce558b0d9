"""
Times as people write and read them.

Standards: RFC 3339 (a profile of ISO 8601).
"""

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])\Z")
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
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str, now: float) -> float:
    """
    Read a time: C{2026-03-30T12:00:00Z}, C{2026-03-30}, or C{2h} ago.

    Without a zone it is UTC.

    @raise ValueError: with a sentence.
    """
    written = text.strip()
    ago = _AGO.match(written)
    if ago:
        span = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return now - span.total_seconds()
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text[:80]!r} is not a time: write 2026-03-30, 2026-03-30T12:00:00Z,"
            " or 2h, 3d for how long ago."
        ) from None
