"""Sentences in lines that a terminal shows whole."""

from collections.abc import Iterator

#: Characters of a line.
_LINE = 78


def wrapped(text: str, indent: str = "") -> Iterator[str]:
    """A text in lines; what has no spaces is not cut."""
    line = ""
    for word in text.split():
        if line and len(indent) + len(line) + 1 + len(word) > _LINE:
            yield f"{indent}{line}"
            line = word
        else:
            line = f"{line} {word}".lstrip()
    if line:
        yield f"{indent}{line}"
