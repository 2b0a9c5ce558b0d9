"""What DMARC reports say, in sentences."""

from collections.abc import Iterable, Iterator

from attrs import frozen

from smfd.model.grammar import counted

#: Fewer messages than these say nothing.
_FEW = 10


@frozen
class Seen:
    """
    What was seen of one address.

    @ivar ours: it is one of our own.
    @ivar passed: messages that SPF or DKIM proved, aligned with From.
    """

    address: str
    ours: bool
    number: int
    passed: int
    dkim: int
    spf: int


def dmarc_answer(domain: str, seen: Iterable[Seen]) -> list[str]:
    """What a postmaster should know of it, the weightiest first."""
    sources = list(seen)
    number = sum(one.number for one in sources)
    if not number:
        return ["No reports came: see that the DMARC record has a rua address of ours."]
    said = [*_own(one for one in sources if one.ours), *_others(sources)]
    passed = sum(one.passed for one in sources)
    share = passed / number
    return [*said, f"Of {number} messages in the name of {domain} {share:.1%} passed."]


def _own(sources: Iterable[Seen]) -> Iterator[str]:
    for one in sources:
        failed = one.number - one.passed
        if failed >= _FEW and failed * 50 > one.number:
            yield (
                f"Our own address {one.address} sent {failed} messages that did not"
                " pass: SPF does not name it, or DKIM does not sign. See what the DNS"
                " says of the domain."
            )
        elif one.number >= _FEW and one.dkim * 2 < one.number:
            yield (
                f"What {one.address} sent passes by SPF alone, most of it without"
                " DKIM: whoever forwards it breaks it."
            )


def _others(sources: Iterable[Seen]) -> Iterator[str]:
    theirs = [one for one in sources if not one.ours]
    senders = [one for one in theirs if one.passed >= _FEW]
    failed = sum(one.number - one.passed for one in theirs)
    if senders:
        largest = max(senders, key=lambda one: one.passed)
        yield (
            "Others send in its name and pass:"
            f" {counted(len(senders), 'address')}, most of it from"
            f" {largest.address}. Who they are, you should know."
        )
    if failed >= _FEW:
        worst = max(theirs, key=lambda one: one.number - one.passed)
        yield (
            f"{failed} messages from elsewhere did not pass, most from"
            f" {worst.address or 'addresses that are not told'}: forged, forwarded, or"
            " from a sender of yours that nobody told the DNS of."
        )
