"""One rule, one fault, and all of them as they stand in their files."""

from attrs import Factory, define, frozen


@frozen
class Fault:
    """
    Something wrong in a rule file.

    @ivar file: its name; C{line} counts from 1.
    @ivar text: what is wrong, for people.
    """

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@frozen
class Rule:
    """
    One test.

    @ivar kind: "header", "body", "rawbody", "uri", "full", "mimeheader",
        "exists", "eval" or "meta".
    @ivar target: what it looks at: a header's name in lower case, with
        C{:addr} and the like; else "".
    @ivar pattern: the regular expression as C{re} takes it, the expression of a
        meta, or the call of an eval.
    @ivar flags: letters out of "imsx".
    @ivar negated: it hits when the pattern does not match.
    @ivar unset: the value of a header that is not there.
    """

    name: str
    kind: str
    target: str
    pattern: str
    file: str
    line: int
    flags: str = ""
    negated: bool = False
    unset: str = ""

    @property
    def hidden(self) -> bool:
        """Whether it is only there for metas."""
        return self.name.startswith("__")


@define
class RuleText:
    """
    What rule files say.

    @ivar faults: what they say wrongly; none means that it can be used.
    @ivar notes: what they say that is left out, and does no harm.
    """

    rules: dict[str, Rule] = Factory(dict)
    scores: dict[str, float] = Factory(dict)
    describe: dict[str, str] = Factory(dict)
    tflags: dict[str, frozenset[str]] = Factory(dict)
    faults: list[Fault] = Factory(list)
    notes: list[Fault] = Factory(list)
