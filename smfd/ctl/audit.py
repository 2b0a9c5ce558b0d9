"""C{smfdctl audit}: who did what."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking
from smfd.ctl.face import Face, verb
from smfd.ctl.table import table


@click.command()
@click.option("--subject", default="", help="Only what was done to this, whole.")
@click.option("--by", default="", help="Only what this one did, whole.")
@click.option(
    "--until", default="", help="Nothing later: 2026-03-30, 2026-03-30T12:00:00Z, 2h."
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@verb
def audit(face: Face, /, **wanted: Any) -> None:
    """Show who changed what, and who released what, the newest first."""
    with asking(face) as client:
        page = client.get("/v1/acts", wanted)
    face.show(page, _lines(page))


def _lines(page: dict[str, Any]) -> Iterator[str]:
    names = ("time", "actor", "act", "subject", "detail")
    yield from table(names, [[act[name] for name in names] for act in page["items"]])
    yield f"{len(page['items'])} of {page['total']}."
