"""C{smfdctl dns}: the records of a domain, and whether they are there."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import REFUSED, Face, Faint, verb


@click.command()
@click.argument("domain")
@click.option("--check", is_flag=True, help="Look up what is there, and judge it.")
@verb
def dns(face: Face, domain: str, check: bool) -> None:
    """
    Print the records of DOMAIN as a zone that can be imported.

    With --check each is looked up: what is there, and what to do if it is
    wrong; exit 1 when something fails.
    """
    with asking(face) as client:
        found = client.get(f"/v1/domains/{segment(domain)}/dns", {"check": check})
    if not check:
        face.show(found, found["zone"].splitlines())
        return
    face.show(found, _lines(found))
    if found["failed"]:
        raise SystemExit(REFUSED)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for one in found["checks"]:
        yield f"{one['verdict']:<5} {one['type']:<5} {one['name']}"
        if one["verdict"] == "OK":
            continue
        for record in one["found"] or ["nothing"]:
            yield Faint(f"      found: {record}")
        yield f"      {one['fix']}"
    yield ""
    warned = sum(one["verdict"] == "WARN" for one in found["checks"])
    yield f"{found['failed']} failed, {warned} to think about"
