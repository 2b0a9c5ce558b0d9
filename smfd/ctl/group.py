"""C{smfdctl group}: users who are spoken of together."""

from typing import Any

import click

from smfd.ctl.client import asking
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun


def _speaking(found: dict[str, Any]) -> dict[str, Any]:
    """A group's document for reading."""
    rules = found.get("policies")
    return found if rules is None else {**found, "policies": " ".join(rules) or "none"}


@click.group()
def group() -> None:
    """Groups of users, for mail policies and limits."""


_GROUPS = Noun("/v1/groups", ("name", "members", "note"), _speaking)
_GROUPS.lists(
    group,
    "Show groups.",
    click.option("--domain", default="", help="Only those of this domain."),
    click.option(
        "--unprotected",
        is_flag=True,
        default=None,
        help="Only those that everybody may write to.",
    ),
)
_GROUPS.shows(group, "Show one group, and the policies that speak of it.")
_GROUPS.removes(
    group, "Unmake a group; its members stay what they are.", "{name} is no group."
)


@group.command("add")
@click.argument("name")
@click.argument("members", nargs=-1)
@click.option("--note", default="", help="What it is for.")
@verb
def add(face: Face, name: str, members: tuple[str, ...], note: str) -> None:
    """Make the group NAME, written like an address: board@example.org."""
    body = {"name": name, "members": list(members), "note": note}
    with asking(face) as client:
        made = client.post(_GROUPS.path, body)
    face.show(made, [_size(made)])


@group.command("join")
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@verb
def join(face: Face, name: str, members: tuple[str, ...]) -> None:
    """Make MEMBERS part of a group."""
    with asking(face) as client:
        changed = client.patch(_GROUPS.one(name), {"join": list(members)})
    face.show(changed, [_size(changed)])


@group.command("leave")
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@verb
def leave(face: Face, name: str, members: tuple[str, ...]) -> None:
    """Take MEMBERS out of a group."""
    with asking(face) as client:
        changed = client.patch(_GROUPS.one(name), {"leave": list(members)})
    face.show(changed, [_size(changed)])


@group.command("members")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@verb
def members(face: Face, name: str, limit: int, offset: int) -> None:
    """Show who is in a group."""
    with asking(face) as client:
        query = {"limit": limit, "offset": offset}
        page = client.get(f"{_GROUPS.one(name)}/members", query)
    lines = [one["address"] for one in page["items"]]
    if len(lines) < page["total"]:
        lines.append(f"{len(lines)} of {page['total']}.")
    face.show(page, lines or ["Nobody."])


def _size(found: dict[str, Any]) -> str:
    count = found["members"]
    return f"{found['name']} has {count} member{'' if count == 1 else 's'}."
