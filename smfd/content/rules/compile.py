"""
Rules made ready: patterns by what they look at, metas in their order.

Most patterns run on Vectorscan, all of one target at once.  What it cannot
express it filters, and C{re} confirms; what it cannot even filter runs on
C{re} alone.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import hyperscan
from attrs import Factory, define, evolve, field, frozen

from smfd.content.rules.compiled import Compiled
from smfd.content.rules.evals import EVALS, Call, read_call
from smfd.content.rules.grammar import re_flags, read_rules
from smfd.content.rules.meta import Expression, Misspelt, read_expression
from smfd.content.rules.rule import Fault, Rule, RuleText

#: Targets of many lines, where ^ and $ mean the line.
_LINES = frozenset(("body", "rawbody", "uri"))

#: What Vectorscan can only filter: looking around, looking back, possession.
_ONLY_RE = re.compile(r"\(\?(?:[=!>]|<[=!])|\\[1-9]|[*+?}]\+|\(\?P=")

_HS = {
    "i": hyperscan.HS_FLAG_CASELESS,
    "m": hyperscan.HS_FLAG_MULTILINE,
    "s": hyperscan.HS_FLAG_DOTALL,
}


@frozen
class Pattern:
    """
    One pattern of a target.

    @ivar confirm: C{re} has the last word.
    @ivar most: how many hits are counted.
    """

    rule: Rule
    regex: "re.Pattern[bytes]"
    confirm: bool
    most: int = 1


@define
class Target:
    """
    All patterns that look at the same octets.

    @ivar place: the field and the modifier of a header.
    @ivar fast: those in the database, by their number there.
    @ivar slow: those for C{re} alone.
    @ivar database: None when there are only slow ones.
    @ivar unset: the numbers of those that hit what is not there.
    """

    kind: str
    name: str
    fast: list[Pattern] = Factory(list)
    slow: list[Pattern] = Factory(list)
    database: "hyperscan.Database | None" = None
    unset: tuple[int, ...] = ()
    negated: list[str] = Factory(list)
    place: tuple[str, str] = field()

    @place.default
    def _named(self) -> tuple[str, str]:
        name, _, modifier = self.name.partition(":")
        return name, modifier


class RuleFaults(Exception):
    """Rules that cannot be used; C{faults} says why, all of it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


@frozen
class RuleSet:
    """
    Rules that can be run.

    @ivar version: twelve hex digits that change when the files do.
    @ivar notes: what was left out.
    @ivar decided: the names of rules without a pattern; a finding of the same
        name does not count.
    """

    version: str
    text: RuleText
    targets: tuple[Target, ...]
    exists: tuple[Rule, ...]
    calls: tuple[tuple[Rule, Call], ...]
    metas: tuple[tuple[Rule, Expression], ...]
    decided: frozenset[str] = field(init=False)

    @decided.default
    def _ours(self) -> frozenset[str]:
        pairs = (*self.calls, *self.metas)
        return frozenset(r.name for r in (*self.exists, *(rule for rule, _ in pairs)))

    @property
    def notes(self) -> list[Fault]:
        """What was left out, and does no harm."""
        return self.text.notes

    def score(self, name: str) -> float:
        """What a rule adds; 1 when nobody says."""
        return self.text.scores.get(name, 0.01 if name.startswith("T_") else 1.0)


def load_rules(*folders: str, compiled: Path | None = None) -> RuleSet:
    """
    Compile the C{.cf} files of some folders, or raise L{RuleFaults}.

    A later folder overrules an earlier one, name by name.

    @param compiled: the folder of what was compiled before.
    """
    files: dict[str, str] = {}
    for number, folder in enumerate(folders):
        for path in sorted(Path(folder).glob("*.cf")):
            name = str(path) if number else path.name
            files[name] = path.read_text("utf-8", "replace")
    return compile_rules(files, compiled)


def compile_rules(files: Mapping[str, str], compiled: Path | None = None) -> RuleSet:
    """Compile rule files, by name, or raise L{RuleFaults} with all faults."""
    text = read_rules(files)
    digest = hashlib.sha256()
    for name in files:
        digest.update(f"{name}\0{files[name]}\0".encode())
    rules = text.rules.values()
    calls = [(r, call) for r in rules if r.kind == "eval" and (call := _call(r, text))]
    metas = _ordered(text)
    if text.faults:
        raise RuleFaults(text.faults)
    patterns = [r for r in rules if r.kind not in ("eval", "meta", "exists")]
    return RuleSet(
        digest.hexdigest()[:12],
        text,
        tuple(_targets(patterns, text, Compiled(compiled))),
        tuple(r for r in rules if r.kind == "exists"),
        tuple(calls),
        tuple(metas),
    )


