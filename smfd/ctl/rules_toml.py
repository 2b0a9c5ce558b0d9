"""Rules as TOML."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def rules_toml(rules: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a file of C{[[rule]]} tables."""
    for number, rule in enumerate(rules):
        if number:
            yield ""
        yield "[[rule]]"
        for key, value in rule.items():
            yield f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    # What JSON escapes TOML reads likewise; only DEL it does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
