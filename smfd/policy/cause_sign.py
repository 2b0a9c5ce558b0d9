"""
What gives a cause away: phrases that servers use.

A star in a phrase stands for anything.  All is in small letters.
"""

from attrs import frozen

from smfd.model.cause import About, Kind


@frozen
class Sign:
    """
    Phrases that mean the same.

    @ivar advice: what to do next, where there is more to say than of the kind.
    @ivar about: whose it is to mend; None: as the kind has it.
    @ivar slow_down: None: as the kind has it.
    """

    kind: Kind
    phrases: tuple[str, ...] = ()
    advice: str = ""
    about: About | None = None
    slow_down: bool | None = None

    def is_in(self, text: str) -> bool:
        """Whether a text has one of the phrases."""
        return any(_has(text, phrase) for phrase in self.phrases)


def _has(text: str, phrase: str) -> bool:
    if "*" not in phrase:
        return phrase in text
    at = 0
    for part in phrase.split("*"):
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True
