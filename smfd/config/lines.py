"""In which line of a TOML document each key stands."""

import tomllib
from typing import Any

#: Tables, keys and places in arrays, from the top.
Path = tuple[str | int, ...]

#: A value that is spread over more lines than this is not followed further.
_SPREAD = 500


def find_lines(text: str) -> dict[Path, int]:
    """
    The line, from 1, of every table and key.

    @param text: a document that tomllib reads.
    """
    found: dict[Path, int] = {}
    rows = text.split("\n")
    inside: Path = ()
    at = 0
    while at < len(rows):
        end, document = _statement(rows, at)
        if document and rows[at].lstrip().startswith("["):
            inside = _enter(document, found)
            found[inside] = at + 1
        else:
            for path in _paths(document):
                found.setdefault(inside + path, at + 1)
        at = end
    return found


def _statement(rows: list[str], at: int) -> tuple[int, dict[str, Any]]:
    """The statement that begins at a row: where it ends, and what it says."""
    for end in range(at + 1, min(at + _SPREAD, len(rows)) + 1):
        try:
            return end, tomllib.loads("\n".join(rows[at:end]))
        except (ValueError, RecursionError):
            continue
    return at + 1, {}


def _enter(header: dict[str, Any], found: dict[Path, int]) -> Path:
    """The path of the table that a header opens."""
    path: Path = ()
    node: Any = header
    while node:
        if isinstance(node, list):
            path += (_count(path, found),)
            node = node[0]
            continue
        ((name, node),) = node.items()
        path += (name,)
        if not isinstance(node, list) and (count := _count(path, found)):
            # Below an array of tables: its last one is meant.
            path += (count - 1,)
    return path


def _count(path: Path, found: dict[Path, int]) -> int:
    """How many tables of the array there are so far."""
    count = 0
    while (*path, count) in found:
        count += 1
    return count


def _paths(node: Any) -> list[Path]:
    """Every key below, and every place in an array of tables."""
    if isinstance(node, list):
        pairs: Any = enumerate(node)
    elif isinstance(node, dict):
        pairs = node.items()
    else:
        return []
    return [
        path
        for key, below in pairs
        for path in [(key,), *((key, *rest) for rest in _paths(below))]
    ]
