"""C{smfdctl domain}, C{user} and C{list}."""

import sys
from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.table import table

_PAGE = (
    click.option("--search", default="", help="Only those that contain this."),
    click.option("--limit", type=click.IntRange(1), default=100, show_default=True),
    click.option("--offset", type=click.IntRange(0), default=0),
)


def paged(command: Any) -> Any:
    """Options of every list."""
    for option in _PAGE:
        command = option(command)
    return command


@click.group()
def domain() -> None:
    """Hosted domains."""


@domain.command("add")
@click.argument("name")
@click.option("--threshold", type=float, help="The score at which mail is spam.")
@verb
def domain_add(face: Face, name: str, threshold: float | None) -> None:
    """Host a domain."""
    with asking(face) as client:
        made = client.post("/v1/domains", {"name": name, "threshold": threshold})
    face.show(made, [f"{made['name']} is hosted; postmaster@{made['name']} exists."])


@domain.command("list")
@paged
@verb
def domain_list(face: Face, search: str, limit: int, offset: int) -> None:
    """Show hosted domains."""
    with asking(face) as client:
        page = client.get(
            "/v1/domains", {"search": search, "limit": limit, "offset": offset}
        )
    face.show(
        page,
        _page(_thresholds(page), ("name", "threshold", "allow_unauthenticated")),
    )


@domain.command("show")
@click.argument("name")
@verb
def domain_show(face: Face, name: str) -> None:
    """Show one domain."""
    with asking(face) as client:
        found = client.get(f"/v1/domains/{segment(name)}")
    face.show(found, _facts(_threshold(found)))


class _Threshold(click.ParamType[float | str]):
    """A score, or the word "default"."""

    name = "score|default"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """A number, or the word as it is."""
        return value if value == "default" else click.FLOAT.convert(value, param, ctx)


@domain.command("set")
@click.argument("name")
@click.option(
    "--threshold",
    type=_Threshold(),
    help='The score at which mail is spam; "default" for that of the settings.',
)
@click.option(
    "--allow-unauthenticated/--allow-authenticated-only",
    default=None,
    help="Whether allow entries count for senders that proved nothing.",
)
@verb
def domain_set(
    face: Face,
    name: str,
    threshold: float | str | None,
    allow_unauthenticated: bool | None,
) -> None:
    """Change a domain."""
    default = threshold == "default"
    with asking(face) as client:
        changed = client.patch(
            f"/v1/domains/{segment(name)}",
            {
                "threshold": None if default else threshold,
                "default_threshold": True if default else None,
                "allow_unauthenticated": allow_unauthenticated,
            },
        )
    face.show(changed, _facts(_threshold(changed)))


@domain.command("remove")
@click.argument("name")
@click.option("--force", is_flag=True, help="Even if it has users.")
@verb
def domain_remove(face: Face, name: str, force: bool) -> None:
    """Host a domain no longer; its mail stays on the disk."""
    with asking(face) as client:
        gone = client.delete(f"/v1/domains/{segment(name)}", {"force": force})
    face.show(gone, [f"{gone['name']} is not hosted any more."])


@click.group()
def user() -> None:
    """Mailboxes and their passwords."""


def _secret(generated: bool) -> str:
    """A password that is typed, or piped in; or "" to have one made."""
    if generated:
        return ""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    piped = sys.stdin.readline().rstrip("\r\n")
    if not piped:
        raise click.UsageError("No password was piped in.")
    return piped


@user.command("add")
@click.argument("address")
@click.option("--password", is_flag=True, help="Ask for it, or read it from a pipe.")
@verb
def user_add(face: Face, address: str, password: bool) -> None:
    """Make a mailbox; without --password one is made and shown once."""
    with asking(face) as client:
        made = client.post(
            "/v1/users", {"address": address, "password": _secret(not password)}
        )
    face.show(made, [f"{made['address']} has a mailbox.", *_once(made)])


@user.command("list")
@click.option("--domain", default="", help="Only those of this domain.")
@paged
@verb
def user_list(face: Face, domain: str, search: str, limit: int, offset: int) -> None:
    """Show mailboxes."""
    with asking(face) as client:
        page = client.get(
            "/v1/users",
            {"domain": domain, "search": search, "limit": limit, "offset": offset},
        )
    face.show(page, _page(page, ("address", "created", "can_log_in")))


@user.command("show")
@click.argument("address")
@verb
def user_show(face: Face, address: str) -> None:
    """Show one mailbox."""
    with asking(face) as client:
        found = client.get(f"/v1/users/{segment(address)}")
    face.show(found, _facts(found))


