"""C{smfdctl config}: the settings explained."""

import click

from smfd.config.render import describe as described
from smfd.config.render import manual as whole_manual
from smfd.config.render import sample as whole_sample
from smfd.config.render import unknown
from smfd.ctl.face import Face, verb


@click.group()
def config() -> None:
    """Explain the settings."""


@config.command()
@click.argument("key", default="")
@verb
def describe(face: Face, key: str) -> None:
    """Say what a setting is for: KEY is a table, table.key, or left out."""
    lines = described(key)
    if not lines:
        face.refuse(unknown(key))
    face.show({"text": lines}, lines)


@config.command()
def sample() -> None:
    """Print a settings file with everything at its default."""
    click.echo(whole_sample(), nl=False)


@config.command()
def manual() -> None:
    """Print the manual of the settings, in Markdown."""
    click.echo(whole_manual(), nl=False)
