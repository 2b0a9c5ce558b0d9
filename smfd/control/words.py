"""Words that only some are right for, and words that are said in two places."""

from collections.abc import Sequence

from smfd.control.times import utc
from smfd.model.directory import Refused
from smfd.model.quota import Hold


def one_of(word: str, words: Sequence[str], what: str) -> None:
    """
    Check a word; none at all is right too.

    @raise Refused: it is none of them.
    """
    if word and word not in words:
        raise Refused(
            "invalid",
            f"There is no {what} {word[:40]!r}.",
            f"There are: {', '.join(words)}.",
        )


def said_of(hold: Hold) -> str:
    """That an account is held, why, and where to look."""
    return (
        f"All mail of {hold.account} is held since {utc(hold.since)}: {hold.reason}."
        f" Look: user held show {hold.account}."
    )
