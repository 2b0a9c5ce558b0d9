"""C{smfdctl status}: how the daemon is doing."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking
from smfd.ctl.face import Face, verb

_TESTED = {
    "passed": ", finds the test virus",
    "failed": ", DOES NOT FIND the test virus",
    "none yet": ", not tested yet",
}


@click.command()
@verb
def status(face: Face) -> None:
    """Show what runs, waits, is held, and what protects nobody."""
    with asking(face) as client:
        found = client.get("/v1/status")
    face.show(found, _lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"smfd {found['version']} on {found['hostname']}"
    yield f"up since      {found['up_since']}"
    oldest = f", the oldest since {found['oldest_due']}" if found["oldest_due"] else ""
    stopped = f", and {found['suspended']} on hold" if found["suspended"] else ""
    yield f"queue         {_number(found['queue'])}{oldest}{stopped}"
    yield f"held          {_number(found['held'])}"
    if found["corrupt"]:
        yield f"corrupt       {found['corrupt']}"
    yield f"records       {_number(found['records'])}"
    tested = _TESTED.get(found["virus_test"], "")
    yield f"virus engine  {found['virus_engine']}{tested}"
    stressed = ", under stress" if found["stress"] else ""
    yield f"connections   {found['connections']}{stressed}"
    yield f"worst stall   {found['worst_ms']:g} ms"
    for warning in found["warnings"]:
        yield f"WARNING: {warning}"


def _number(count: int | None) -> str:
    return "unknown" if count is None else str(count)
