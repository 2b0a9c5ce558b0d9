"""
The expressions of metas: names of rules, numbers, and what joins them.

They are read by a grammar of their own and rewritten with every parenthesis,
so that what is compiled is ours and not theirs.
"""

import re
from collections.abc import Callable, Mapping

from attrs import define, frozen

_TOKEN = re.compile(
    r"\s*(?:([A-Za-z_]\w{0,127})|(\d{1,9}(?:\.\d{1,9})?)"
    r"|(&&|\|\||==|!=|<=|>=|[-+*/<>!()]))"
)

#: From loose to tight, as in Perl; and how Python spells them.
_LEVELS = (
    {"||": "or"},
    {"&&": "and"},
    {"==": "==", "!=": "!="},
    {"<": "<", ">": ">", "<=": "<=", ">=": ">="},
    {"+": "+", "-": "-"},
    {"*": "*", "/": "/"},
)

#: Tokens of an expression, and parentheses within parentheses.
_MOST = 2000
_DEEP = 30


class Misspelt(ValueError):
    """An expression that is none; says why."""


@frozen
class Expression:
    """
    A compiled expression.

    @ivar names: the rules it speaks of.
    """

    names: frozenset[str]
    _calculate: Callable[[Mapping[str, float]], float]

    def value(self, values: Mapping[str, float]) -> float:
        """Its value; dividing by nothing gives nothing."""
        try:
            return float(self._calculate(values))
        except ZeroDivisionError:
            return 0.0


def read_expression(text: str) -> Expression:
    """Read the expression of a meta, or raise L{Misspelt}."""
    reading = _Reading(_tokens(text))
    source = reading.level(0)
    if reading.at < len(reading.tokens):
        raise Misspelt(f"{reading.tokens[reading.at]!r} is not expected")
    names = frozenset(t for t in reading.tokens if t[0].isalpha() or t[0] == "_")
    code = compile(f"lambda _: {source}", "<meta>", "eval")
    return Expression(names, eval(code, {"__builtins__": {}}))


def _tokens(text: str) -> list[str]:
    """Cut an expression into tokens."""
    tokens: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(tokens) >= _MOST:
            raise Misspelt(f"{text[at : at + 20]!r} cannot be read")
        tokens.append(match[0].strip())
        at = match.end()
    return tokens


@define
class _Reading:
    """An expression while it is read; precedence climbs by level."""

    tokens: list[str]
    at: int = 0
    depth: int = 0

    def peek(self) -> str:
        """The token that is next, or ""."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        """The next token."""
        token = self.peek()
        self.at += 1
        return token

    def level(self, number: int) -> str:
        """Operators of one precedence, from the left, as Python."""
        if number == len(_LEVELS):
            return self.single()
        left = self.level(number + 1)
        while self.peek() in _LEVELS[number]:
            operator = _LEVELS[number][self.take()]
            left = f"({left} {operator} {self.level(number + 1)})"
        return left

    def single(self) -> str:
        """A name, a number, a negation, or something in parentheses."""
        self.depth += 1
        if self.depth > _DEEP:
            raise Misspelt("it is nested too deeply")
        token = self.take()
        if token == "(":
            source = self.level(0)
            if self.take() != ")":
                raise Misspelt("a parenthesis is not closed")
        elif token == "!":
            source = f"(not {self.single()})"
        elif token == "-":
            source = f"(-{self.single()})"
        elif token and (token[0].isalnum() or token[0] == "_"):
            # Not as it is written: 01 is no number to Python, nor are all digits.
            source = str(float(token)) if token[0].isdigit() else f"_[{token!r}]"
        else:
            raise Misspelt(f"{token or 'the end'!r} is not expected")
        self.depth -= 1
        return source