def _call(rule: Rule, text: RuleText) -> Call | None:
    """The call of an eval rule; one of a function we lack is left out."""
    if rule.target not in EVALS:
        note = f"{rule.name}: there is no eval:{rule.target}"
        text.notes.append(Fault(rule.file, rule.line, note))
        return None
    try:
        return read_call(rule.target, rule.pattern)
    except ValueError as wrong:
        fault = Fault(rule.file, rule.line, f"{rule.name}: {wrong}")
        text.faults.append(fault)
        return None


def _ordered(text: RuleText) -> list[tuple[Rule, Expression]]:
    """Metas, those behind those that they speak of."""
    waiting: dict[str, tuple[Rule, Expression]] = {}
    for rule in text.rules.values():
        if rule.kind == "meta":
            try:
                waiting[rule.name] = (rule, read_expression(rule.pattern))
            except Misspelt as wrong:
                fault = Fault(rule.file, rule.line, f"{rule.name}: {wrong}")
                text.faults.append(fault)
    ordered = []
    while waiting:
        ready = [n for n, (_, e) in waiting.items() if not e.names & waiting.keys()]
        if not ready:
            for rule, _ in waiting.values():
                wrong_way = f"{rule.name} is needed to know itself"
                text.faults.append(Fault(rule.file, rule.line, wrong_way))
            break
        ordered += [waiting.pop(name) for name in ready]
    return ordered


def _targets(rules: list[Rule], text: RuleText, compiled: Compiled) -> list[Target]:
    """Sort patterns by what they look at, and compile them."""
    targets: dict[tuple[str, str], Target] = {}
    for rule in rules:
        key = (rule.kind, rule.target)
        target = targets.setdefault(key, Target(*key))
        tflags = text.tflags.get(rule.name, frozenset())
        target.fast.append(_pattern(rule, tflags))
        if rule.negated:
            target.negated.append(rule.name)
    for target in targets.values():
        _arrange(target, compiled)
        target.unset = tuple(_unset(target.fast))
    compiled.tidy()
    return list(targets.values())


def _pattern(rule: Rule, tflags: frozenset[str]) -> Pattern:
    """A pattern, and who has the last word about it."""
    flags = rule.flags + ("m" if rule.kind in _LINES else "")
    regex = re.compile(rule.pattern.encode(), re_flags("".join(set(flags))))
    most = 50 if "multiple" in tflags else 1
    for flag in tflags:
        if flag.startswith("maxhits=") and flag[8:].isdigit():
            most = min(50, int(flag[8:]))
    only_re = _ONLY_RE.search(rule.pattern) is not None
    return Pattern(rule, regex, only_re or most > 1, most)


def _arrange(target: Target, compiled: Compiled) -> None:
    """Compile the patterns of a target, together if that can be done."""
    try:
        target.database = _database(target.fast, compiled)
        return
    except hyperscan.HyperscanError:
        patterns, target.fast = target.fast, []
    for pattern in patterns:
        for candidate in (pattern, evolve(pattern, confirm=True)):
            try:
                _database([candidate], compiled)
            except hyperscan.HyperscanError:
                continue
            target.fast.append(candidate)
            break
        else:
            target.slow.append(pattern)
    if target.fast:
        target.database = _database(target.fast, compiled)


def _unset(patterns: list[Pattern]) -> Iterator[int]:
    """The patterns that are to be tried on a header that is not there."""
    for number, pattern in enumerate(patterns):
        if pattern.regex.search(pattern.rule.unset.encode()) is not None:
            yield number


def _database(patterns: list[Pattern], compiled: Compiled) -> "hyperscan.Database":
    """Compile patterns together, or raise C{hyperscan.HyperscanError}."""
    flags = []
    for pattern in patterns:
        value = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY
        lines = {"m"} if pattern.rule.kind in _LINES else set()
        value |= sum(_HS.get(letter, 0) for letter in lines | set(pattern.rule.flags))
        flags.append(value | (hyperscan.HS_FLAG_PREFILTER if pattern.confirm else 0))
    sources = [
        (b"(?x)" if "x" in p.rule.flags else b"") + p.rule.pattern.encode()
        for p in patterns
    ]
    return compiled.database(sources, flags)
