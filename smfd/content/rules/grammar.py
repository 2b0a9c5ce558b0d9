"""
The rule language of SpamAssassin, as much of it as we take.

C{header NAME Field[:raw|:addr|:name] =~ /pattern/flags [if-unset: text]}, also
with C{!~} and C{exists:Field}; C{body}, C{rawbody}, C{uri}, C{full} and
C{mimeheader} with a pattern or C{eval:function(arguments)}; C{meta}; C{score}
(of four values the first counts), C{describe}, C{tflags}.  What stands between
C{if} or C{ifplugin} and C{endif} is left out, as is every other directive,
with a note.
"""

import re
from collections.abc import Callable, Mapping

from attrs import define

from smfd.content.rules.rule import Fault, Rule, RuleText

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_NUMBER = re.compile(r"\(?([+-]?(?:\d{1,6}(?:\.\d{0,9})?|\.\d{1,9}))\)?")
_HEADER = re.compile(
    r"([A-Za-z0-9_-]{1,76}(?::[a-z]{3,4})?)\s+([=!])~\s+(.*?)"
    r"(?:\s+\[if-unset:\s*(.*?)\])?\s*"
)
_EVAL = re.compile(r"eval:([A-Za-z_]\w{0,60})\s*\((.*)\)\s*")
_MODIFIERS = ("raw", "addr", "name")
_CLOSING = {"{": "}", "(": ")", "[": "]", "<": ">"}

#: What Perl spells differently from Python's re.
_SPELLINGS = (
    (re.compile(r"\(\?<(?=[A-Za-z_])"), "(?P<"),
    (re.compile(r"(?<!\\)((?:\\\\)*)\\z"), r"\1\\Z"),
    (re.compile(r"(?<!\\)((?:\\\\)*)\\h"), r"\1[ \\t]"),
    (re.compile(r"(?<!\\)((?:\\\\)*)\\e"), r"\1\\x1b"),
    (re.compile(r"\\x\{([0-9a-fA-F]{2})\}"), r"\\x\1"),
    (re.compile(r"\[:alpha:\]"), "a-zA-Z"),
    (re.compile(r"\[:digit:\]"), "0-9"),
    (re.compile(r"\[:alnum:\]"), "a-zA-Z0-9"),
    (re.compile(r"\[:space:\]"), r"\\s"),
    (re.compile(r"\[:upper:\]"), "A-Z"),
    (re.compile(r"\[:lower:\]"), "a-z"),
    (re.compile(r"\[:punct:\]"), r"!-/:-@\\[-`{-~"),
)

#: Directives that change nothing here.
_IGNORED = frozenset(
    [
        "lang",
        "loadplugin",
        "priority",
        "reuse",
        "test",
        "require_version",
        "replace_tag",
    ]
    + ["replace_rules", "replace_inter", "replace_pre", "replace_post", "version_tag"]
)


class Wrong(ValueError):
    """A line that cannot be read; says why."""


def read_rules(files: Mapping[str, str]) -> RuleText:
    """
    Read rule files, one after the other; what is said later counts.

    Every line that is wrong becomes a fault; nothing is raised.
    """
    text = RuleText()
    for name in files:
        _File(name, text).read(files[name])
    for place, names in (("score", text.scores), ("describe", text.describe)):
        for name in names:
            if name not in text.rules:
                text.notes.append(Fault("", 0, f"{place} for {name}, which is no rule"))
    return text


