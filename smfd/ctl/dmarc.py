"""C{smfdctl dmarc}: what others report of mail in our domains' names."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.table import table
from smfd.ctl.wrapped import wrapped


@click.group()
def dmarc() -> None:
    """What others report of mail in our domains' names."""


@dmarc.command()
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
    Show who sends in a domain's name, and what passes.

    Reports come by mail to the address in the domain's DMARC record (rua); ours
    is read when it is [reputation] reports_to. Anybody can write a report: the
    sender is shown where it is proven.
    """
    query = {"days": days, "limit": limit, "offset": offset}
    with asking(face) as client:
        found = client.get(f"/v1/dmarc/{segment(domain)}", query)
    face.show(found, _page(found))


def _page(found: dict[str, Any]) -> Iterator[str]:
    for sentence in found["answer"]:
        yield from wrapped(sentence)
    rows = [
        (
            one["address"] or "others",
            one["ours"],
            one["messages"],
            one["passed"],
            one["dkim"],
            one["spf"],
            one["kept_back"],
            one["detail"],
        )
        for one in found["sources"]
    ]
    if rows:
        yield ""
        names = ("address", "ours", "messages", "passed", "dkim", "spf", "kept back")
        yield from table((*names, "for example"), rows)
    reports = [
        (
            one["ends"],
            one["reporter"],
            one["sender"] or "not proven",
            one["messages"],
            one["passed"],
            one["policy"],
        )
        for one in found["items"]
    ]
    if reports:
        yield ""
        heads = ("until", "reporter", "sent by", "messages", "passed", "policy")
        yield from table(heads, reports)
    if len(reports) < found["total"]:
        yield f"{len(reports)} of {found['total']}; --limit and --offset show others."