@user.command("remove")
@click.argument("address")
@verb
def user_remove(face: Face, address: str) -> None:
    """Take no more mail for a mailbox; what is in it stays on the disk."""
    with asking(face) as client:
        gone = client.delete(f"/v1/users/{segment(address)}")
    face.show(gone, [f"{gone['address']} takes no more mail."])


@user.command("password")
@click.argument("address")
@click.option("--generate", is_flag=True, help="Make one, and show it once.")
@verb
def user_password(face: Face, address: str, generate: bool) -> None:
    """Replace a password; it is asked for, or read from a pipe."""
    with asking(face) as client:
        changed = client.post(
            f"/v1/users/{segment(address)}/password", {"password": _secret(generate)}
        )
    face.show(changed, [f"{changed['address']} has a new password.", *_once(changed)])


@click.group()
def list_() -> None:
    """Allow and block entries."""


@list_.command("add")
@click.option("--scope", required=True, help="An address, a domain, or operator.")
@click.option("--allow", "allow", metavar="PATTERN", help="Let this sender in.")
@click.option("--block", "block", metavar="PATTERN", help="Hold this sender's mail.")
@click.option("--expires", default="", help="2026-12-31, or 30d for in 30 days.")
@click.option("--note", default="", help="Why.")
@click.option("--locked", is_flag=True, help="Operator only: nobody overrules it.")
@verb
def list_add(
    face: Face,
    scope: str,
    allow: str | None,
    block: str | None,
    expires: str,
    note: str,
    locked: bool,
) -> None:
    """
    Put a sender on a list.

    PATTERN is user@example.org, example.org (or *@example.org), or
    *.example.org for everything below it.
    """
    if (allow is None) == (block is None):
        raise click.UsageError("Say either --allow PATTERN or --block PATTERN.")
    with asking(face) as client:
        made = client.post(
            "/v1/lists",
            {
                "scope": scope,
                "allow": allow is not None,
                "pattern": allow if allow is not None else block,
                "expires": expires,
                "note": note,
                "locked": locked,
            },
        )
    face.show(made, [f"{_said(made)} (entry {made['id']})."])


@list_.command("list")
@click.option("--scope", default="", help="An address, a domain, or operator.")
@paged
@verb
def list_list(face: Face, scope: str, search: str, limit: int, offset: int) -> None:
    """Show entries, the newest first."""
    with asking(face) as client:
        page = client.get(
            "/v1/lists",
            {"scope": scope, "search": search, "limit": limit, "offset": offset},
        )
    names = ("id", "scope", "kind", "pattern", "locked", "expires", "note")
    face.show(page, _page(page, names))


@list_.command("remove")
@click.argument("entry")
@click.option("--scope", default="", help="Then ENTRY is the pattern on this list.")
@verb
def list_remove(face: Face, entry: str, scope: str) -> None:
    """Take an entry off its list, by its number, or by its pattern and --scope."""
    if not scope and not entry.isdecimal():
        raise click.UsageError(f"Say whose: --scope SCOPE {entry}, or its number.")
    with asking(face) as client:
        numbers = [entry]
        if scope:
            found = client.get("/v1/lists", {"scope": scope, "pattern": entry})
            numbers = [str(one["id"]) for one in found["items"]]
        gone = [client.delete(f"/v1/lists/{segment(number)}") for number in numbers]
    if not gone:
        face.refuse(f"{entry} is not on the list of {scope}.")
    lines = [
        f"{one['scope']} no longer {one['kind']}s {one['pattern']}." for one in gone
    ]
    face.show({"removed": gone}, lines)


def _said(entry: dict[str, Any]) -> str:
    return f"{entry['scope']} {entry['kind']}s {entry['pattern']}"


def _once(document: dict[str, Any]) -> list[str]:
    if "password" not in document:
        return []
    return [f"Password, shown this once: {document['password']}"]


def _threshold(domain: dict[str, Any]) -> dict[str, Any]:
    """A domain's document for reading: whose threshold it is, in one word."""
    shown = dict(domain)
    if shown.pop("default_threshold", False):
        shown["threshold"] = f"{domain['threshold']:g} (default)"
    return shown


def _thresholds(page: dict[str, Any]) -> dict[str, Any]:
    return {**page, "items": [_threshold(item) for item in page["items"]]}


def _facts(document: dict[str, Any]) -> Iterator[str]:
    width = max(len(name) for name in document)
    for name, value in document.items():
        if isinstance(value, bool):
            value = "yes" if value else "no"
        yield f"{name.replace('_', ' '):<{width}}  {value}"


def _page(page: dict[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    rows = [[item.get(name) for name in names] for item in page["items"]]
    yield from table([name.replace("_", " ") for name in names], rows)
    if not page["total"]:
        yield "There are none."
    elif len(rows) < page["total"]:
        yield f"{len(rows)} of {page['total']}; --limit and --offset show others."
