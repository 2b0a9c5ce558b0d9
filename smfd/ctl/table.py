"""Rows of text under each other."""

from collections.abc import Iterator, Sequence
from typing import Any

#: No column is wider; the last one has no limit.
_WIDEST = 44


def table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Lines with a head; empty columns stay empty."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [
        min(_WIDEST, max(len(row[n]) for row in [list(names), *texts]))
        for n in range(len(names))
    ]
    for row in [[name.upper() for name in names], *texts]:
        yield _line(row, widths)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        _cut(text, width).ljust(width)
        for text, width in zip(row[:-1], widths, strict=False)
    ]
    return "  ".join([*cells, row[-1]]).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _cell(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    return f"{value:g}" if isinstance(value, float) else str(value)
