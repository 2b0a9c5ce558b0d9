"""Fit a TOML document to the schema, and note what does not fit."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

import attrs
from attrs import define, field

from smfd.config.lines import Path
from smfd.config.setting import Declared, declared, wrong

T = TypeVar("T")

_SYMBOL = re.compile("[A-Z_0-9]+")

#: Keys that people look for and that are no settings on purpose.
_NEVER: dict[Path, str] = {
    ("scan", "on_error", "virus"): "This is no setting: a virus scanner that cannot "
    "answer means that the mail is deferred. Take the line out.",
    ("scan", "on_error", "lists"): "This is no setting: without the lists nothing is "
    "decided, and the mail is deferred. Take the line out.",
}


@define
class Reading:
    """
    One walk through a document.

    @ivar wrong: what did not fit: where, and a sentence.
    """

    wrong: list[tuple[Path, str]] = field(factory=list)
    _root: type | None = None

    def table(
        self, cls: type[T], node: Any, place: Path, given: dict[str, Any]
    ) -> T | None:
        """
        A table as an instance of its class.

        @param given: fields that do not come from the document.
        @return: None when something in it is wrong.
        """
        if not isinstance(node, dict):
            self._note(place, f"This is a table; write [{place[-1]}].")
            return None
        self._root = self._root or cls
        before = len(self.wrong)
        keys = [key for key in declared(cls) if key.name not in given]
        for name in node.keys() - {key.name for key in keys}:
            self._note((*place, name), self._unknown((*place, name), keys))
        for key in keys:
            if key.name in node:
                given[key.name] = self._value(key, node[key.name], (*place, key.name))
            elif key.required:
                self._note((*place, key.name), "This is missing and must be given.")
        return cls(**given) if len(self.wrong) == before else None

    def _value(self, key: Declared, node: Any, place: Path) -> Any:
        if key.setting is None:
            return self._tables(key, node, place)
        if key.kind is dict:
            return self._scores(key, node, place)
        if said := wrong(key.setting, key.kind, node):
            self._note(place, said)
            return None
        return tuple(node) if key.kind is tuple else key.kind(node)

    def _tables(self, key: Declared, node: Any, place: Path) -> Any:
        if not key.many:
            return self.table(key.kind, node, place, {})
        if not isinstance(node, list):
            name = ".".join(map(str, place))
            self._note(place, f"These are tables; write [[{name}]].")
            return None
        return tuple(
            self.table(key.kind, item, (*place, number), {})
            for number, item in enumerate(node)
        )

    def _scores(self, key: Declared, node: Any, place: Path) -> Any:
        assert key.setting is not None
        if not isinstance(node, dict):
            self._note(place, f"This is a table; write [{place[-1]}].")
            return None
        for name, number in node.items():
            said = wrong(key.setting, float, number)
            if not _SYMBOL.fullmatch(name):
                said = "A symbol is written in capital letters, digits and _."
            if said:
                self._note((*place, name), said)
        return node if self.wrong else {name: float(node[name]) for name in node}

    def _note(self, place: Path, said: str) -> None:
        self.wrong.append((place, said))

    def _unknown(self, place: Path, keys: list[Declared]) -> str:
        if said := _NEVER.get(place):
            return said
        name = str(place[-1])
        names = [key.name for key in keys]
        close = get_close_matches(name.lower(), names, 1, 0.6)
        if close:
            return f'There is no such setting. Did you mean "{close[0]}"?'
        assert self._root is not None
        if tables := [t for t in _tables_with(name, self._root, "") if t]:
            # Most often the header of the table still has its # before it.
            return f"This belongs below {' or '.join(tables)}, a line of its own."
        kind = "setting" if len(place) > 1 else "table"
        return f"There is no such {kind}. There are: {', '.join(names)}."


def _tables_with(name: str, cls: type, header: str) -> Iterator[str]:
    """The headers of the tables that have a key."""
    for key in declared(cls):
        if key.name == name and key.setting is not None:
            yield header
        elif attrs.has(key.kind):
            path = f"{header.strip('[]')}.{key.name}".lstrip(".")
            below = f"[[{path}]]" if key.many else f"[{path}]"
            yield from _tables_with(name, key.kind, below)
