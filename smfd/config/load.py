"""From a settings file to L{Config}, or to everything that is wrong with it."""

import re
import tomllib
from pathlib import Path
from typing import Any

from smfd.config.agree import disagreements
from smfd.config.fault import Fault, Unusable
from smfd.config.lines import Path as Place
from smfd.config.lines import find_lines
from smfd.config.reading import Reading
from smfd.config.schema import Config

#: A larger file is not a settings file.
LARGEST = 1024 * 1024
#: After so many syntax errors the rest is not worth reading.
_ENOUGH = 20
_WHERE = re.compile(r" \(at line (\d+), column \d+\)$")


def load(path: Path) -> Config:
    """
    Read the settings.

    @raise Unusable: they cannot be used; it says all that is wrong at once.
    """
    return read(_text(path), path)


def read(text: str, path: Path) -> Config:
    """
    The settings of a text that stands, or could stand, in a file.

    @raise Unusable: see L{load}.
    """
    faults: list[Fault] = []
    # TOML 1.0 takes LF and CRLF as line ends.
    document, text = _parse(text.replace("\r\n", "\n"), faults)
    lines = find_lines(text)
    reading = Reading()
    config = reading.table(Config, document, (), {"path": path.absolute()})
    found = [*reading.wrong]
    if config is not None and not faults:
        found += disagreements(config)
    faults += [Fault(_line(place, lines), _key(place), said) for place, said in found]
    if faults or config is None:
        raise Unusable(path, tuple(sorted(faults, key=lambda fault: fault.line)))
    return config


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) <= LARGEST:
            return data.decode()
        said = f"It is larger than {LARGEST} octets; this cannot be the settings."
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Unusable(path, (Fault(line, "", "This is not UTF-8."),)) from None
    except FileNotFoundError:
        said = 'There is no such file. "smfdctl init HOME" makes one.'
    except OSError as error:
        said = f"It cannot be read: {error.strerror}."
    raise Unusable(path, (Fault(0, "", said),))


def _parse(text: str, faults: list[Fault]) -> tuple[dict[str, Any], str]:
    """
    What can be read, leaving out lines that are broken by themselves.

    @return: the document, and the text it stands for.
    """
    rows = text.split("\n")
    while True:
        try:
            return tomllib.loads("\n".join(rows)), "\n".join(rows)
        except (ValueError, RecursionError) as error:
            # Numbers of thousands of digits and deep nesting are not TOML errors.
            said = _WHERE.search(str(error))
            line = int(said[1]) if said else len(rows)
            faults.append(Fault(line, "", _syntax(str(error))))
        if len(faults) == _ENOUGH or not _alone(rows[line - 1]):
            return {}, ""
        rows[line - 1] = ""


def _syntax(message: str) -> str:
    plain = _WHERE.sub("", message).replace(" (at end of document)", "")
    return f"This is not TOML: {plain[:1].lower()}{plain[1:200]}."


def _alone(row: str) -> bool:
    """Whether a broken line is C{key = ...} and broken whatever stands around."""
    if row.lstrip().startswith("[") or "=" not in row or '"""' in row or "'''" in row:
        return False
    try:
        tomllib.loads(row)
    except (ValueError, RecursionError) as error:
        return "Unclosed" not in str(error)
    return False


def _line(place: Place, lines: dict[Place, int]) -> int:
    """The line of a key; when it is not there, that of its table, else 0."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 0)


def _key(place: Place) -> str:
    return ".".join(str(name + 1 if type(name) is int else name) for name in place)
