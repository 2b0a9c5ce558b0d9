"""
What every verb of smfdctl shares: its way of speaking, and its exit codes.

0 done, 1 refused or not found, 2 wrong usage, 75 try again later.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec

import click
from attrs import frozen

P = ParamSpec("P")

REFUSED = 1
#: EX_TEMPFAIL of sysexits.h, as the mail world knows it.
LATER = 75


def default_config() -> Path:
    """The settings file when nobody names one."""
    return Path(os.environ.get("SMFD_CONFIG") or "/etc/smfd/smfd.toml")


def _fit(line: str) -> str:
    """The line, fit for a terminal."""
    # Not for who only asks what verbs there are.
    from smfd.format.words import printable

    return printable(line)


def short(path: Path) -> str:
    """A path as one would type it here: relative, when it is below."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


class Faint(str):
    """A line of less weight than the others; a terminal may dim it."""

    __slots__ = ()


@frozen
class Face:
    """
    How a verb answers.

    @ivar config: the settings file it is about.
    @ivar as_json: one JSON document instead of text.
    """

    config: Path
    as_json: bool = False

    @property
    def command(self) -> str:
        """How this program was called for these settings, to be typed again."""
        return f"{short(Path(sys.argv[0]))} --config {short(self.config)}"

    @property
    def daemon(self) -> str:
        """How the daemon is started with these settings."""
        twistd = Path(sys.argv[0]).with_name("twistd")
        name = short(twistd) if twistd.exists() else "twistd"
        return f"{name} -n --pidfile= smfd --config {short(self.config)}"

    def show(self, document: Any, lines: Iterable[str]) -> None:
        """
        Print the document under C{--json}, else the lines.

        @param lines: without line ends; not walked under C{--json}.
        """
        if self.as_json:
            print(json.dumps(document, indent=2))
            return
        # https://no-color.org: who sets NO_COLOR wants plain text.
        plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR"))
        for line in lines:
            text = _fit(line)
            faint = isinstance(line, Faint) and not plain
            print(f"\x1b[2m{text}\x1b[0m" if faint else text)

    def refuse(self, sentence: str) -> NoReturn:
        """Say why not, and exit 1: refused, or not found."""
        self._leave(REFUSED, sentence)

    def later(self, sentence: str) -> NoReturn:
        """Say why not now, and exit 75: the same again may succeed."""
        self._leave(LATER, sentence)

    def _leave(self, code: int, sentence: str) -> NoReturn:
        if self.as_json:
            print(json.dumps({"error": sentence}, indent=2))
        else:
            for line in sentence.splitlines():
                print(_fit(line), file=sys.stderr)
        raise SystemExit(code)


def verb(function: Callable[Concatenate[Face, P], None]) -> Callable[..., None]:
    """
    Give a command C{--json}, and a L{Face} as its first argument.

    Stands below C{@click.command()}; options may stand above or below it.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @wraps(function)
    def spoken(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.pop("as_json", False))
        config = click.get_current_context().find_object(Path) or default_config()
        function(Face(config, as_json), *args, **kwargs)

    return spoken
