"""
How long we go on with a client that gets nothing done.

Standards: RFC 5321 §4.5.3, §7.8.
"""

from smfd.proto import phrase
from smfd.proto.limits import Limits
from smfd.proto.reply import Reply


class Patience:
    """What a connection has used up.  Each method lets its answer pass, or 421."""

    __slots__ = ("_limits", "_errors", "_refusals", "_junk")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._errors = self._refusals = self._junk = 0

    def mistake(self, answer: Reply) -> Reply:
        """The machine answers; 5yz is the client's mistake."""
        if answer.code >= 500 and not answer.closes:
            self._errors += 1
            if self._errors > self._limits.errors:
                return phrase.TOO_MANY_ERRORS
        return answer

    def refusal(self, answer: Reply) -> Reply:
        """The door answers; 5yz is a guess that failed."""
        if answer.code >= 500:
            self._refusals += 1
            if self._refusals > self._limits.refusals:
                return phrase.TOO_MANY_ERRORS
        return answer

    def idle(self, answer: Reply) -> Reply:
        """The answer to a command that moves nothing on."""
        self._junk += 1
        return phrase.TOO_MUCH_JUNK if self._junk > self._limits.junk else answer

    def progress(self) -> None:
        """A message was taken: idle commands are forgiven."""
        self._junk = 0