@define
class _File:
    """One file while it is read."""

    name: str
    text: RuleText
    line: int = 0
    skipping: int = 0

    def read(self, source: str) -> None:
        """Read all lines."""
        for number, line in enumerate(source.splitlines(), 1):
            self.line = number
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            word, _, rest = line.partition(" ")
            if not self._skipped(word):
                self._directive(word, rest.strip())
        if self.skipping:
            self.text.faults.append(Fault(self.name, self.line, "endif is missing"))

    def _skipped(self, word: str) -> bool:
        """Whether a line belongs to a condition, which is never met."""
        if word in ("if", "ifplugin"):
            self.skipping += 1
        elif word == "endif" and self.skipping:
            self.skipping -= 1
            return True
        return bool(self.skipping)

    def _directive(self, word: str, rest: str) -> None:
        """Obey one line."""
        readers: dict[str, Callable[[str, str], None]] = {
            "score": self._score,
            "describe": self._describe,
            "tflags": self._tflags,
            "header": self._header,
            "meta": self._meta,
            "mimeheader": self._header,
        }
        try:
            if word in ("body", "rawbody", "uri", "full"):
                self._pattern(word, rest)
            elif word in readers:
                readers[word](word, rest)
            elif word in _IGNORED:
                self.text.notes.append(Fault(self.name, self.line, f"{word} left out"))
            else:
                raise Wrong(f"{word[:40]!r} is no directive")
        except Wrong as wrong:
            self.text.faults.append(Fault(self.name, self.line, str(wrong)))

    def _score(self, word: str, rest: str) -> None:
        name, values = _named(rest)
        numbers = [_NUMBER.fullmatch(value) for value in values.split("#")[0].split()]
        if len(numbers) not in (1, 4) or None in numbers:
            raise Wrong(f"the score of {name} must be one number or four")
        assert numbers[0] is not None
        self.text.scores[name] = float(numbers[0][1])

    def _describe(self, word: str, rest: str) -> None:
        name, text = _named(rest)
        self.text.describe[name] = text[:300]

    def _tflags(self, word: str, rest: str) -> None:
        name, flags = _named(rest)
        self.text.tflags[name] = frozenset(flags.split())

    def _meta(self, word: str, rest: str) -> None:
        name, expression = _named(rest)
        self._add(name, "meta", "", expression.partition("#")[0].strip())

    def _pattern(self, word: str, rest: str) -> None:
        name, test = _named(rest)
        if not self._eval(name, test):
            pattern, flags = _regex(test)
            self._add(name, word, "", pattern, flags)

    def _header(self, word: str, rest: str) -> None:
        name, test = _named(rest)
        if test.startswith("exists:"):
            self._add(name, "exists", test[7:].strip().lower(), "")
        elif not self._eval(name, test):
            match = _HEADER.fullmatch(test)
            if match is None:
                raise Wrong(f"{name}: a header test is Field =~ /pattern/")
            field, _, modifier = match[1].lower().partition(":")
            if modifier and modifier not in _MODIFIERS:
                raise Wrong(f"{name}: there is no :{modifier}")
            pattern, flags = _regex(match[3])
            unset, negated = match[4] or "", match[2] == "!"
            self._add(name, word, match[1].lower(), pattern, flags, negated, unset)

    def _eval(self, name: str, test: str) -> bool:
        match = _EVAL.fullmatch(test)
        if match is not None:
            self._add(name, "eval", match[1], match[2])
        return match is not None

    def _add(
        self,
        name: str,
        kind: str,
        target: str,
        pattern: str,
        flags: str = "",
        negated: bool = False,
        unset: str = "",
    ) -> None:
        """Take a rule; one of the same name before it is replaced."""
        place = (self.name, self.line)
        self.text.rules[name] = Rule(
            name, kind, target, pattern, *place, flags, negated, unset
        )


def _named(rest: str) -> tuple[str, str]:
    """A rule's name, and what is said about it."""
    name, _, text = rest.partition(" ")
    if not _NAME.fullmatch(name):
        raise Wrong(f"{name[:40]!r} is no name for a rule")
    if not text.strip():
        raise Wrong(f"{name}: nothing follows")
    return name, text.strip()


def _regex(text: str) -> tuple[str, str]:
    """A pattern between its delimiters, in Python's spelling, and its flags."""
    start = 1 if text.startswith("m") and text[1:2] and not text[1].isalnum() else 0
    opening = text[start : start + 1]
    if not start and opening != "/":
        raise Wrong("a pattern stands between slashes, or in m{}")
    closing = _CLOSING.get(opening, opening)
    end = text.rfind(closing)
    if end <= start:
        raise Wrong("the pattern has no end")
    pattern, flags = text[start + 1 : end], text[end + 1 :].split("#")[0].strip()
    if set(flags) - set("imsxgaou"):
        raise Wrong(f"there are no pattern flags {flags!r}")
    if closing == "/":
        pattern = pattern.replace("\\/", "/")
    for perl, python in _SPELLINGS:
        pattern = perl.sub(python, pattern)
    flags = "".join(sorted(set(flags) & set("imsx")))
    try:
        re.compile(pattern.encode(), re_flags(flags))
    except (re.error, RecursionError, OverflowError) as wrong:
        raise Wrong(f"the pattern is wrong: {wrong}") from None
    return pattern, flags


def re_flags(flags: str) -> int:
    """Flags for C{re}."""
    return sum(getattr(re, letter.upper()) for letter in flags)
