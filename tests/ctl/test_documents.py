"""What the pages for people say of smfdctl and of settings is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.config.schema import Config
from smfd.config.setting import declared
from smfd.ctl import main

ROOT = Path(smfd.__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

#: A command on a line of its own or in backticks, up to what ends it.
_COMMAND = re.compile(
    r"(?:^ *|`|^\* `)(?:\S*smfdctl|CTL)(?: --config [^\s`]+)? ([a-z][^`:;\\\n]*)", re.M
)
#: C{[table] key}, as pages name a setting.
_SETTING = re.compile(r"`\[+([a-z_.]+)\]+ ([a-z_]+)\b")

Verbs = tuple[str, ...]


def verbs(command: click.Command, above: Verbs = ()) -> Iterator[tuple[Verbs, str]]:
    """Every verb that can be typed, each with the options that it takes."""
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from verbs(below, (*above, name))
    for parameter in command.params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            yield above, option
    yield above, ""


def keys(cls: type, header: str = "") -> Iterator[tuple[str, str]]:
    """Every table of the settings with its keys."""
    for key in declared(cls):
        yield header, key.name
        if attrs.has(key.kind):
            yield from keys(key.kind, f"{header}.{key.name}".lstrip("."))


class PagesTests(SynchronousTestCase):
    """Whoever types what a page says is understood."""

    def test_commands(self) -> None:
        """Every command in the pages is one, and takes those options."""
        known = set(verbs(main))
        seen = 0
        for page in PAGES:
            for said in _COMMAND.findall(page.read_text()):
                words = said.split()
                verb = next(
                    (
                        v
                        for v in (tuple(words[:2]), tuple(words[:1]))
                        if (v, "") in known
                    ),
                    None,
                )
                assert verb is not None, f"{page.name}: {said}"
                for option in re.findall(r"(?<!\S)--[a-z-]+", said):
                    self.assertIn((verb, option), known, f"{page.name}: {said}")
                seen += 1
        self.assertGreater(seen, 40)

    def test_settings(self) -> None:
        """Every setting that a page names with its table is one."""
        known = set(keys(Config))
        found = [
            (page.name, named)
            for page in PAGES
            for named in _SETTING.findall(page.read_text())
        ]
        for page, named in found:
            self.assertIn(named, known, page)
        self.assertGreater(len(found), 15)
