"""C{smfdctl quarantine}: what is held, let through or thrown away."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import click

from smfd.ctl.client import Client, asking
from smfd.ctl.excerpt import excerpt
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun

_HELD = Noun(
    "/v1/quarantine",
    ("id", "received", "class", "score", "recipient", "sender", "subject"),
)


#: What leaves by force only.
_DANGEROUS = ("virus", "unscanned")

_APPROVER = click.option(
    "--approver", default="", help="Who has to approve of it, and decides."
)


@click.group()
def quarantine() -> None:
    """Messages that are held."""


@quarantine.command("list")
@click.option("--domain", default="", help="Only those for this domain.")
@click.option("--recipient", default="", help="Only those for this address.")
@click.option(
    "--class",
    "category",
    default="",
    help="spam, virus, policy, approval, held, ...",
)
@click.option("--search", default="", help="Words in subject or addresses.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@verb
def held(face: Face, /, **wanted: Any) -> None:
    """Show held messages, the newest first."""
    _HELD.page(face, wanted)


@quarantine.command()
@click.argument("id")
@click.option("--text", is_flag=True, help="What it says, too; that is written down.")
@_APPROVER
@verb
def show(face: Face, id: str, text: bool, approver: str) -> None:  # noqa: A002
    """Show one held message, and why it is held."""
    with asking(face) as client:
        item = client.get(_HELD.one(id))
        if text:
            item["text"] = read(client, id, approver)
    said = excerpt(item["text"]) if text else ()
    face.show(item, chain(_item(item, face.command), said))


@quarantine.command()
@click.argument("id")
@click.option("--force", is_flag=True, help="Even if it is dangerous; say why.")
@click.option("--reason", default="", help="Why; it is written down.")
@_APPROVER
@verb
def release(
    face: Face,
    id: str,  # noqa: A002
    force: bool,
    reason: str,
    approver: str,
) -> None:
    """Let a message through, after a fresh look for viruses."""
    with asking(face) as client:
        done = client.post(
            f"{_HELD.one(id)}/release",
            {"force": force, "reason": reason, "approver": approver},
        )
    face.show(done, [f"Released to {done['recipient']} as {done['released']}."])


@quarantine.command()
@click.argument("id")
@_APPROVER
@verb
def delete(face: Face, id: str, approver: str) -> None:  # noqa: A002
    """Throw a message away."""
    with asking(face) as client:
        gone = client.delete(_HELD.one(id), {"approver": approver})
    face.show(gone, [f"Deleted; {gone['recipient']} will not get it."])


def read(client: Client, id: str, approver: str = "") -> dict[str, Any]:  # noqa: A002
    """Ask for the beginning of a held message."""
    said: dict[str, Any] = client.post(f"{_HELD.one(id)}/text", {"approver": approver})
    return said


def _item(item: dict[str, Any], command: str) -> Iterator[str]:
    for name in ("id", "received", "recipient", "sender", "subject", "class", "reason"):
        yield f"{name:<10} {item.get(name)}"
    if item.get("score") is not None:
        yield f"score      {item['score']:g}"
    yield f"size       {item.get('size')}"
    yield ""
    yield f"Why:        {command} trace show {item['id'].rpartition('-')[0]}"
    if "text" not in item:
        yield f"What:       {command} quarantine show {item['id']} --text"
    if item["approvers"]:
        yield f"Approvers:  {', '.join(item['approvers'])}"
    force = ' --force --reason "..."' if item["class"] in _DANGEROUS else ""
    yield f"Let it in:  {command} quarantine release {item['id']}{force}"
