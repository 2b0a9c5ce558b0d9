"""
What is forwarded to the world: further recipients of the same message.

Only what would have been delivered goes on; what is held for a mailbox is held
whole.
"""

from collections.abc import Sequence

from smfd.model.entry import REMOTE, Recipient
from smfd.model.envelope import Forward


def with_forwards(
    recipients: tuple[Recipient, ...], forwards: Sequence[Forward]
) -> tuple[Recipient, ...]:
    """
    With those whom they forward to, each once, behind all others.

    @param forwards: of the envelope; a recipient's number is its place there.
    """
    if not any(forward.beyond for forward in forwards):
        return recipients
    kept: list[Recipient] = []
    found: dict[str, Recipient] = {}
    there = {one.address.lower() for one in recipients}
    for one in recipients:
        forward = forwards[one.number - 1]
        goes = bool(forward.beyond) and one.destination != "quarantine"
        if forward.keep or not goes:
            kept.append(one)
        for target in forward.beyond if goes else ():
            if target.lower() not in there:
                number = len(forwards) + len(found) + 1
                further = _further(number, target, one, forward)
                found.setdefault(target.lower(), further)
    return (*kept, *found.values())


def _further(number: int, target: str, one: Recipient, forward: Forward) -> Recipient:
    return Recipient(
        number,
        target,
        REMOTE,
        one.category,
        f"forwarded for {one.address}",
        one.score,
        # When it comes back, it has been here (RFC 5321 §6.3).
        f"Delivered-To: {one.address}\r\n".encode(),
        keeper=forward.address.domain,
        notify=one.notify,
        orcpt=one.orcpt,
    )
