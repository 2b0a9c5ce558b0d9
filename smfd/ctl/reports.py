"""What C{smfdctl dmarc reports} and C{smfdctl tls reports} have in common."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.table import table
from smfd.ctl.wrapped import wrapped

Document = Mapping[str, Any]

#: The rows of a table, with its heads.
Rows = tuple[Sequence[str], Sequence[Sequence[Any]]]


def reports_of(
    path: str, words: str, found: Callable[[Document], Rows], kept: Sequence[str]
) -> click.Command:
    """
    The verb that shows what others report of a domain.

    @param path: where it is asked for, without the domain.
    @param words: what it does.
    @param found: what is said of the domain, out of all reports.
    @param kept: what is shown of each report, behind who wrote it.
    """

    @click.command("reports", help=words)
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
    def reports(face: Face, /, domain: str, **query: Any) -> None:
        with asking(face) as client:
            page = client.get(f"{path}/{segment(domain)}", query)
        face.show(page, _page(page, found(page), kept))

    return reports


def _page(page: Document, found: Rows, kept: Sequence[str]) -> Iterator[str]:
    for sentence in page["answer"]:
        yield from wrapped(sentence)
    names = tuple(name.replace("_", " ") for name in kept)
    written = (("until", "reporter", "sent by", *names), _written(page, kept))
    for heads, rows in (found, written):
        if rows:
            yield ""
            yield from table(heads, rows)
    if len(page["items"]) < page["total"]:
        shown = f"{len(page['items'])} of {page['total']}"
        yield f"{shown}; --limit and --offset show others."


def _written(page: Document, kept: Sequence[str]) -> list[list[Any]]:
    """Who wrote when, and whether that is proven."""
    return [
        [one["ends"], one["reporter"], one["sender"] or "not proven"]
        + [one[key] for key in kept]
        for one in page["items"]
    ]
