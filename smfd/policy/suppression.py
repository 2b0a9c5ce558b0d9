"""
When to stop writing to an address that does not exist.

Who goes on writing to addresses that are not there looks like a spammer with a
bought list.  But a server that is ill for an hour may say of all its users that
they are unknown: so the first word of it is believed for a day, and only the
second for a month.
"""

from attrs import frozen

from smfd.model.cause import Cause, Kind
from smfd.proto.reply import Reply

#: Seconds that the first clear word is believed.
ONCE = 86_400.0

#: Seconds; the same said again within them is the same word.
_SAME = 3600.0

#: RFC 2142 §4, §5: who looks after a domain can always be written to.
_ROLES = frozenset(
    ("postmaster", "abuse", "hostmaster", "webmaster", "noc", "security")
)

#: RFC 3463 §3.2, RFC 7505 §4: statuses that say nothing else.
_CLEAR = ("5.1.1", "5.1.10")


@frozen
class Suppressed:
    """
    An address that was unknown.

    @ivar times: how often, at different times.
    @ivar last: when it was last.
    @ivar ends: until when nothing is sent there; not after C{last}: never was.
    @ivar why: what they said.
    """

    times: int
    last: float
    ends: float
    why: str


def is_hard(cause: Cause, recipient: str) -> bool:
    """Whether a refusal says that the address does not exist."""
    return (
        cause.kind is Kind.UNKNOWN_RECIPIENT
        and cause.permanent
        and recipient.rpartition("@")[0].lower() not in _ROLES
    )


def again(
    known: Suppressed | None,
    answer: Reply,
    why: str,
    now: float,
    month: float = 30 * 86_400.0,
) -> Suppressed:
    """
    It was unknown just now.

    @param known: what was known of it.
    @param month: seconds that the second word is believed, and the first
        remembered.
    """
    if known is None or not known.last <= now < known.last + month:
        ends = now + ONCE if answer.status in _CLEAR else 0.0
        return Suppressed(1, now, ends, why)
    if now < known.last + _SAME:
        return known
    return Suppressed(known.times + 1, now, now + month, why)
