"""What a stage reports.  A finding decides nothing."""

from enum import Enum

from attrs import evolve, frozen


class Result(Enum):
    """How a stage sees the thing it looked at."""

    PASS = "pass"
    SUSPECT = "suspect"
    FAIL = "fail"
    ERROR = "error"


@frozen(slots=False)
class Finding:
    """
    One fact about a message.

    @ivar stage: the stage that reports it.
    @ivar symbol: its name, upper case; scores are given to symbols.
    @ivar result: PASS, SUSPECT, FAIL, or ERROR when the stage could not know.
    @ivar score: what it adds to the sum; None when it is not about spam.
    @ivar reason: one sentence for people.
    @ivar evidence: what was seen, for operators; at most a few hundred
        characters.
    @ivar ms: how long it took, milliseconds.
    """

    stage: str
    symbol: str
    result: Result
    score: float | None = None
    reason: str = ""
    evidence: str = ""
    ms: float = 0.0

    def timed(self, ms: float) -> "Finding":
        """The same with how long it took.  (Faster than C{attrs.evolve}.)"""
        if type(self) is not Finding:
            return evolve(self, ms=ms)
        return Finding(
            self.stage,
            self.symbol,
            self.result,
            self.score,
            self.reason,
            self.evidence,
            ms,
        )


@frozen(slots=False)
class Listed(Finding):
    """
    An allow or block entry that matches the sender, for one recipient.

    @ivar recipient: whose list it is looked at for, as text.
    @ivar scope: "locked", "user", "domain" or "operator".
    @ivar allow: an allow entry; else it blocks.
    @ivar pattern: the entry as it was written.
    @ivar identity: "header" or "envelope": the sender that matched.
    """

    recipient: str = ""
    scope: str = "user"
    allow: bool = False
    pattern: str = ""
    identity: str = "envelope"
