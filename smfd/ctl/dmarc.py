"""C{smfdctl dmarc}: what others report of mail in our domains' names."""

import click

from smfd.ctl.reports import Document, Rows, reports_of


@click.group()
def dmarc() -> None:
    """What others report of mail in our domains' names."""


_HEADS = ("address", "ours", "messages", "passed", "dkim", "spf", "kept back")
_KEYS = ("ours", "messages", "passed", "dkim", "spf", "kept_back", "detail")


def _sources(page: Document) -> Rows:
    rows = [
        [one["address"] or "others", *(one[key] for key in _KEYS)]
        for one in page["sources"]
    ]
    return (*_HEADS, "for example"), rows


dmarc.add_command(
    reports_of(
        "/v1/dmarc",
        """
        Show who sends in a domain's name, and what passes.

        Reports come by mail to the address in the domain's DMARC record (rua); ours
        is read when it is [reputation] reports_to. Anybody can write a report: the
        sender is shown where it is proven.
        """,
        _sources,
        ("messages", "passed", "policy"),
    )
)
