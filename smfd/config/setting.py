"""How one setting is declared: its text, default, unit and limits."""

import math
from collections.abc import Callable
from typing import Any, get_args, get_origin

import attrs
from attrs import frozen

#: Looks at one value; the empty string when it is good, else a sentence that
#: says what is wrong with it and what would be right.
Check = Callable[[str], str]


@frozen
class Setting:
    """
    What is known of a setting besides its name and default.

    @ivar text: what it is for, for people.
    @ivar unit: "seconds", "octets", ..., or "" for a bare value.
    @ivar low: the least a number may be, or None.
    @ivar high: the most a number may be, or None.
    @ivar choices: the words it may be; empty for any.
    @ivar check: a look at the text, or at each text of a list.
    @ivar example: what to show when the default is empty, as TOML.
    """

    text: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    check: Check | None = None
    example: str = ""


def setting(text: str, default: Any = attrs.NOTHING, **more: Any) -> Any:
    """
    Declare a setting, as a field of an attrs class.

    @param default: left out for one that must be given.
    @param more: the other attributes of L{Setting}.
    """
    return attrs.field(default=default, metadata={"setting": Setting(text, **more)})


def table(cls: type) -> Any:
    """Declare a table that may be left out: then all in it is at its default."""
    return attrs.field(factory=cls)


@frozen
class Declared:
    """
    A key of a table, as declared.

    @ivar kind: int, float, str, bool, tuple for a list of texts, dict for
        free keys with numbers, or the attrs class of a table.
    @ivar many: an array of tables.
    @ivar setting: None when it is a table.
    """

    name: str
    kind: type
    many: bool
    default: Any
    setting: Setting | None

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.setting is not None and self.default is attrs.NOTHING


def declared(cls: type) -> tuple[Declared, ...]:
    """The keys of a table, in the order they are shown."""
    return tuple(_declared(a) for a in attrs.fields(attrs.resolve_types(cls)))


def _declared(attribute: "attrs.Attribute[Any]") -> Declared:
    kind, many = attribute.type, False
    first = next(iter(get_args(kind)), None)
    if get_origin(kind) is tuple:
        many = attrs.has(first) if isinstance(first, type) else False
        kind = first if many else tuple
    elif get_origin(kind) is not None:
        kind = dict
    assert isinstance(kind, type)
    known = attribute.metadata.get("setting")
    return Declared(attribute.name, kind, many, attribute.default, known)


_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    bool: "true or false",
    tuple: "a list of texts in quotes",
}


def wrong(known: Setting, kind: type, value: Any) -> str:
    """What is wrong with a value: a sentence, or the empty string."""
    if kind is tuple:
        return _wrong_list(known, value)
    if not _fits(kind, value):
        return f"{_shown(value)} is not {_WORDS[kind]}."
    if isinstance(value, str):
        return _wrong_text(known, value)
    return "" if isinstance(value, bool) else _wrong_number(known, value)


def _fits(kind: type, value: Any) -> bool:
    # In Python True is a number; in the settings it is not.
    return type(value) is kind or (kind is float and type(value) is int)


def _wrong_list(known: Setting, value: Any) -> str:
    if not isinstance(value, list) or not all(type(item) is str for item in value):
        return f"{_shown(value)} is not {_WORDS[tuple]}."
    seen: set[str] = set()
    for item in value:
        if said := _wrong_text(known, item):
            return said
        if item in seen:
            return f"{_shown(item)} is there twice."
        seen.add(item)
    return ""


def _wrong_text(known: Setting, value: str) -> str:
    if not value.isprintable():
        return f"{_shown(value)} has a control character in it."
    if known.choices and value not in known.choices:
        words = ", ".join(f'"{word}"' for word in known.choices)
        return f"{_shown(value)} is none of {words}."
    return known.check(value) if known.check is not None else ""


def _wrong_number(known: Setting, value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not a number to count with."
    unit = f" {known.unit}" if known.unit else ""
    if known.low is not None and value < known.low:
        return f"{_shown(value)} is too little; the least is {known.low:g}{unit}."
    if known.high is not None and value > known.high:
        return f"{_shown(value)} is too much; the most is {known.high:.15g}{unit}."
    return ""


def _shown(value: Any) -> str:
    """A value as the file has it, or nearly, and not at length."""
    text = {True: "true", False: "false"}.get(value) if type(value) is bool else None
    text = text or repr(value).replace("'", '"')
    return text if len(text) <= 60 else text[:57] + "..."
