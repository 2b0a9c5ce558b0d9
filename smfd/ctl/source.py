"""C{smfdctl source}: what is known of an address that connects."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun

_SOURCES = Noun("/v1/sources", ("address",))


@click.group()
def source() -> None:
    """What is known of those who connect."""


@source.command()
@click.argument("address")
@verb
def show(face: Face, address: str) -> None:
    """Show the past of an address, its name, and who lists it."""
    with asking(face) as client:
        found = client.get(_SOURCES.one(address))
    face.show(found, _known(found))


@source.command()
@click.argument("address")
@verb
def forget(face: Face, address: str) -> None:
    """Forget the past of an address and of its network."""
    with asking(face) as client:
        done = client.delete(_SOURCES.one(address))
    said = f"{done['address']} and {done['network']}: {done['forgotten']} forgotten."
    face.show(done, [said])


def _known(found: dict[str, Any]) -> Iterator[str]:
    yield f"address    {found['address']} in {found['network']}"
    for name, label in (("history", "address"), ("network_history", "network")):
        deeds = found[name]
        told = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in deeds.items())
        yield f"{label:<10} {told}"
    yield f"came back  {'yes' if found['came_back'] else 'no'}"
    for finding in found["findings"]:
        refuses = ", refuses" if finding["refuses"] else ""
        yield f"{finding['symbol']}  {finding['reason']}{refuses}"
        yield f"           {finding['evidence']}"
