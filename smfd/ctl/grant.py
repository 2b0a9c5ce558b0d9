"""C{smfdctl grant}."""

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun

_GRANTS = Noun("/v1/grants", ("account", "address", "created"))


@click.group()
def grant() -> None:
    """Who may write as whom."""


_GRANTS.lists(
    grant,
    "Show grants.",
    click.option("--account", default="", help="Only those of this user."),
    click.option("--address", default="", help="Only those for this address."),
)


@grant.command("show")
@click.argument("account")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@verb
def grant_show(face: Face, /, account: str, **query: int) -> None:
    """Show every address that the user ACCOUNT may write as, and why."""
    found = Noun(f"/v1/users/{segment(account)}/identities", ("address", "why"))
    found.page(face, query)


@grant.command("add")
@click.argument("account")
@click.argument("address")
@verb
def grant_add(face: Face, account: str, address: str) -> None:
    """Let the user ACCOUNT write as ADDRESS."""
    with asking(face) as client:
        made = client.post(_GRANTS.path, {"account": account, "address": address})
    face.show(made, [f"{made['account']} may write as {made['address']}."])


@grant.command("remove")
@click.argument("account")
@click.argument("address")
@verb
def grant_remove(face: Face, account: str, address: str) -> None:
    """Let the user ACCOUNT write as ADDRESS no more."""
    with asking(face) as client:
        gone = client.delete(f"{_GRANTS.one(account)}/{segment(address)}")
    face.show(gone, [f"{gone['account']} writes as {gone['address']} no more."])
