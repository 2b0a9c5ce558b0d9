"""C{smfdctl tls}: what others report of TLS with our servers."""

import click

from smfd.ctl.reports import Document, Rows, reports_of


@click.group()
def tls() -> None:
    """What others report of TLS with our servers."""


_HEADS = ("fault", "host", "connections", "reporters", "for example")
_KEYS = ("result", "host", "connections", "reporters", "detail")


def _faults(page: Document) -> Rows:
    return _HEADS, [[one[key] for key in _KEYS] for one in page["faults"]]


tls.add_command(
    reports_of(
        "/v1/tls",
        """
        Show what fails when others send to a domain, and what to do.

        Reports come by mail to the address in the record _smtp._tls of the domain
        (rua); ours is read when it is [reputation] reports_to. Anybody can write a
        report: the sender is shown where it is proven.
        """,
        _faults,
        ("policy", "good", "bad"),
    )
)
