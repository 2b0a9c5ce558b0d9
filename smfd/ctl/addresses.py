"""C{smfdctl alias}, C{forward} and C{recipient}."""

from typing import Any

import click

from smfd.ctl.client import asking
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun

_DOMAIN = click.option("--domain", default="", help="Only those of this domain.")


def _leading(found: dict[str, Any]) -> dict[str, Any]:
    """Where it leads, in one line."""
    return {**found, "targets": " ".join(found["targets"])}


@click.group()
def alias() -> None:
    """Addresses that stand for others."""


_ALIASES = Noun("/v1/aliases", ("address", "targets"), _leading)
_ALIASES.lists(alias, "Show aliases.", _DOMAIN)


@alias.command("add")
@click.argument("address")
@click.argument("targets", nargs=-1, required=True)
@verb
def alias_add(face: Face, address: str, targets: tuple[str, ...]) -> None:
    """Make ADDRESS stand for TARGETS; again, it stands for these only."""
    with asking(face) as client:
        made = client.post(
            _ALIASES.path, {"address": address, "targets": list(targets)}
        )
    face.show(made, [f"{made['address']} leads to {_to(made)}."])


_ALIASES.removes(
    alias,
    "Take no more mail for an alias.",
    "{address} leads nowhere any more.",
)


@click.group()
def forward() -> None:
    """Mailboxes whose mail goes to others."""


_FORWARDS = Noun("/v1/forwards", ("address", "keep", "targets"), _leading)
_FORWARDS.lists(forward, "Show forwards.", _DOMAIN)


@forward.command("add")
@click.argument("address")
@click.argument("targets", nargs=-1, required=True)
@click.option("--keep", is_flag=True, help="The mailbox keeps a copy.")
@verb
def forward_add(face: Face, address: str, targets: tuple[str, ...], keep: bool) -> None:
    """Forward the mail of the mailbox ADDRESS to TARGETS, and to these only."""
    body = {"address": address, "targets": list(targets), "keep": keep}
    with asking(face) as client:
        made = client.post(_FORWARDS.path, body)
    copy = " and keeps a copy" if made["keep"] else ""
    face.show(made, [f"{made['address']} forwards to {_to(made)}{copy}."])


_FORWARDS.removes(
    forward,
    "Forward no more: the mailbox keeps its mail.",
    "{address} keeps its mail.",
)


@click.group()
def recipient() -> None:
    """Addresses of domains that are verified by list."""


_RECIPIENTS = Noun("/v1/recipients", ("address",))
_RECIPIENTS.lists(recipient, "Show listed addresses.", _DOMAIN)


@recipient.command("add")
@click.argument("addresses", nargs=-1, required=True)
@verb
def recipient_add(face: Face, addresses: tuple[str, ...]) -> None:
    """List addresses; mail for others of their domains is refused."""
    with asking(face) as client:
        made = client.post(_RECIPIENTS.path, {"addresses": list(addresses)})
    face.show(made, [f"{name} is listed." for name in made["added"]])


_RECIPIENTS.removes(
    recipient,
    "Take an address off the list of its domain.",
    "{address} is not listed any more.",
)


def _to(made: dict[str, Any]) -> str:
    return ", ".join(made["targets"])
