"""
What is said of a judged message: once for all, or to each recipient.

Standards: RFC 5321 §4.2.5, RFC 2033 §4.2.
"""

from collections.abc import Collection, Mapping, Sequence

from smfd.model.envelope import Envelope
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.proto.reply import Reply, replies, reply, with_id

#: What is said to those that are refused, where nobody has better words.
REFUSED = "The message is not accepted here"


def said(code: int, status: str, text: str, envelope: Envelope) -> Reply:
    """A reply that names the record."""
    return reply(code, status, with_id(text, envelope.id))


def merged(groups: Sequence[Collection[str]]) -> Sequence[frozenset[str]]:
    """Groups with a mailbox in common are one: it must not get two answers."""
    whole: list[frozenset[str]] = []
    for group in groups:
        one = frozenset(group)
        apart = []
        for other in whole:
            if one & other:
                one |= other
            else:
                apart.append(other)
        whole = [*apart, one]
    return whole


def each(
    verdict: Verdict,
    envelope: Envelope,
    mailboxes: Sequence[Collection[str]],
    refused: str = "",
) -> Reply:
    """
    The reply to each recipient, or one where they are all told the same.

    @param verdict: who is answered together is refused together, or not at all.
    @param mailboxes: those of each recipient; none when one reply answers all.
    @param refused: what is said to those that are refused, if there are words
        of somebody's own.
    """
    if not mailboxes:
        return _answer(verdict.fates[0].disposition, envelope, refused)
    by_name = {fate.recipient: fate for fate in verdict.fates}
    answers = [_answer(_of(group, by_name), envelope, refused) for group in mailboxes]
    return answers[0] if len(set(answers)) == 1 else replies(answers)


def _of(group: Collection[str], fates: Mapping[str, Fate]) -> Disposition:
    known = (fates[name].disposition for name in group if name in fates)
    # Who is left out had the message before.
    return next(known, Disposition.DELIVER)


def _answer(disposition: Disposition, envelope: Envelope, refused: str) -> Reply:
    if disposition is Disposition.REJECT:
        return said(550, "5.7.1", refused or REFUSED, envelope)
    if disposition is Disposition.DEFER:
        text = "The message cannot be checked now, try again later"
        return said(451, "4.7.1", text, envelope)
    return said(250, "2.0.0", "Accepted", envelope)
