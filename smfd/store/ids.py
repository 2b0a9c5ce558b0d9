"""
Names for messages, connections and entries.

Sorted as text they are sorted by time, so the ledger grows at one end and the
newest is found first.
"""

import os

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
#: Ten bits at a time: two characters for each value.
_PAIRS = tuple(a + b for a in _DIGITS for b in _DIGITS)


def new_id(now: float) -> str:
    """
    A new name: 16 characters, digits and lower case letters without i l o u.

    The first 48 bits are milliseconds, the last 32 are random: a clock that
    steps back does not make a name twice.

    @param now: seconds since the epoch.
    """
    value = (int(now * 1000) & 0xFFFFFFFFFFFF) << 32
    value |= int.from_bytes(os.urandom(4), "big")
    pairs = _PAIRS
    return (
        f"{pairs[value >> 70]}{pairs[value >> 60 & 1023]}"
        f"{pairs[value >> 50 & 1023]}{pairs[value >> 40 & 1023]}"
        f"{pairs[value >> 30 & 1023]}{pairs[value >> 20 & 1023]}"
        f"{pairs[value >> 10 & 1023]}{pairs[value & 1023]}"
    )
