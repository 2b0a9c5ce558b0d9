"""C{smfdctl tls}: what others report of TLS with our servers."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.table import table
from smfd.ctl.wrapped import wrapped


@click.group()
def tls() -> None:
    """What others report of TLS with our servers."""


@tls.command()
@click.argument("domain")
@click.option(
    "--days",
    type=click.IntRange(1, 400),
    default=30,
    show_default=True,
    help="So many back.",
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@verb
def reports(face: Face, domain: str, days: int, limit: int, offset: int) -> None:
    """
    Show what fails when others send to a domain, and what to do.

    Reports come by mail to the address in the record _smtp._tls of the domain
    (rua); ours is read when it is [reputation] reports_to. Anybody can write a
    report: the sender is shown where it is proven.
    """
    query = {"days": days, "limit": limit, "offset": offset}
    with asking(face) as client:
        found = client.get(f"/v1/tls/{segment(domain)}", query)
    face.show(found, _page(found))


def _page(found: dict[str, Any]) -> Iterator[str]:
    for sentence in found["answer"]:
        yield from wrapped(sentence)
    rows = [
        (
            one["result"],
            one["host"],
            one["connections"],
            one["reporters"],
            one["detail"],
        )
        for one in found["faults"]
    ]
    if rows:
        yield ""
        names = ("fault", "host", "connections", "reporters", "for example")
        yield from table(names, rows)
    reports = [
        (
            one["ends"],
            one["reporter"],
            one["sender"] or "not proven",
            one["policy"],
            one["good"],
            one["bad"],
        )
        for one in found["items"]
    ]
    if reports:
        yield ""
        heads = ("until", "reporter", "sent by", "policy", "good", "failed")
        yield from table(heads, reports)
    if len(reports) < found["total"]:
        yield f"{len(reports)} of {found['total']}; --limit and --offset show others."
