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
    r"(?:^ *|`|^\* `)(?:\S*smfdctl|CTL)(?: --config [^\s`]+)? ([a-z][^`\\\n]*)", re.M
)
#: C{[table] key}, as pages name a setting.
_SETTING = re.compile(r"`\[+([a-z_.]+)\]+ ([a-z_]+)\b")


def typed(said: str) -> click.Command | None:
    """The verb that words begin with, or None when there is none."""
    command: click.Command | None = main
    for word in said.split():
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
    return command


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
        seen = 0
        for page in PAGES:
            for said in _COMMAND.findall(page.read_text()):
                command = typed(said)
                assert command is not None, f"{page.name}: {said}"
                options = {
                    o for p in command.params for o in (*p.opts, *p.secondary_opts)
                }
                for option in re.findall(r"(?<!\S)--[a-z-]+", said):
                    self.assertIn(option, options, f"{page.name}: {said}")
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
