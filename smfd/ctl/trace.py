"""C{smfdctl trace}: what became of a message, and why."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.story import story
from smfd.ctl.table import table
from smfd.model.verdict import VERDICTS


@click.group()
def trace() -> None:
    """What became of a message, and why."""


@trace.command()
@click.option("--recipient", default="", help="user@domain, @domain, or a beginning.")
@click.option("--sender", default="", help="Likewise; <> for bounces.")
@click.option("--account", default="", help="Likewise: who logged in, or tried to.")
@click.option("--subject", default="", help="Words that are all in it.")
@click.option("--client", "address", default="", help="An IP address, or 192.0.2.*")
@click.option("--since", default="", help="2026-03-30, 2026-03-30T12:00:00Z, 2h, 3d.")
@click.option("--until", default="", help="Likewise.")
@click.option("--verdict", default="", help=", ".join(VERDICTS))
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@verb
def search(face: Face, /, address: str, **wanted: Any) -> None:
    """Find messages and refusals, the newest first."""
    with asking(face) as client:
        found = client.get("/v1/trace", {"client": address, **wanted})
    face.show(found, _found(found))


@trace.command()
@click.argument("id")
@verb
def show(face: Face, id: str) -> None:  # noqa: A002
    """Show everything about one: stages, findings, and where it is."""
    with asking(face) as client:
        found = client.get(f"/v1/trace/{segment(id)}")
    face.show(found, story(found, f"{face.command} quarantine release"))


@trace.command()
@click.argument("name")
@verb
def account(face: Face, name: str) -> None:
    """Say whose message it is, by the account in our Received field."""
    with asking(face) as client:
        found = client.get(f"/v1/trace/account/{segment(name)}")
    face.show(found, (found["account"],))


def _about(item: dict[str, Any]) -> str:
    """What a message is about; what never was one has a client and a reply."""
    if item["kind"] != "refusal":
        return str(item["subject"])
    who = f"{item['account']} " if item["account"] and not item["sender"] else ""
    return f"[{item['client']}] {who}{item['reply'].partition(' id=')[0]}"


def _sender(item: dict[str, Any]) -> str:
    """Bounces have no sender, who never came to MAIL has named none."""
    return str(item["sender"]) or ("" if item["kind"] == "refusal" else "<>")


def _found(found: dict[str, Any]) -> Iterator[str]:
    names = ("time", "id", "verdict", "score")
    rows = []
    for item in found["items"]:
        recipients = item["recipients"]
        more = f" +{len(recipients) - 1}" if len(recipients) > 1 else ""
        first = f"{recipients[0]}{more}" if recipients else ""
        rows.append([*(item[n] for n in names), _sender(item), first, _about(item)])
    yield from table((*names, "sender", "recipients", "subject, or reply"), rows)
    yield f"Complete up to {found['complete_up_to']}."
