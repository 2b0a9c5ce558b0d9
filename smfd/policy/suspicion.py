"""
What makes an account look like a thief's: what it used, and what it may.
"""

from smfd.model.quota import Allowance
from smfd.policy.quota import (
    BREACHES,
    COMPLAINTS,
    IDENTICAL,
    NETWORKS,
    NEW_RECIPIENTS,
    Meter,
    Taken,
)

#: What makes an account suspicious: its meter, the limit, and how it is said.
_SIGNS: tuple[tuple[Meter, str, str], ...] = (
    (BREACHES, "hold_breaches", "it asked for too much {n:g} times"),
    (
        NEW_RECIPIENTS,
        "hold_new_recipients",
        "it wrote to {n:g} addresses for the first time",
    ),
    (NETWORKS, "hold_networks", "it sent from {n:g} networks new to it"),
    (IDENTICAL, "hold_identical", "it sent a body again {n:g} times"),
    (COMPLAINTS, "hold_complaints", "recipients called it spam {n:g} times"),
)


def suspicious(taken: Taken, allowed: Allowance) -> str:
    """Why the account should be held, a clause; or ""."""
    used = {
        draw.meter: used for draw, used in zip(taken.draws, taken.used, strict=True)
    }
    for meter, limit, clause in _SIGNS:
        most = getattr(allowed, limit)
        if most and used.get(meter, 0) >= most:
            return clause.format(n=used[meter]) + " in 24 hours"
    return ""


def many_unknown(allowed: Allowance, unknown: float, sent: float) -> str:
    """Why an account should be held that writes to nobody, a clause; or ""."""
    most, share = allowed.hold_unknown, allowed.hold_unknown_share
    # Some were sent the day before, and are not counted any more.
    sent = max(sent, unknown)
    if not (most and share) or unknown < most or unknown * 100 < sent * share:
        return ""
    return f"{unknown:g} of {sent:g} recipients in 24 hours do not exist"
