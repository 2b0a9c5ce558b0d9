"""Words that only some are right for."""

from collections.abc import Sequence

from smfd.model.directory import Refused


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
