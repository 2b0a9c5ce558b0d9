"""C{smfdctl dns}: the records of a domain, and whether they are there."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import REFUSED, Face, Faint, verb


@click.command()
@click.argument("domain")
@click.option("--check", is_flag=True, help="Look up what is there, and judge it.")
@click.option(
    "--page",
    default="",
    help="Print only what a web server must have: mta-sts or autoconfig.",
)
@verb
def dns(face: Face, domain: str, check: bool, page: str) -> None:
    """
    Print the records of DOMAIN as a zone that can be imported.

    With --check each is looked up: what is there, and what to do if it is
    wrong; exit 1 when something fails.
    """
    if check and page:
        raise click.UsageError("--check and --page are two things.")
    with asking(face) as client:
        found = client.get(f"/v1/domains/{segment(domain)}/dns", {"check": check})
    if page:
        _show_page(face, found["pages"], page)
        return
    if not check:
        face.show(found, found["zone"].splitlines())
        return
    face.show(found, _lines(found))
    if found["failed"]:
        raise SystemExit(REFUSED)


def _show_page(face: Face, pages: list[dict[str, Any]], wanted: str) -> None:
    named = {page["what"]: page for page in pages}
    if wanted not in named:
        others = ", ".join(named)
        raise click.UsageError(
            f"There is no page {wanted!r}; there is {others}. autoconfig needs a"
            " submission that others can reach, and [server] imap."
        )
    face.show(named[wanted], named[wanted]["text"].splitlines())


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
